package storetest

import (
	"slices"

	"portalhooks/delivery"
)

var releaseTests = map[string]func(*scene){
	"released deliveries are due at once":                 testRelease,
	"a server releases what its earlier runs held":        testReleaseAll,
	"only the owner releases":                             testReleaseOthers,
	"a redelivery is due at once":                         testRequeue,
	"what is queued again is recorded":                    testRequeueRecords,
	"a redelivery of an event that is gone is not found":  testRequeueGone,
	"a redelivery to a holding webhook is held":           testRequeueHeld,
	"the depth tells pending, leased and held rows apart": testDepth,
}

func testRelease(s *scene) {
	s.queued(3, s.webhook())
	jobs := s.claim(s.owner, 3, 3, longLease)
	ids := idsOf(jobs)[:2]
	if n, err := s.store.Release(s.t.Context(), s.owner, ids, 0); n != 2 || err != nil {
		s.t.Errorf("Release gave %d, %v, want 2", n, err)
	}
	if got := idsOf(s.claim(s.join("second"), 3, 3, longLease)); !slices.Equal(got, ids) {
		s.t.Errorf("claimed %v, want the released %v", got, ids)
	}
	if n, err := s.store.Release(s.t.Context(), s.owner, []delivery.DeliveryID{}, 0); n != 0 || err != nil {
		s.t.Errorf("Release of none gave %d, %v", n, err)
	}
}

func testReleaseAll(s *scene) {
	s.queued(2, s.webhook())
	s.claim(s.owner, 2, 2, longLease)
	next := delivery.Owner{Slot: s.owner.Slot, Epoch: s.owner.Epoch + 1}
	older := delivery.Owner{Slot: s.owner.Slot, Epoch: s.owner.Epoch - 1}
	if n, err := s.store.Release(s.t.Context(), older, nil, 0); n != 0 || err != nil {
		s.t.Errorf("an older run released %d, %v, want 0", n, err)
	}
	if n, err := s.store.Release(s.t.Context(), next, nil, 0); n != 2 || err != nil {
		s.t.Errorf("Release gave %d, %v, want 2", n, err)
	}
	if got := s.claim(next, 2, 2, longLease); len(got) != 2 {
		s.t.Errorf("claimed %d, want 2", len(got))
	}
}

func testReleaseOthers(s *scene) {
	s.queued(2, s.webhook())
	jobs := s.claim(s.owner, 2, 2, longLease)
	if n, err := s.store.Release(s.t.Context(), s.join("second"), idsOf(jobs), 0); n != 0 || err != nil {
		s.t.Errorf("another server released %d, %v, want 0", n, err)
	}
}

// later stores a delivery to w whose retry is due in an hour.
func (s *scene) later(w delivery.WebhookID) delivery.DeliveryID {
	s.t.Helper()
	s.queued(1, w)
	set := s.settlement(s.claim(s.owner, 1, 1, longLease)[0], delivery.Retrying, 500)
	set.Pause = longLease
	s.settle(set)
	return set.Entry.Delivery.ID
}

func testRequeue(s *scene) {
	e := s.event("a", s.webhook())
	s.ingest(e)
	s.finish()
	d := s.delivery(e.Event, e.Deliveries[0].Webhook)
	d.Trigger, d.RedeliveryOf = delivery.ByRedelivery, e.Deliveries[0].ID
	for range 2 { // the second call changes nothing
		if err := s.store.Requeue(s.t.Context(), []delivery.Delivery{d}, nil); err != nil {
			s.t.Fatalf("Requeue: %v", err)
		}
	}
	jobs := s.claim(s.owner, 10, 10, longLease)
	if len(jobs) != 1 || jobs[0].Delivery.RedeliveryOf != d.RedeliveryOf || jobs[0].Event.ID != e.Event.ID {
		s.t.Errorf("claimed %+v, want the redelivery", jobs)
	}
}

func testRequeueGone(s *scene) {
	kept, gone := s.event("a"), s.event("never stored")
	s.ingest(kept)
	err := s.store.Requeue(s.t.Context(), []delivery.Delivery{
		s.delivery(kept.Event, s.webhook()), s.delivery(gone.Event, s.webhook()),
	}, nil)
	if delivery.CodeOf(err) != delivery.NotFound {
		s.t.Errorf("Requeue gave %v, want NOT_FOUND", err)
	}
	if jobs := s.claim(s.owner, 10, 10, longLease); len(jobs) > 0 {
		s.t.Errorf("claimed %v, want nothing", idsOf(jobs))
	}
}

func testRequeueHeld(s *scene) {
	e := s.event("a")
	s.ingest(e)
	d := s.delivery(e.Event, s.webhook())
	d.State = delivery.Held
	if err := s.store.Requeue(s.t.Context(), []delivery.Delivery{d}, nil); err != nil {
		s.t.Fatal(err)
	}
	if got := s.get(d.ID); got.State != delivery.Held {
		s.t.Errorf("the redelivery is %s, want HELD", got.State)
	}
}

func testDepth(s *scene) {
	depth, err := s.store.Depth(s.t.Context())
	if err != nil || depth != (delivery.QueueDepth{}) {
		s.t.Errorf("Depth of an empty queue gave %+v, %v", depth, err)
	}
	w := s.webhook()
	s.queued(5, w)
	jobs := s.claim(s.owner, 3, 3, longLease)
	hold := s.settlement(jobs[0], delivery.Held, 0)
	hold.Entry.Attempt = nil
	s.settle(hold)
	depth, err = s.store.Depth(s.t.Context())
	if err != nil || depth.Pending != 2 || depth.Leased != 2 || depth.Held != 1 {
		s.t.Errorf("Depth gave %+v, %v, want 2 pending, 2 leased, 1 held", depth, err)
	}
	if depth.OldestDue.IsZero() {
		s.t.Error("Depth knows of nothing due, want the pending ones")
	}
}
