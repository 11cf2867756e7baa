package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A rig is a real server on an empty database with one webhook that sends to a
// witness.
type rig struct {
	program  string // the server
	dir      string
	env      []string
	database string // its URL; "" for SQLite in dir
	server   *server
	witness  *witness
	viewer   *viewer // nil where nobody watches
	admin    string
}

// onEveryKind runs test with a rig on every kind of database.
func onEveryKind(t *testing.T, test func(t *testing.T, r *rig)) {
	onEveryKindOfDatabase(t, func(t *testing.T, database string) {
		test(t, newRig(t, database, "/"))
	})
}

// onEveryKindOfDatabase runs test with the URL of an empty database of each
// kind, "" for the program's own default.
func onEveryKindOfDatabase(t *testing.T, test func(t *testing.T, database string)) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, database(t))
		})
	}
}

// newRig starts a server on a database, with a webhook to one of the witness's
// receivers.
func newRig(t testing.TB, database, receiver string) *rig {
	t.Helper()
	r := prepareRig(t, database, t.TempDir())
	r.open(t)
	r.createWebhook(t, map[string]any{
		"eventType": "ACTIVE_ALERT", "targetUrl": r.witness.URL + receiver,
		"template": `{"element": "#alert_element"}`,
		"policy":   map[string]any{"retrySeconds": []int{1, 1, 1}},
	})
	return r
}

// prepareRig returns a rig whose server does not run yet.
func prepareRig(t testing.TB, database, dir string) *rig {
	t.Helper()
	r := &rig{program: "portalhooks", dir: dir, database: database, witness: newWitness(t)}
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
	return r
}

// open starts the server for the first time.
func (r *rig) open(t testing.TB) {
	t.Helper()
	r.start(t)
	r.admin = r.run(t, "key", "create", "--role", "admin", "--organization", "load")
}

// start starts the server, with more variables in its environment.
func (r *rig) start(t testing.TB, env ...string) {
	t.Helper()
	var err error
	if r.server, err = startProgram(t.Context(), r.program, r.dir, slices.Concat(r.env, env)); err != nil {
		t.Fatal(err)
	}
	if r.viewer != nil {
		r.viewer.turnTo(r.server)
	}
}

// stop ends the server in good order.
func (r *rig) stop(t testing.TB) {
	t.Helper()
	if err := r.server.stop(); err != nil {
		t.Error(err)
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
