package harness

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

// A Rig is a real server on an empty database with one webhook that sends to a
// witness.
type Rig struct {
	Program  string // the server
	Dir      string
	Env      []string
	Database string // its URL; "" for SQLite in dir
	Server   *Server
	Witness  *witness
	viewer   *viewer // nil without a subscriber
	admin    string
}

// OnEveryKind runs test with a rig on every kind of database.
func OnEveryKind(t *testing.T, test func(t *testing.T, r *Rig)) {
	OnEveryKindOfDatabase(t, func(t *testing.T, database string) {
		test(t, NewRig(t, database, "/"))
	})
}

// OnEveryKindOfDatabase runs test with the URL of an empty database of each
// kind, "" for the program's own default.
func OnEveryKindOfDatabase(t *testing.T, test func(t *testing.T, database string)) {
	for name, database := range Databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, database(t))
		})
	}
}

// NewRig starts a server on a database, with a webhook to one of the witness's
// receivers.
func NewRig(t testing.TB, database, receiver string) *Rig {
	t.Helper()
	r := PrepareRig(t, database, t.TempDir())
	r.Open(t)
	r.CreateWebhook(t, map[string]any{
		"eventType": "ACTIVE_ALERT", "targetUrl": r.Witness.URL + receiver,
		"template": `{"element": "#alert_element"}`,
		"policy":   map[string]any{"retrySeconds": []int{1, 1, 1}},
	})
	return r
}

// PrepareRig returns a rig whose server does not run yet.
func PrepareRig(t testing.TB, database, dir string) *Rig {
	t.Helper()
	r := &Rig{Program: "portalhooks", Dir: dir, Database: database, Witness: newWitness(t)}
	for _, kept := range []string{"PATH", "HOME", "TMPDIR"} {
		r.Env = append(r.Env, kept+"="+os.Getenv(kept))
	}
	r.Env = append(r.Env,
		"PORTALHOOKS_LISTEN=127.0.0.1:0", "PORTALHOOKS_API_RATE=0", "PORTALHOOKS_INGEST_RATE=0")
	if database != "" {
		r.Env = append(r.Env, "PORTALHOOKS_DATABASE="+database)
	}
	t.Cleanup(func() {
		if r.Server != nil {
			_ = r.Server.Kill()
		}
	})
	return r
}

// Open starts the server for the first time.
func (r *Rig) Open(t testing.TB) {
	t.Helper()
	r.Start(t)
	r.admin = r.Run(t, "key", "create", "--role", "admin", "--organization", "load")
}

// Start starts the server, with more variables in its environment.
func (r *Rig) Start(t testing.TB, env ...string) {
	t.Helper()
	var err error
	if r.Server, err = startProgram(t.Context(), r.Program, r.Dir, slices.Concat(r.Env, env)); err != nil {
		t.Fatal(err)
	}
	if r.viewer != nil {
		r.viewer.turnTo(r.Server)
	}
}

// Stop ends the server in good order.
func (r *Rig) Stop(t testing.TB) {
	t.Helper()
	if err := r.Server.Stop(); err != nil {
		t.Error(err)
	}
}

// query reads a query of the stories and sends it as the administrator.
func (r *Rig) query(t testing.TB, file string, variables map[string]any) []byte {
	t.Helper()
	query, err := os.ReadFile(filepath.Join(Root, "test", "story", "testdata", "script", "queries", file))
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := Ask(t.Context(), r.Server.URL, r.admin, string(query), variables)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// CreateWebhook makes a webhook for all items.
func (r *Rig) CreateWebhook(t testing.TB, input map[string]any) {
	t.Helper()
	maps.Copy(input, map[string]any{
		"organizationId": "load", "name": "Load", "selection": map[string]any{"all": true},
	})
	answer := r.query(t, "create-webhook.graphql", map[string]any{"input": input})
	if problems, err := TextAt(answer, "data.createWebhook.userErrors"); err != nil || problems != "[]" {
		t.Fatalf("create the webhook: %s", answer)
	}
}

// Run runs one of the program's other commands beside the server.
func (r *Rig) Run(t testing.TB, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("portalhooks")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Env = r.Dir, r.Env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("portalhooks %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// Settled waits until no delivery is under way any more.
func (r *Rig) Settled(t testing.TB) {
	t.Helper()
	pending := map[string]any{"org": "load", "filter": map[string]any{
		"states": []string{"QUEUED", "SENDING", "RETRYING"},
	}}
	err := Eventually(t.Context(), "no delivery is pending", func(context.Context) (bool, error) {
		left, err := TextAt(r.query(t, "deliveries.graphql", pending), "data.organization.deliveries.nodes.len")
		return left == "0", err
	})
	if err != nil {
		t.Fatalf("%v%s", err, r.Server.Transcript())
	}
}
