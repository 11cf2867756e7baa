package delivery

import (
	"testing"
	"time"
)

// Subscribers with the same key get the same entries, so the key must have
// everything that the filter looks at.
func TestFiltersWithOneKeyWantTheSameEntries(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	some := DeliveryFilter{
		Webhooks: []WebhookID{2, 1}, States: []State{Failed, Retrying}, StatusFrom: 400, Before: at, Text: "disk",
	}
	key := NewEntryFilter(1, some).Key()
	for name, tt := range map[string]struct {
		org    OrgID
		change func(f *DeliveryFilter)
		same   bool
	}{
		"another order": {1, func(f *DeliveryFilter) {
			f.Webhooks, f.States = []WebhookID{1, 2, 1}, []State{Retrying, Failed}
		}, true},
		"another zone":         {1, func(f *DeliveryFilter) { f.Before = at.In(time.FixedZone("", 3600)) }, true},
		"what the event tells": {1, func(f *DeliveryFilter) { f.Text, f.Group, f.WorkspaceID = "", "g", "w" }, true},
		"another organization": {2, func(*DeliveryFilter) {}, false},
		"every organization":   {0, func(*DeliveryFilter) {}, false},
		"webhooks":             {1, func(f *DeliveryFilter) { f.Webhooks = []WebhookID{1} }, false},
		"types":                {1, func(f *DeliveryFilter) { f.Types = []EventType{ActiveAlert} }, false},
		"states":               {1, func(f *DeliveryFilter) { f.States = []State{"FAILED RETRYING"} }, false},
		"outcomes":             {1, func(f *DeliveryFilter) { f.Outcomes = []Outcome{"TIMEOUT"} }, false},
		"status from":          {1, func(f *DeliveryFilter) { f.StatusFrom = 0 }, false},
		"status to":            {1, func(f *DeliveryFilter) { f.StatusTo = 400 }, false},
		"triggers":             {1, func(f *DeliveryFilter) { f.Triggers = []Trigger{ByEvent} }, false},
		"event":                {1, func(f *DeliveryFilter) { f.Event = 1 }, false},
		"item":                 {1, func(f *DeliveryFilter) { f.Item = 1 }, false},
		"after":                {1, func(f *DeliveryFilter) { f.After = at }, false},
		"before":               {1, func(f *DeliveryFilter) { f.Before = at.Add(1) }, false},
	} {
		f := some
		tt.change(&f)
		if got := NewEntryFilter(tt.org, f).Key() == key; got != tt.same {
			t.Errorf("%s: same key = %v, want %v", name, got, tt.same)
		}
	}
}
