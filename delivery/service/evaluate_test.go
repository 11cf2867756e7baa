package service

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"
)

func TestEvaluateExplainsEveryWebhook(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	fired, other, off := listen(
		t, s, delivery.ActiveAlert, delivery.Enabled,
	), listen(
		t,
		s,
		delivery.ObjectCreated,
		delivery.Enabled,
	),
		listen(
			t, s, delivery.OperationExecuted, delivery.Disabled,
		)
	id := take(t, s, deliverytest.AlertReport("s")).Events[0]
	viewer := delivery.Caller{
		Name:   "v",
		Grants: map[delivery.OrgID]delivery.Role{fired.Org: delivery.ViewerRole},
	}
	events, err := s.EventsByID(t.Context(), viewer, []delivery.EventID{id, 1})
	if err != nil || events[1] != nil {
		t.Fatalf("events = %v, err = %v", events, err)
	}
	explained, err := s.Evaluate(t.Context(), viewer, events[:1])
	if err != nil {
		t.Fatal(err)
	}
	got := explained[0]
	want := map[delivery.WebhookID]delivery.MatchReason{
		fired.ID: delivery.Matched,
		other.ID: delivery.OtherEventType,
		off.ID:   delivery.OtherEventType,
	}
	if len(got) != len(want) || got[0].Webhook != fired.ID {
		t.Fatalf("evaluations = %+v", got)
	}
	for _, e := range got {
		if e.Reason != want[e.Webhook] {
			t.Errorf("%s: %s, want %s", e.Webhook, e.Reason, want[e.Webhook])
		}
	}
	if _, err := s.Evaluate(t.Context(), delivery.Caller{Name: "without a role"}, events[:1]); delivery.CodeOf(
		err,
	) != delivery.NotFound {
		t.Errorf("a caller without a role gets %v", err)
	}
}
