package storetest

import (
	"reflect"
	"slices"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

var settleTests = map[string]func(*scene){
	"a final state ends a delivery":                         testSettleFinal,
	"a retry is due again and counts its attempt":           testSettleRetry,
	"a settlement that is repeated holds but writes once":   testSettleRepeated,
	"a late settlement of an older attempt changes nothing": testFenceAttempt,
	"a late settlement of an older owner changes nothing":   testFenceOwner,
	"a late settlement of an older epoch changes nothing":   testFenceEpoch,
	"of a batch only those with a fence that holds count":   testSettleMixed,
	"of two steps of a delivery in a batch one counts":      testSettleTwoSteps,
	"a held delivery waits":                                 testSettleHeld,
	"a canceled delivery keeps its latest outcome":          testSettleCanceled,
	"a test is logged without a place in the queue":         testUnqueued,
	"everything about an attempt is kept":                   testAttemptRoundTrip,
	"an answer that no database takes is stored mended":     testMendedAnswer,
}

func (s *scene) job() delivery.Job {
	s.t.Helper()
	s.queued(1, s.webhook())
	jobs := s.claim(s.owner, 1, 1, longLease)
	if len(jobs) != 1 {
		s.t.Fatalf("claimed %d, want 1", len(jobs))
	}
	return jobs[0]
}

func testSettleFinal(s *scene) {
	for state, status := range map[delivery.State]int{delivery.Delivered: 204, delivery.Failed: 500} {
		set := s.settlement(s.job(), state, status)
		if held := s.settle(set); !held[0] {
			s.t.Errorf("%s: the fence did not hold", state)
		}
		if got, want := s.get(set.Entry.Delivery.ID), set.Entry.Delivery; !reflect.DeepEqual(got, want) {
			s.t.Errorf("%s: the delivery is\n%+v, want\n%+v", state, got, want)
		}
		if jobs := s.claim(s.owner, 1, 1, longLease); len(jobs) > 0 {
			s.t.Errorf("%s: claimed %v, want nothing", state, idsOf(jobs))
		}
	}
}

func testSettleRetry(s *scene) {
	set := s.settlement(s.job(), delivery.Retrying, 503)
	s.settle(set)
	got, want := s.get(set.Entry.Delivery.ID), set.Entry.Delivery
	if late := time.Since(got.NextAttemptAt); late < 0 || late > longLease {
		s.t.Errorf("a retry without a pause is due %s ago", late)
	}
	got.NextAttemptAt, want.NextAttemptAt = time.Time{}, time.Time{}
	if !reflect.DeepEqual(got, want) {
		s.t.Errorf("the delivery is\n%+v, want\n%+v", got, want)
	}
	jobs := s.claim(s.owner, 1, 1, longLease)
	if len(jobs) != 1 || jobs[0].Delivery.Attempts != 1 {
		s.t.Fatalf("claimed %+v, want the delivery with one attempt", jobs)
	}
	s.settle(s.settlement(jobs[0], delivery.Delivered, 200))
	if got := statesOf(s.entries(set.Entry.Delivery.ID)); got != "RETRYING DELIVERED" {
		s.t.Errorf("the log says %s", got)
	}
}

func testSettleRepeated(s *scene) {
	for _, state := range []delivery.State{delivery.Delivered, delivery.Retrying} {
		set := s.settlement(s.job(), state, 200)
		first, second := s.settle(set), s.settle(set)
		if !first[0] || !second[0] {
			s.t.Errorf("%s: the fence held %v, then %v, want both", state, first, second)
		}
		if n := len(s.entries(set.Entry.Delivery.ID)); n != 1 {
			s.t.Errorf("%s: %d entries, want 1", state, n)
		}
	}
}

// lose fails the test unless the fence stops set.
func (s *scene) lose(set delivery.Settlement) {
	s.t.Helper()
	id := set.Entry.Delivery.ID
	before, log := s.get(id), s.entries(id)
	if held := s.settle(set); held[0] {
		s.t.Error("the fence held")
	}
	if got := s.get(id); !reflect.DeepEqual(got, before) {
		s.t.Errorf("the delivery changed from %+v to %+v", before, got)
	}
	if got := s.entries(id); len(got) != len(log) {
		s.t.Errorf("the log has %d entries, want %d", len(got), len(log))
	}
}

func testFenceAttempt(s *scene) {
	job := s.job()
	s.settle(s.settlement(job, delivery.Retrying, 500))
	again := s.claim(s.owner, 1, 1, longLease) // the same owner
	if len(again) != 1 {
		s.t.Fatalf("claimed %d, want 1", len(again))
	}
	s.lose(s.settlement(job, delivery.Delivered, 200))
}

func testFenceOwner(s *scene) {
	s.queued(1, s.webhook())
	late := s.claim(s.owner, 1, 1, noLease)[0]
	second := s.join("second")
	job := s.claim(second, 1, 1, longLease)[0]
	s.lose(s.settlement(late, delivery.Delivered, 200))
	if held := s.settle(s.settlement(job, delivery.Delivered, 200)); !held[0] {
		s.t.Error("the owner's own settlement did not hold")
	}
	s.lose(s.settlement(late, delivery.Failed, 500))
}

func testFenceEpoch(s *scene) {
	s.queued(1, s.webhook())
	late := s.claim(s.owner, 1, 1, noLease)[0]
	next := delivery.Owner{Slot: s.owner.Slot, Epoch: s.owner.Epoch + 1}
	s.claim(next, 1, 1, longLease)
	s.lose(s.settlement(late, delivery.Retrying, 500))
}

func testSettleMixed(s *scene) {
	good, late, retry := s.job(), s.job(), s.job()
	s.settle(s.settlement(late, delivery.Retrying, 500))
	got := s.settle(
		s.settlement(good, delivery.Delivered, 200),
		s.settlement(late, delivery.Delivered, 200),
		s.settlement(retry, delivery.Retrying, 500),
	)
	if want := []bool{true, false, true}; !slices.Equal(got, want) {
		s.t.Errorf("the fences held %v, want %v", got, want)
	}
}

func testSettleTwoSteps(s *scene) {
	job, other := s.job(), s.job()
	next := s.settlement(job, delivery.Failed, 500)
	next.Before++ // as if the first had been settled and claimed again
	got := s.settle(
		s.settlement(job, delivery.Retrying, 500), next,
		s.settlement(other, delivery.Delivered, 200), s.settlement(other, delivery.Delivered, 200),
	)
	if !got[0] || got[1] || got[2] == got[3] {
		s.t.Errorf("the fences held %v, want one of each delivery", got)
	}
	for _, j := range []delivery.Job{job, other} {
		if n := len(s.entries(j.Delivery.ID)); n != 1 {
			s.t.Errorf("the log has %d entries, want 1", n)
		}
	}
}

func testSettleHeld(s *scene) {
	job := s.job()
	set := s.settlement(job, delivery.Held, 0)
	set.Entry.Attempt, set.Entry.Delivery.Attempts = nil, 0
	if held := s.settle(set); !held[0] {
		s.t.Error("the fence did not hold")
	}
	if got := s.get(job.Delivery.ID); got.State != delivery.Held || got.Attempts != 0 {
		s.t.Errorf("the delivery is %+v, want it held without an attempt", got)
	}
	if jobs := s.claim(s.owner, 1, 1, longLease); len(jobs) > 0 {
		s.t.Error("a held delivery was leased")
	}
	depth, err := s.store.Depth(s.t.Context())
	if want := (delivery.QueueDepth{Held: 1}); err != nil || depth != want {
		s.t.Errorf("Depth gave %+v, %v, want %+v", depth, err, want)
	}
	waiting, err := s.store.Pending(s.t.Context(), []delivery.WebhookID{job.Delivery.Webhook}, 10)
	if got := waiting[job.Delivery.Webhook]; got != (delivery.Backlog{Held: 1}) || err != nil {
		s.t.Errorf("Pending gave %+v, %v, want one held", got, err)
	}
	if e := s.entries(job.Delivery.ID); len(e) != 1 || e[0].Attempt != nil {
		s.t.Errorf("the log is %+v, want one entry without an attempt", e)
	}
}

func testSettleCanceled(s *scene) {
	job := s.job()
	s.settle(s.settlement(job, delivery.Retrying, 503))
	job = s.claim(s.owner, 1, 1, longLease)[0]
	set := s.settlement(job, delivery.Canceled, 0)
	set.Entry.Attempt, set.Entry.Delivery.Attempts = nil, 1
	s.settle(set)
	entries := s.entries(job.Delivery.ID)
	if got := statesOf(entries); got != "RETRYING CANCELED" || entries[1].Attempt != nil {
		s.t.Errorf("the log says %s: %+v", got, entries)
	}
	f := delivery.DeliveryFilter{StatusFrom: 503, StatusTo: 503, Outcomes: []delivery.Outcome{egress.HTTPError}}
	if got := s.list(f); len(got) != 1 {
		s.t.Errorf("%d deliveries had status 503 last, want the canceled one", len(got))
	}
}

func testUnqueued(s *scene) {
	event := s.event("test").Event
	event.Test = true
	d := s.delivery(event, s.webhook())
	d.Trigger = delivery.ByTest
	set := s.settlement(delivery.Job{Delivery: d, Owner: s.owner}, delivery.Delivered, 200)
	set.Unqueued, set.Event = true, &event
	for range 2 { // the second call changes nothing
		if held := s.settle(set); !held[0] {
			s.t.Error("a test was not logged")
		}
	}
	if got := s.get(d.ID); !reflect.DeepEqual(got, set.Entry.Delivery) {
		s.t.Errorf("the delivery is %+v, want %+v", got, set.Entry.Delivery)
	}
	found, err := s.store.EventsByID(s.t.Context(), s.org.ID, []delivery.EventID{event.ID})
	if err != nil || len(found) != 1 || !reflect.DeepEqual(found[0], event) {
		s.t.Errorf("EventsByID gave %+v, %v, want %+v", found, err, event)
	}
	if n := len(s.entries(d.ID)); n != 1 {
		s.t.Errorf("%d entries, want 1", n)
	}
}

func testAttemptRoundTrip(s *scene) {
	full := s.settlement(s.job(), delivery.Failed, 500)
	full.Entry.Attempt.Timing = delivery.Timing{
		DNS: 1 * time.Microsecond, Connect: 2 * time.Microsecond, TLS: 3 * time.Microsecond,
		FirstByte: 4 * time.Microsecond, Body: 5 * time.Microsecond,
	}
	full.Entry.Attempt.ResponseTruncated, full.Entry.Attempt.ResponseBytes = true, 1<<40
	bare := s.settlement(s.job(), delivery.Retrying, 0)
	bare.Entry.Attempt = &delivery.Attempt{
		Number: 1, StartedAt: full.Entry.At, Outcome: egress.DNSError, Error: "No address.",
		Timing: delivery.Timing{DNS: 0, Connect: -1, TLS: -1, FirstByte: -1, Body: -1},
	}
	redelivered := s.job()
	redelivered.Delivery.Trigger = delivery.ByRedelivery
	redelivered.Delivery.RedeliveryOf = full.Entry.Delivery.ID
	again := s.settlement(redelivered, delivery.Delivered, 200)
	for name, set := range map[string]delivery.Settlement{"full": full, "bare": bare, "redelivery": again} {
		s.settle(set)
		entries := s.entries(set.Entry.Delivery.ID)
		if len(entries) == 1 { // it depends on the database's clock
			set.Entry.Delivery.NextAttemptAt = entries[0].Delivery.NextAttemptAt
		}
		if len(entries) != 1 || !reflect.DeepEqual(entries[0], set.Entry) {
			s.t.Errorf("%s: the log has\n%+v, want\n%+v", name, entries, set.Entry)
			continue
		}
		if !reflect.DeepEqual(entries[0].Attempt, set.Entry.Attempt) {
			s.t.Errorf("%s: the attempt is\n%+v, want\n%+v", name, entries[0].Attempt, set.Entry.Attempt)
		}
		byID, err := s.store.EntriesByID(s.t.Context(), s.org.ID, []delivery.LogID{set.Entry.ID, 3})
		if err != nil || !reflect.DeepEqual(byID, entries) {
			s.t.Errorf("%s: EntriesByID gave %+v, %v", name, byID, err)
		}
	}
}

func testMendedAnswer(s *scene) {
	set := s.settlement(s.job(), delivery.Delivered, 200)
	set.Entry.Attempt.ResponseBody = "zero \x00"
	set.Entry.Attempt.ResponseHeaders = []delivery.Header{{Name: "X", Value: "zero \x00 bad \xff"}}
	other := s.settlement(s.job(), delivery.Delivered, 200)
	s.settle(set, other)
	got := s.entries(set.Entry.Delivery.ID)
	if len(got) != 1 || got[0].Attempt.ResponseBody != "zero \uFFFD" ||
		len(got[0].Attempt.ResponseHeaders) != 1 {
		s.t.Errorf("the log has %+v", got)
	}
}
