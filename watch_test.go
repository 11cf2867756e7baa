package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A watcher whose connection is cut after every few entries, in the middle of a
// load, sees each entry once. It is npm's graphql-ws.
func TestAWatcherThatIsCutOffMissesNothing(t *testing.T) {
	t.Parallel()
	const deliveries, cutAfter = 200, 7
	onEveryKind(t, func(t *testing.T, r *rig) {
		script, err := filepath.Abs(filepath.Join("testdata", "clients", "watch.mjs"))
		if err != nil {
			t.Fatal(err)
		}
		l := newLedger()
		cursor := r.firstCursor(t, l)
		watcher := r.begin(t, regexp.MustCompile("watching"), "node", script, r.server.url+"/graphql",
			r.server.Operator, cursor, fmt.Sprint(deliveries), fmt.Sprint(cutAfter))
		if err := load(t.Context(), r.server, l, 1, 1+deliveries); err != nil {
			t.Fatal(err)
		}
		if err := watcher.wait(); err != nil {
			t.Fatal(err)
		}
		seen, cursors := map[string]bool{}, map[string]bool{}
		text, _ := watcher.out.read()
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			var entry tailItem
			if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
				t.Fatal(err)
			}
			if entry.Type != "DeliveryLogEntry" || entry.State != "DELIVERED" {
				t.Errorf("got %s, want the entry of a delivery that is delivered", lines.Text())
			}
			if seen[entry.Delivery.ID] || cursors[entry.Cursor] {
				t.Errorf("came twice: %s", lines.Text())
			}
			seen[entry.Delivery.ID], cursors[entry.Cursor] = true, true
		}
		if len(seen) != deliveries {
			t.Errorf("%d deliveries were seen, want %d", len(seen), deliveries)
		}
		notes, _ := watcher.err.read()
		if got := strings.Count(notes, "watching"); got < deliveries/cutAfter {
			t.Errorf("%d connections, want at least %d: it was not cut off", got, deliveries/cutAfter)
		}
		if err := r.server.stop(); err != nil {
			t.Error(err)
		}
	})
}

// begin starts a program and returns when its error stream says what is given.
func (r *rig) begin(t *testing.T, says *regexp.Regexp, name string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	p, err := startProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.kill() })
	if _, err := p.waitFor(&p.err, says); err != nil {
		t.Fatal(err)
	}
	return p
}

// firstCursor has one event delivered and returns the cursor of its entry.
func (r *rig) firstCursor(t *testing.T, l *ledger) string {
	t.Helper()
	tail := r.begin(t, regexp.MustCompile("Watching"), "portalhooks", "tail", "--json", "--count", "1")
	if err := load(t.Context(), r.server, l, 0, 1); err != nil {
		t.Fatal(err)
	}
	if err := tail.wait(); err != nil {
		t.Fatal(err)
	}
	text, _ := tail.out.read()
	cursor, err := textAt([]byte(text), "cursor")
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}
