package delivery

import (
	"testing"
)

func TestSeedFillsAnEmptyDatabaseOnce(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	for range 2 {
		if err := s.Seed(t.Context(), "https://receiver.example"); err != nil {
			t.Fatal(err)
		}
	}
	if len(store.orgs) != 3 || len(store.items) != 76 || len(store.webhooks) != 7 {
		t.Errorf("%d organizations, %d items, %d webhooks", len(store.orgs), len(store.items), len(store.webhooks))
	}
	results, err := s.Ingest(t.Context(), testPortal, ReadReports(t, "../examples/restart.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := results[0]; got.Status != Accepted || len(got.Events) != 4 || got.Deliveries != 4 {
		t.Errorf("the Restart example = %+v, want 4 events and 4 deliveries", got)
	}
	if _, err := s.Ingest(t.Context(), testPortal, ReadReports(t, "../examples/every-type.jsonl")); err != nil {
		t.Fatal(err)
	}
	sent := make(map[EventType]int)
	for _, row := range store.queue {
		sent[row.delivery.Type]++
	}
	if len(sent) != len(EventTypes()) {
		t.Errorf("the examples send %v, not every type", sent)
	}
}
