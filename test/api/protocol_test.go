package api

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/test/harness"
)

// runClient runs a script of test/clients and returns what it prints.
func runClient(t *testing.T, script string, args ...string) (output string, ok bool) {
	t.Helper()
	dir := filepath.Join(harness.Root, "test", "clients")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal("the test clients are not installed: run `make setup`")
	}
	command := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.Output()
	if err != nil {
		t.Logf("%s: %v\n%s", script, err, stderr.String())
	}
	return string(stdout), err == nil
}

// TestProtocolsOfTheRealServer runs the public suites, as independent clients
// see them, against the whole server.
func TestProtocolsOfTheRealServer(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		log := `subscription($after: Cursor = "` + harness.LogStart() + `") { deliveryLog(after: $after) {
			... on DeliveryLogEntry { cursor state } ... on DeliveryLogGap { cursor }
			... on DeliveryLogHeartbeat { cursor } } }`
		for name, tt := range map[string]struct {
			script string
			key    string
			args   []string
			checks int // that must pass; all must
		}{
			"HTTP":               {"http.mjs", w.A.Viewer, nil, 61},
			"WebSocket":          {"websocket.mjs", w.A.Admin, []string{"--stream", "subscription { deliveryLog { __typename } }"}, 33},
			"server-sent events": {"sse.mjs", w.B.Viewer, []string{"--stream", log, "--results", "3"}, 5},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				output, ok := runClient(t, tt.script, append([]string{s.URL, tt.key}, tt.args...)...)
				if got := strings.Count("\n"+output, "\nok "); !ok || got < tt.checks {
					t.Errorf("%d checks passed, want all and at least %d:\n%s", got, tt.checks, output)
				}
			})
		}
	})
}
