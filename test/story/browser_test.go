package story

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"portalhooks/test/harness"
)

// browserNames are what the program of the browser is called, in the order in
// which scripts/setup looks for it too.
var browserNames = []string{"chromium", "chromium-browser", "google-chrome"}

func browserPath(t *testing.T) string {
	t.Helper()
	for _, name := range browserNames {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("no browser is installed (%q): run `make setup`", browserNames)
	return ""
}

// A page of the server follows the delivery log with the browser's own EventSource.
// When its connection is cut the browser resumes by itself, and the page sees every
// entry once. A refusal is sent as an event, and the stream is completed.
func TestABrowsersEventSourceMissesNothing(t *testing.T) {
	t.Parallel()
	const deliveries = 20
	harness.OnEveryKind(t, func(t *testing.T, r *harness.Rig) {
		script, err := filepath.Abs(filepath.Join(harness.Root, "test", "clients", "browser.mjs"))
		if err != nil {
			t.Fatal(err)
		}
		l := harness.NewLedger()
		cursor := r.FirstCursor(t, l)
		signIn, err := r.Server.WaitFor(&r.Server.Out, regexp.MustCompile(`Sign in once:\s+(\S+)`))
		if err != nil {
			t.Fatal(err)
		}
		proxy, through := harness.NewNetwork(t, signIn[1])
		report := func(first, last int) {
			t.Helper()
			if err := harness.Load(t.Context(), r.Server, l, first, last); err != nil {
				t.Fatal(err)
			}
		}
		report(1, 1+deliveries/2)
		page := r.Begin(t, regexp.MustCompile("half"), "node", script, browserPath(t), through, cursor,
			fmt.Sprint(deliveries))
		proxy.Stop()
		report(1+deliveries/2, 1+deliveries)
		if err := proxy.Start(); err != nil {
			t.Fatal(err)
		}
		if err := page.Wait(); err != nil {
			t.Fatal(err)
		}
		checkSeenByPage(t, page, deliveries)
		r.Stop(t)
	})
}

func checkSeenByPage(t *testing.T, page *harness.Process, deliveries int) {
	t.Helper()
	var got struct {
		Entries []struct {
			ID, Cursor, State string
			Delivery          struct{ ID string }
		}
		Opened  int
		Refusal []string
	}
	text, _ := page.Out.Read()
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	seen := map[string]bool{}
	for _, e := range got.Entries {
		if seen[e.Delivery.ID] || e.State != "DELIVERED" || e.ID != e.Cursor {
			t.Errorf("got %+v, want each delivery once, delivered, with its cursor as the event's id", e)
		}
		seen[e.Delivery.ID] = true
	}
	if len(seen) != deliveries || got.Opened < 2 {
		t.Errorf("%d deliveries on %d connections, want %d on at least 2", len(seen), got.Opened, deliveries)
	}
	if want := []string{"next", "complete"}; !slices.Equal(got.Refusal, want) {
		t.Errorf("of a refused subscription the page saw %q, want %q", got.Refusal, want)
	}
}
