package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"portalhooks/cli"
	"portalhooks/test/harness"
)

// A subscriber whose connection is cut after every few entries, under load, sees each
// entry once. It is npm's graphql-ws.
func TestASubscriberThatIsCutOffMissesNothing(t *testing.T) {
	t.Parallel()
	const deliveries, cutAfter = 200, 7
	harness.OnEveryKind(t, func(t *testing.T, r *harness.Rig) {
		script, err := filepath.Abs(filepath.Join(harness.Root, "test", "clients", "watch.mjs"))
		if err != nil {
			t.Fatal(err)
		}
		l := harness.NewLedger()
		cursor := r.FirstCursor(t, l)
		subscriber := r.Begin(t, regexp.MustCompile("watching"), "node", script, r.Server.URL+"/graphql",
			r.Server.Operator, cursor, fmt.Sprint(deliveries), fmt.Sprint(cutAfter))
		if err := harness.Load(t.Context(), r.Server, l, 1, 1+deliveries); err != nil {
			t.Fatal(err)
		}
		if err := subscriber.Wait(); err != nil {
			t.Fatal(err)
		}
		seen, cursors := map[string]bool{}, map[string]bool{}
		text, _ := subscriber.Out.Read()
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			var entry cli.TailItem
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
		notes, _ := subscriber.Err.Read()
		if got := strings.Count(notes, "watching"); got < deliveries/cutAfter {
			t.Errorf("%d connections, want at least %d: it was not cut off", got, deliveries/cutAfter)
		}
		if err := r.Server.Stop(); err != nil {
			t.Error(err)
		}
	})
}
