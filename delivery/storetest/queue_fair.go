package storetest

import (
	"slices"
	"time"

	"portalhooks/delivery"
)

var fairTests = map[string]func(*scene){
	"released with a pause, a delivery is due after it": testReleasePause,
	"a claim spares the webhooks that take nothing now": testClaimLimits,
	"alerts are claimed before what was due earlier":    testAlertsFirst,
	"a claim for alerts brings nothing else":            testClaimUrgent,
	"many alerts leave a part of a claim to others":     testAlertsLeaveRoom,
	"ordered deliveries are leased to one at a time":    testOrderedLeased,
	"an ordered delivery that retries holds up others":  testOrderedBlocked,
	"a webhook's order can be given and taken away":     testOrderChanges,
}

func (s *scene) request(r delivery.ClaimRequest) []delivery.DeliveryID {
	s.t.Helper()
	if r.Owner == (delivery.Owner{}) {
		r.Owner = s.owner
	}
	r.Lease = longLease
	jobs, err := s.store.Claim(s.t.Context(), r)
	if err != nil {
		s.t.Fatalf("Claim: %v", err)
	}
	return idsOf(jobs)
}

// alerts stores n alerts with a delivery to w each, and returns the deliveries.
func (s *scene) alerts(n int, w delivery.WebhookID) []delivery.DeliveryID {
	s.t.Helper()
	var ids []delivery.DeliveryID
	var events []delivery.NewEvent
	for range n {
		e := s.event("alert "+delivery.EventID(s.ids.Next()).String(), w)
		e.Event.Type, e.Deliveries[0].Type = delivery.ActiveAlert, delivery.ActiveAlert
		events, ids = append(events, e), append(ids, e.Deliveries[0].ID)
	}
	s.ingest(events...)
	return ids
}

func testReleasePause(s *scene) {
	s.queued(2, s.webhook())
	ids := s.request(delivery.ClaimRequest{N: 2, PerWebhook: 2})
	if n, err := s.store.Release(s.t.Context(), s.owner, ids[:1], time.Hour); n != 1 || err != nil {
		s.t.Fatalf("Release gave %d, %v, want 1", n, err)
	}
	if n, err := s.store.Release(s.t.Context(), s.owner, ids[1:], 0); n != 1 || err != nil {
		s.t.Fatalf("Release gave %d, %v, want 1", n, err)
	}
	if got := s.request(delivery.ClaimRequest{N: 9, PerWebhook: 9}); !slices.Equal(got, ids[1:]) {
		s.t.Errorf("claimed %v, want only %v, which was released without a pause", got, ids[1:])
	}
	d := s.get(ids[0])
	if wait := time.Until(d.NextAttemptAt); d.State != delivery.Queued || d.Attempts != 0 ||
		wait < 50*time.Minute || wait > 70*time.Minute {
		s.t.Errorf("the delivery is %+v, want it queued for its first attempt in an hour", d)
	}
}

func testClaimLimits(s *scene) {
	closed, few, free := s.webhook(), s.webhook(), s.webhook()
	s.queued(5, closed)
	s.queued(5, few)
	s.queued(5, free)
	jobs, err := s.store.Claim(s.t.Context(), delivery.ClaimRequest{
		Owner: s.owner, N: 100, PerWebhook: 4, Lease: longLease,
		Limits: map[delivery.WebhookID]int{closed: 0, few: 2},
	})
	count := map[delivery.WebhookID]int{}
	for _, j := range jobs {
		count[j.Delivery.Webhook]++
	}
	if err != nil || count[closed] != 0 || count[few] != 2 || count[free] != 4 {
		s.t.Errorf("claimed %v, %v, want none, 2 and 4", count, err)
	}
}

func testAlertsFirst(s *scene) {
	for range 3 {
		s.queued(200, s.webhook())
	}
	want := s.alerts(2, s.webhook())
	got := s.request(delivery.ClaimRequest{N: 8, PerWebhook: 8})
	if len(got) != 8 || !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) {
		s.t.Errorf("claimed %v, want the alerts %v among 8", got, want)
	}
}

func testClaimUrgent(s *scene) {
	s.queued(20, s.webhook())
	want := s.alerts(2, s.webhook())
	if got := s.request(delivery.ClaimRequest{N: 8, PerWebhook: 8, Urgent: true}); !slices.Equal(got, want) {
		s.t.Errorf("claimed %v, want the alerts %v", got, want)
	}
}

func testAlertsLeaveRoom(s *scene) {
	s.alerts(300, s.webhook())
	want := numbersOf(s.queued(1, s.webhook()))
	got := s.request(delivery.ClaimRequest{N: 16, PerWebhook: 16})
	if len(got) != 15 || !slices.Contains(got, want[0]) {
		s.t.Errorf("claimed %d with %v, want 14 alerts and the other", len(got), got)
	}
}

// orderedWebhook stores a webhook whose deliveries are ordered, with n deliveries.
func (s *scene) orderedWebhook(n int) (delivery.Webhook, []delivery.DeliveryID) {
	s.t.Helper()
	w := s.stored(true)
	return w, s.inLine(n, w)
}

// inLine stores n ordered deliveries to w.
func (s *scene) inLine(n int, w delivery.Webhook) []delivery.DeliveryID {
	s.t.Helper()
	var events []delivery.NewEvent
	var ids []delivery.DeliveryID
	for range n {
		e := s.event("in order "+delivery.EventID(s.ids.Next()).String(), w.ID)
		e.Deliveries[0].Version, e.Deliveries[0].Ordered = w.Version.ID, true
		events, ids = append(events, e), append(ids, e.Deliveries[0].ID)
	}
	s.ingest(events...)
	return ids
}

func testOrderedLeased(s *scene) {
	_, ids := s.orderedWebhook(5)
	second := s.join("second")
	some := delivery.ClaimRequest{N: 9, PerWebhook: 2}
	if got := s.request(some); !slices.Equal(got, ids[:2]) {
		s.t.Fatalf("claimed %v, want the oldest two %v", got, ids[:2])
	}
	some.Owner = second
	if got := s.request(some); len(got) > 0 {
		s.t.Errorf("claimed %v while older ones are leased", got)
	}
	if _, err := s.store.Release(s.t.Context(), s.owner, ids[:1], 0); err != nil {
		s.t.Fatal(err)
	}
	if got := s.request(some); len(got) > 0 {
		s.t.Errorf("claimed %v while another server has a later one", got)
	}
	if _, err := s.store.Release(s.t.Context(), s.owner, ids[1:2], 0); err != nil {
		s.t.Fatal(err)
	}
	if got := s.request(some); !slices.Equal(got, ids[:2]) {
		s.t.Errorf("claimed %v, want %v again", got, ids[:2])
	}
}

func testOrderedBlocked(s *scene) {
	w, ids := s.orderedWebhook(3)
	jobs := s.claim(s.owner, 1, 1, longLease)
	if len(jobs) != 1 || !jobs[0].Delivery.Ordered {
		s.t.Fatalf("claimed %+v, want the oldest, ordered", jobs)
	}
	set := s.settlement(jobs[0], delivery.Retrying, 500)
	set.Pause = longLease
	s.settle(set)
	if got := s.request(delivery.ClaimRequest{N: 9, PerWebhook: 9}); len(got) > 0 {
		s.t.Errorf("claimed %v past one that is to be retried", got)
	}
	s.hold(&w) // which makes it due
	s.enable(&w)
	if got := s.request(delivery.ClaimRequest{N: 9, PerWebhook: 9}); !slices.Equal(got, ids) {
		s.t.Errorf("claimed %v, want all of %v in one piece", got, ids)
	}
}

func testOrderChanges(s *scene) {
	w, ids := s.orderedWebhook(3)
	for number, ordered := range []bool{false, true} {
		w.Version.ID, w.Version.Number = delivery.VersionID(s.ids.Next()), number+2
		w.Version.Policy.Ordered = ordered
		if err := s.store.UpdateWebhook(s.t.Context(), w, number+1, newEntry(s.ids, s.org.ID)); err != nil {
			s.t.Fatalf("UpdateWebhook: %v", err)
		}
		s.recall(w.ID)
		first := s.request(delivery.ClaimRequest{N: 1, PerWebhook: 1})
		second := s.request(delivery.ClaimRequest{N: 1, PerWebhook: 1})
		if len(first) != 1 || (len(second) == 0) != ordered {
			s.t.Errorf("ordered %v: claimed %v, then %v", ordered, first, second)
		}
		if _, err := s.store.Release(s.t.Context(), s.owner, ids, 0); err != nil {
			s.t.Fatal(err)
		}
	}
}
