package delivery

import "testing"

func TestEvaluateExplainsEveryWebhook(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	fired, other, off := listen(t, s, ActiveAlert, Enabled), listen(t, s, ObjectCreated, Enabled),
		listen(t, s, OperationExecuted, Disabled)
	id := take(t, s, AlertReport("s")).Events[0]
	viewer := Caller{Name: "v", Grants: map[OrgID]Role{fired.Org: ViewerRole}}
	events, err := s.EventsByID(t.Context(), viewer, []EventID{id, 1})
	if err != nil || events[1] != nil {
		t.Fatalf("events = %v, err = %v", events, err)
	}
	got, err := s.Evaluate(t.Context(), viewer, events[0])
	if err != nil {
		t.Fatal(err)
	}
	want := map[WebhookID]MatchReason{fired.ID: Matched, other.ID: OtherEventType, off.ID: OtherEventType}
	if len(got) != len(want) || got[0].Webhook.ID != fired.ID {
		t.Fatalf("evaluations = %+v", got)
	}
	for _, e := range got {
		if e.Reason != want[e.Webhook.ID] {
			t.Errorf("%s: %s, want %s", e.Webhook.Name, e.Reason, want[e.Webhook.ID])
		}
	}
	if _, err := s.Evaluate(t.Context(), Caller{Name: "stranger"}, events[0]); CodeOf(err) != NotFound {
		t.Errorf("a stranger gets %v", err)
	}
}
