package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A device whose name is a sequence for terminals changes neither the title of
// the window nor what is on it.
func TestWhatOthersNamedIsPrintedSafely(t *testing.T) {
	const hostile = "WS\x1b]0;owned\x07\x1b[2J\u009b2J\u202e\U000e0001"
	var item TailItem
	item.Type, item.At, item.State = "DeliveryLogEntry", time.Now(), "DELIVERED"
	item.Delivery.Event.WorkspaceName = hostile
	raw, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*tailCmd{"text": {}, "JSON": {JSON: true}} {
		var out strings.Builder
		if n := c.show(&out, item, raw); n != 1 {
			t.Errorf("%s: %d entries, want 1", name, n)
		}
		line, rest, _ := strings.Cut(out.String(), "\n")
		if rest != "" || strings.ContainsFunc(line, unprintable) || !strings.Contains(line, "WS") {
			t.Errorf("%s: printed %q", name, out.String())
		}
		if !c.JSON {
			continue
		}
		var again TailItem
		err := json.Unmarshal([]byte(line), &again)
		if err != nil || again.Delivery.Event.WorkspaceName != hostile {
			t.Errorf("the JSON no longer means the same: %s", line)
		}
	}
	if got := printable("Büro 東京"); got != "Büro 東京" {
		t.Errorf("a name became %q", got)
	}
}

// Operators watch many organizations, from machines in many time zones.
func TestALineSaysWhereAndWhen(t *testing.T) {
	var item TailItem
	item.At = time.Date(2026, 1, 14, 9, 31, 7, 123e6, time.UTC)
	item.Delivery.Event.Organization.Name = "Acme"
	at, err := time.Parse(tailTime, strings.Fields(item.line(true))[0])
	if err != nil || !at.Equal(item.At) {
		t.Errorf("the line begins with %s (%v), want the time with its zone", at, err)
	}
	if !strings.Contains(item.line(true), " Acme: ") || strings.Contains(item.line(false), "Acme") {
		t.Errorf("the line is %q, want the organization when several are watched", item.line(true))
	}
}
