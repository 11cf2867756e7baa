package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A rig is a real server on an empty database with one webhook that sends to a
// witness.
type rig struct {
	dir     string
	env     []string
	server  *server
	witness *witness
	admin   string
}

// onEveryKind runs test with a rig on every kind of database.
func onEveryKind(t *testing.T, receiver string, test func(t *testing.T, r *rig)) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, database(t), receiver))
		})
	}
}

// newRig starts a server on a database, with a webhook to one of the witness's
// receivers.
func newRig(t testing.TB, database, receiver string) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), witness: newWitness(t)}
	for _, kept := range []string{"PATH", "HOME", "TMPDIR"} {
		r.env = append(r.env, kept+"="+os.Getenv(kept))
	}
	r.env = append(r.env,
		"PORTALHOOKS_LISTEN=127.0.0.1:0", "PORTALHOOKS_API_RATE=0", "PORTALHOOKS_INGEST_RATE=0")
	if database != "" {
		r.env = append(r.env, "PORTALHOOKS_DATABASE="+database)
	}
	t.Cleanup(func() {
		if r.server != nil {
			_ = r.server.kill()
		}
	})
	r.start(t)
	r.admin = r.run(t, "key", "create", "--role", "admin", "--organization", "load")
	r.createWebhook(t, map[string]any{
		"eventType": "ACTIVE_ALERT", "targetUrl": r.witness.URL + receiver,
		"template": `{"element": "#alert_element"}`,
		"policy":   map[string]any{"retrySeconds": []int{1, 1, 1}},
	})
	return r
}

func (r *rig) start(t testing.TB) {
	t.Helper()
	var err error
	if r.server, err = startServer(t.Context(), r.dir, r.env); err != nil {
		t.Fatal(err)
	}
}

// query reads a query of the stories and sends it as the administrator.
func (r *rig) query(t testing.TB, file string, variables map[string]any) []byte {
	t.Helper()
	query, err := os.ReadFile(filepath.Join("testdata", "script", "queries", file))
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := ask(t.Context(), r.server.url, r.admin, string(query), variables)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// createWebhook makes a webhook for all items.
func (r *rig) createWebhook(t testing.TB, input map[string]any) {
	t.Helper()
	maps.Copy(input, map[string]any{
		"organizationId": "load", "name": "Load", "selection": map[string]any{"all": true},
	})
	answer := r.query(t, "create-webhook.graphql", map[string]any{"input": input})
	if problems, err := textAt(answer, "data.createWebhook.userErrors"); err != nil || problems != "[]" {
		t.Fatalf("create the webhook: %s", answer)
	}
}

// run runs one of the program's other commands beside the server.
func (r *rig) run(t testing.TB, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("portalhooks")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("portalhooks %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// settled waits until no delivery is under way any more.
func (r *rig) settled(t testing.TB) {
	t.Helper()
	pending := map[string]any{"org": "load", "filter": map[string]any{
		"states": []string{"QUEUED", "SENDING", "RETRYING"},
	}}
	err := eventually(t.Context(), "no delivery is pending", func(context.Context) (bool, error) {
		left, err := textAt(r.query(t, "deliveries.graphql", pending), "data.organization.deliveries.nodes.len")
		return left == "0", err
	})
	if err != nil {
		t.Fatalf("%v%s", err, r.server.transcript())
	}
}

// arrived waits until the witness has accepted everything in the ledger.
func (r *rig) arrived(t testing.TB, l *ledger) {
	t.Helper()
	err := eventually(t.Context(), "everything acknowledged is delivered", func(context.Context) (bool, error) {
		_, some := r.witness.missing(l.acked)
		return !some, nil
	})
	if err != nil {
		one, _ := r.witness.missing(l.acked)
		t.Fatalf("%v: %s is not%s", err, one, r.server.transcript())
	}
}
