package storetest

import (
	"fmt"
	"time"

	"portalhooks/delivery"
)

var discardTests = map[string]func(*scene){
	"what is old is discarded, portion by portion": testDiscard,
	"what is pending stays":                        testDiscardPending,
	"what is young stays":                          testDiscardYoung,
	"a discarded key may be reported again":        testDiscardKeys,
	"the audit log is discarded when it is old":    testDiscardAudit,
}

// old dates what the scene makes from now on ten days back.
func (s *scene) old() {
	s.t.Helper()
	at := time.Now().AddDate(0, 0, -10)
	s.past(at)
}

// past dates what the scene makes from now on as if the time were at.
func (s *scene) past(at time.Time) { s.shift = time.Since(at) }

func (s *scene) discard(before time.Time) {
	s.t.Helper()
	for more, rounds := true, 0; more; rounds++ {
		var err error
		if more, err = s.store.Discard(s.t.Context(), before); err != nil {
			s.t.Fatalf("Discard: %v", err)
		}
		if rounds > 1000 {
			s.t.Fatal("Discard never comes to an end")
		}
	}
}

func (s *scene) has(id delivery.EventID) bool {
	s.t.Helper()
	found, err := s.store.EventsByID(s.t.Context(), s.org.ID, []delivery.EventID{id})
	if err != nil {
		s.t.Fatalf("EventsByID: %v", err)
	}
	return len(found) > 0
}

func testDiscard(s *scene) {
	s.old()
	events := make([]delivery.NewEvent, 2500) // more than one portion
	for i := range events {
		events[i] = s.event(fmt.Sprint(i))
	}
	s.ingest(events...)
	e := s.event("with a delivery", s.webhook())
	s.ingest(e)
	s.finish()
	s.discard(time.Now().AddDate(0, 0, -5))
	for _, e := range []delivery.NewEvent{events[0], events[2499], e} {
		if s.has(e.Event.ID) {
			s.t.Errorf("the event %s is there still", e.Key)
		}
	}
	if n := len(s.entries(e.Deliveries[0].ID)); n != 0 {
		s.t.Errorf("the log has %d entries, want none", n)
	}
	at, err := s.store.Horizon(s.t.Context())
	if err != nil || at.IsZero() || at.After(time.Now().AddDate(0, 0, -5)) {
		s.t.Errorf("Horizon gave %s, %v, want a time before what is kept", at, err)
	}
}

func testDiscardPending(s *scene) {
	s.old()
	gone, pending, held := s.event("gone"), s.event("pending", s.webhook()), s.event("held", s.webhook())
	held.Deliveries[0].State = delivery.Held
	s.ingest(gone, pending, held)
	s.discard(time.Now().AddDate(0, 0, -5))
	if s.has(gone.Event.ID) || !s.has(pending.Event.ID) || !s.has(held.Event.ID) {
		s.t.Error("want the event without deliveries gone and the others kept")
	}
	if got := s.ingest(pending)[0]; got.ID != pending.Event.ID {
		s.t.Errorf("the key of a pending event was discarded: %+v", got)
	}
	if jobs := s.claim(s.owner, 10, 10, longLease); len(jobs) != 1 || jobs[0].Event.ID != pending.Event.ID {
		s.t.Errorf("claimed %+v, want the pending delivery with its event", jobs)
	}
}

func testDiscardYoung(s *scene) {
	e := s.event("a", s.webhook())
	s.ingest(e)
	s.finish()
	s.discard(time.Now().AddDate(0, 0, -1))
	if !s.has(e.Event.ID) || len(s.entries(e.Deliveries[0].ID)) != 1 {
		s.t.Error("a young event or its log was discarded")
	}
	if at, err := s.store.Horizon(s.t.Context()); err != nil || !at.IsZero() {
		s.t.Errorf("Horizon gave %v, %v, want zero", at, err)
	}
	if got := s.ingest(e)[0]; got.ID != e.Event.ID {
		s.t.Error("a young key was discarded")
	}
}

func testDiscardKeys(s *scene) {
	s.old()
	old := s.event("a")
	s.ingest(old)
	s.discard(time.Now().AddDate(0, 0, -5))
	s.past(time.Now())
	if got := s.ingest(s.event("a"))[0]; !got.Fresh {
		s.t.Errorf("the key of a discarded event still counts: %+v", got)
	}
}
