package storetest

import (
	"slices"
	"time"

	"portalhooks/delivery"
)

var recallTests = map[string]func(*scene){
	"what was held is due when its webhook is enabled":       testRecallEnabled,
	"what is held of a disabled webhook is canceled":         testRecallDisabled,
	"what is held of a deleted webhook is canceled":          testRecallDeleted,
	"a webhook that holds does not wait for retries":         testRecallHolding,
	"what is dropped is canceled and never sent":             testRecallDropped,
	"what is held after a drop is not dropped":               testRecallHeldAgain,
	"a redelivery after a drop is not dropped":               testRecallRedelivery,
	"a claim knows the webhook before it is recalled":        testClaimBeforeRecall,
	"a recall leaves what is being sent alone":               testRecallLeased,
	"a canceled delivery that retries does not wait":         testRecallWhileSent,
	"what a webhook does not hold can't be held":             testRefuseHold,
	"what was dropped can't be held":                         testRefuseHoldDropped,
	"a released line starts at its head":                     testRecallLine,
	"a line is held behind its head and keeps its order":     testHoldLine,
	"none is claimed of a webhook that is put in order":      testIntoOrder,
	"a canceled delivery does not stand in line":             testCancelInLine,
	"rows that are ordered do not hide others":               testBothKinds,
	"webhooks that are to be recalled are found":             testUnrecalled,
	"deliveries that contradict their webhook are found":     testContradicted,
	"a recall begins again after another change":             testRecallAgain,
	"a recall of a webhook that is not stored finds nothing": testRecallNothing,
}

// dispositions returns what claims say about all that is due, by delivery.
func (s *scene) dispositions() map[delivery.DeliveryID]delivery.Disposition {
	s.t.Helper()
	all := map[delivery.DeliveryID]delivery.Disposition{}
	for _, j := range s.claim(s.owner, 100, 100, longLease) {
		switch {
		case j.Cancel:
			all[j.Delivery.ID] = delivery.ToCancel
		case j.Hold:
			all[j.Delivery.ID] = delivery.ToHold
		default:
			all[j.Delivery.ID] = delivery.ToSend
		}
	}
	return all
}

// wantAll fails unless a claim finds exactly ids, all with one disposition.
func (s *scene) wantAll(ids []delivery.DeliveryID, want delivery.Disposition) {
	s.t.Helper()
	got := s.dispositions()
	for _, id := range ids {
		if d, ok := got[id]; !ok || d != want {
			s.t.Errorf("%s: due is %v with %d, want %d", id, ok, d, want)
		}
	}
	if len(got) != len(ids) {
		s.t.Errorf("claimed %d, want %d", len(got), len(ids))
	}
}

func testRecallEnabled(s *scene) {
	w := s.stored(false)
	s.hold(&w)
	ids := s.held(5, w)
	s.decide(&w, enabled)
	s.wantAll(nil, delivery.ToSend)
	if n := s.recall(w.ID); n != 5 {
		s.t.Errorf("recalled %d, want 5", n)
	}
	s.wantAll(ids, delivery.ToSend)
	if n := s.recall(w.ID); n != 0 {
		s.t.Errorf("recalled %d again, want none", n)
	}
}

func testRecallDisabled(s *scene) {
	w := s.stored(false)
	s.hold(&w)
	ids := s.held(5, w)
	s.decide(&w, disabled)
	s.recall(w.ID)
	s.wantAll(ids, delivery.ToCancel)
}

func testRecallDeleted(s *scene) {
	w := s.stored(false)
	ids := []delivery.DeliveryID{s.later(w.ID)}
	s.hold(&w)
	ids = append(ids, s.held(5, w)...)
	s.remove(&w)
	s.recall(w.ID)
	s.wantAll(ids, delivery.ToCancel)
}

func testRecallHolding(s *scene) {
	w, other := s.stored(false), s.stored(false)
	id := s.later(w.ID)
	s.later(other.ID)
	s.hold(&w)
	s.recall(other.ID)
	s.wantAll([]delivery.DeliveryID{id}, delivery.ToHold)
}

func testRecallDropped(s *scene) {
	w := s.stored(false)
	ids := []delivery.DeliveryID{s.later(w.ID)}
	s.hold(&w)
	ids = append(ids, s.held(5, w)...)
	s.decide(&w, dropped)
	e := s.event("after the drop", w.ID)
	e.Deliveries[0].Version = w.Version.ID
	s.ingest(e)
	s.recall(w.ID)
	got := s.dispositions()
	for _, id := range ids {
		if d, ok := got[id]; !ok || d != delivery.ToCancel {
			s.t.Errorf("%s: due is %v with %d, want it canceled", id, ok, d)
		}
	}
	if d, ok := got[e.Deliveries[0].ID]; !ok || d != delivery.ToSend {
		s.t.Errorf("the next event: due is %v with %d, want it sent", ok, d)
	}
}

func testRecallHeldAgain(s *scene) {
	w := s.stored(false)
	s.hold(&w)
	doomed := s.held(3, w)
	s.decide(&w, dropped)
	s.decide(&w, holding) // before anything is recalled
	kept := s.held(3, w)
	s.recall(w.ID)
	s.wantAll(doomed, delivery.ToCancel)
	for _, id := range kept {
		if got := s.get(id); got.State != delivery.Held {
			s.t.Errorf("%s is %s, want it held", id, got.State)
		}
	}
	s.enable(&w)
	s.wantAll(kept, delivery.ToSend)
}

func testRecallRedelivery(s *scene) {
	w := s.stored(false)
	e := s.event("a", w.ID)
	s.ingest(e)
	s.finish()
	s.hold(&w)
	s.decide(&w, dropped)
	d := s.delivery(e.Event, w.ID) // the message of the first version
	d.Trigger, d.RedeliveryOf = delivery.ByRedelivery, e.Deliveries[0].ID
	if err := s.store.Requeue(s.t.Context(), []delivery.Delivery{d}, nil); err != nil {
		s.t.Fatalf("Requeue: %v", err)
	}
	s.recall(w.ID)
	s.wantAll([]delivery.DeliveryID{d.ID}, delivery.ToSend)
}

// A server that has not heard of a change is told of it with its claim.
func testClaimBeforeRecall(s *scene) {
	for want, change := range map[delivery.Disposition]func(*delivery.Webhook){
		delivery.ToHold: holding, delivery.ToCancel: disabled, delivery.ToSend: enabled,
	} {
		w := s.stored(false)
		s.queued(2, w.ID)
		s.decide(&w, change)
		for _, j := range s.claim(s.owner, 9, 9, longLease) {
			if j.Hold != (want == delivery.ToHold) || j.Cancel != (want == delivery.ToCancel) ||
				j.WebhookVersion != w.Version.Number {
				s.t.Errorf("claimed with hold %v, cancel %v of version %d, want %d of version %d",
					j.Hold, j.Cancel, j.WebhookVersion, want, w.Version.Number)
			}
		}
	}
}

func testRecallLeased(s *scene) {
	w := s.stored(false)
	s.queued(1, w.ID)
	job := s.claim(s.owner, 1, 1, longLease)[0]
	s.decide(&w, disabled)
	s.recall(w.ID)
	if jobs := s.claim(s.join("second"), 1, 1, longLease); len(jobs) > 0 {
		s.t.Error("what is being sent was leased to another server")
	}
	if held := s.settle(s.settlement(job, delivery.Delivered, 200)); !held[0] {
		s.t.Error("what was being sent could not be settled")
	}
}

func testRecallWhileSent(s *scene) {
	w := s.stored(false)
	s.queued(1, w.ID)
	set := s.settlement(s.claim(s.owner, 1, 1, longLease)[0], delivery.Retrying, 500)
	set.Pause = longLease
	s.decide(&w, dropped)
	s.recall(w.ID)
	s.settle(set)
	s.wantAll([]delivery.DeliveryID{set.Entry.Delivery.ID}, delivery.ToCancel)
}

func testRefuseHold(s *scene) {
	w := s.stored(false)
	s.queued(1, w.ID)
	s.hold(&w)
	job := s.claim(s.owner, 1, 1, longLease)[0]
	s.enable(&w) // while a server still thinks that it holds
	set := s.settlement(job, delivery.Held, 0)
	set.Entry.Attempt, set.Entry.Delivery.Attempts = nil, 0
	for range 2 {
		if s.settle(set)[0] {
			s.t.Error("a delivery was held although its webhook does not hold")
		}
	}
	if n := len(s.entries(job.Delivery.ID)); n != 0 {
		s.t.Errorf("the log has %d entries, want none", n)
	}
	s.wantAll([]delivery.DeliveryID{job.Delivery.ID}, delivery.ToSend)
}

func testRefuseHoldDropped(s *scene) {
	w := s.stored(false)
	s.queued(1, w.ID)
	s.hold(&w)
	job := s.claim(s.owner, 1, 1, longLease)[0]
	s.decide(&w, dropped)
	s.hold(&w)
	set := s.settlement(job, delivery.Held, 0)
	set.Entry.Attempt, set.Entry.Delivery.Attempts = nil, 0
	if s.settle(set)[0] {
		s.t.Error("a delivery was held although it was dropped")
	}
	s.wantAll([]delivery.DeliveryID{job.Delivery.ID}, delivery.ToCancel)
}

func testRecallLine(s *scene) {
	w := s.stored(true)
	s.hold(&w)
	ids := s.held(5, w)
	s.decide(&w, enabled)
	ids = append(ids, s.inLine(3, w)...)
	var at delivery.RecallPosition
	var sent []delivery.DeliveryID
	for range ids { // each portion releases the next ones, and they are sent at once
		got, err := s.store.Recall(s.t.Context(), w.ID, at, 1)
		if err != nil {
			s.t.Fatalf("Recall: %v", err)
		}
		at = got.Next
		for _, j := range s.claim(s.owner, 9, 9, longLease) {
			sent = append(sent, j.Delivery.ID)
			s.settle(s.settlement(j, delivery.Delivered, 200))
		}
	}
	if !slices.Equal(sent, ids) {
		s.t.Errorf("sent %v, want %v", sent, ids)
	}
}

// What is held one after the other, and then released in the middle of it, is
// sent from its head on.
func testHoldLine(s *scene) {
	w, ids := s.orderedWebhook(4)
	s.hold(&w)
	jobs := s.claim(s.owner, 2, 2, longLease)
	for _, j := range jobs {
		if !j.Hold {
			s.t.Errorf("claimed %s to send it, want it held", j.Delivery.ID)
		}
		set := s.settlement(j, delivery.Held, 0)
		set.Entry.Attempt, set.Entry.Delivery.Attempts = nil, 0
		s.settle(set)
	}
	s.decide(&w, enabled)
	s.wantAll(nil, delivery.ToSend) // the head is not released yet
	s.recall(w.ID)
	s.wantAll(ids, delivery.ToSend)
}

func testIntoOrder(s *scene) {
	w := s.stored(false)
	all := s.queued(5, w.ID)
	s.decide(&w, ordered)
	s.wantAll(nil, delivery.ToSend)
	s.recall(w.ID)
	first := s.claim(s.owner, 2, 2, longLease)
	if got, want := idsOf(first), numbersOf(all)[:2]; !slices.Equal(got, want) {
		s.t.Errorf("claimed %v, want %v", got, want)
	}
	if got := s.claim(s.owner, 9, 9, longLease); len(got) > 0 {
		s.t.Errorf("claimed %v while older ones are leased", idsOf(got))
	}
	s.decide(&w, unordered)
	if n := s.recall(w.ID); n != 5 {
		s.t.Errorf("recalled %d, want 5", n)
	}
	s.wantAll(numbersOf(all)[2:], delivery.ToSend)
}

func testCancelInLine(s *scene) {
	w, _ := s.orderedWebhook(4)
	s.decide(&w, disabled)
	s.decide(&w, enabled)
	s.recall(w.ID)
	fresh := s.inLine(1, w)
	got := s.dispositions()
	if d, ok := got[fresh[0]]; len(got) != 5 || !ok || d != delivery.ToSend {
		s.t.Errorf("claimed %v, want four that are canceled and %s", got, fresh[0])
	}
}

func testBothKinds(s *scene) {
	w, _ := s.orderedWebhook(2)
	set := s.settlement(s.claim(s.owner, 1, 1, longLease)[0], delivery.Retrying, 500)
	set.Pause = 20 * time.Hour
	s.settle(set)
	plain := s.queued(20, w.ID)
	s.wantAll(numbersOf(plain), delivery.ToSend)
}

// unrecalled lists all webhooks that are to be recalled.
func (s *scene) unrecalled() (all []delivery.WebhookID) {
	s.t.Helper()
	for after, more := delivery.WebhookID(0), true; more; more = after != 0 {
		found, next, err := s.store.Unrecalled(s.t.Context(), after, 2)
		if err != nil {
			s.t.Fatalf("Unrecalled: %v", err)
		}
		if next != 0 && next <= after {
			s.t.Fatalf("Unrecalled goes from %s to %s", after, next)
		}
		all, after = append(all, found...), next
	}
	return all
}

func testUnrecalled(s *scene) {
	var want []delivery.WebhookID
	nothing := func(*delivery.Webhook) {}
	for _, change := range []func(*delivery.Webhook){holding, disabled, dropped, ordered, nothing} {
		w := s.stored(false)
		s.queued(1, w.ID)
		s.decide(&w, change)
		want = append(want, w.ID)
	}
	want = want[:len(want)-1] // a change of anything else means nothing to deliveries
	gone := s.stored(false)
	s.remove(&gone)
	want = append(want, gone.ID)
	slices.Sort(want)
	if got := s.unrecalled(); !slices.Equal(got, want) {
		s.t.Errorf("found %v, want %v", got, want)
	}
	for _, id := range want {
		s.recall(id)
	}
	if got := s.unrecalled(); len(got) > 0 {
		s.t.Errorf("found %v after their recall, want none", got)
	}
}

// A server of an older version, say, may hold what is not to be held.
func testContradicted(s *scene) {
	w, fine := s.stored(false), s.stored(false)
	s.queued(1, fine.ID)
	ids := s.held(3, w)
	if got := s.unrecalled(); !slices.Equal(got, []delivery.WebhookID{w.ID}) {
		s.t.Errorf("found %v, want %s", got, w.ID)
	}
	s.recall(w.ID)
	got := s.dispositions()
	for _, id := range ids {
		if d, ok := got[id]; !ok || d != delivery.ToSend {
			s.t.Errorf("%s: due is %v with %d, want it sent", id, ok, d)
		}
	}
	if got := s.unrecalled(); len(got) > 0 {
		s.t.Errorf("found %v after the recall, want none", got)
	}
}

func testRecallAgain(s *scene) {
	w := s.stored(false)
	s.hold(&w)
	ids := s.held(4, w)
	s.decide(&w, enabled)
	got, err := s.store.Recall(s.t.Context(), w.ID, delivery.RecallPosition{}, 2)
	if err != nil || got.Done {
		s.t.Fatalf("Recall gave %+v, %v, want a part", got, err)
	}
	s.decide(&w, disabled)
	for !got.Done {
		if got, err = s.store.Recall(s.t.Context(), w.ID, got.Next, 2); err != nil {
			s.t.Fatalf("Recall: %v", err)
		}
	}
	s.wantAll(ids, delivery.ToCancel)
}

func testRecallNothing(s *scene) {
	id := s.webhook()
	s.queued(2, id)
	if n := s.recall(id); n != 0 {
		s.t.Errorf("recalled %d, want none", n)
	}
}
