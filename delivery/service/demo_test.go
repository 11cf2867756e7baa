package service

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"
)

func TestSeedFillsAnEmptyDatabaseOnce(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	for range 2 {
		if err := s.Seed(t.Context(), "https://receiver.example"); err != nil {
			t.Fatal(err)
		}
	}
	if len(store.OrgRows) != 3 || len(store.ItemRows) != 76 || len(store.WebhookRows) != 7 {
		t.Errorf(
			"%d organizations, %d items, %d webhooks", len(store.OrgRows), len(store.ItemRows), len(store.WebhookRows),
		)
	}
	results, err := s.Ingest(
		t.Context(), testPortal, deliverytest.ReadReports(t, "../../examples/restart.jsonl"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := results[0]; got.Status != delivery.Accepted || len(got.Events) != 4 || got.Deliveries != 4 {
		t.Errorf("the Restart example = %+v, want 4 events and 4 deliveries", got)
	}
	if _, err := s.Ingest(t.Context(), testPortal, deliverytest.ReadReports(t,
		"../../examples/every-type.jsonl")); err != nil {
		t.Fatal(err)
	}
	sent := make(map[delivery.EventType]int)
	for _, job := range store.Queued() {
		sent[job.Delivery.Type]++
	}
	if len(sent) != len(delivery.EventTypes()) {
		t.Errorf("the examples send %v, not every type", sent)
	}
}
