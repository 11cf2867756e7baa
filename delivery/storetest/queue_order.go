package storetest

import (
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

var orderTests = map[string]func(*scene){
	"servers that claim at once keep a webhook's order": testOrderAmongClaimers,
	"a line goes on behind what a dead server finished": testOrderAfterDeath,
	"a line goes on when the lease of its head ends":    testOrderAfterLease,
	"a line of a dead server waits for its retry":       testOrderAfterDeathInRetry,
	"nothing that comes back is overlooked":             testComeBack,
}

// A line records which deliveries of ordered webhooks were sent, and by which server.
type line struct {
	sync.Mutex

	held map[delivery.WebhookID]delivery.Owner
	sent map[delivery.WebhookID][]delivery.DeliveryID
	left int
}

func testOrderAmongClaimers(s *scene) {
	const claimers, each = 4, 12
	l := &line{
		held: map[delivery.WebhookID]delivery.Owner{},
		sent: map[delivery.WebhookID][]delivery.DeliveryID{},
	}
	want := map[delivery.WebhookID][]delivery.DeliveryID{}
	for range 3 {
		w, ids := s.orderedWebhook(each)
		want[w.ID] = ids
		l.left += each
	}
	var wait sync.WaitGroup
	for range claimers {
		owner := s.join("claimer")
		log := delivery.NewIDs(owner.Slot)
		wait.Go(func() {
			for s.sendInOrder(owner, log, l) && s.t.Context().Err() == nil {
			}
		})
	}
	wait.Wait()
	for w, ids := range want {
		if !slices.Equal(l.sent[w], ids) {
			s.t.Errorf("sent %v, want %v", l.sent[w], ids)
		}
	}
}

// sendInOrder claims deliveries, settles them one by one, and reports whether any
// are left.
func (s *scene) sendInOrder(owner delivery.Owner, log *delivery.IDs, l *line) bool {
	jobs, err := s.store.Claim(s.t.Context(), delivery.ClaimRequest{
		Owner: owner, N: 6, PerWebhook: 2, Lease: longLease,
	})
	if err != nil {
		s.t.Errorf("Claim: %v", err)
		return false
	}
	mine := map[delivery.WebhookID]int{}
	l.Lock()
	for _, j := range jobs {
		w := j.Delivery.Webhook
		if other, taken := l.held[w]; taken && other != owner {
			s.t.Errorf("%v was leased deliveries of a webhook of which %v has some", owner, other)
		}
		l.held[w] = owner
		mine[w]++
	}
	l.Unlock()
	for _, j := range jobs {
		set := s.settlement(j, delivery.Delivered, 200)
		set.Entry.ID = delivery.LogID(log.Next())
		w := j.Delivery.Webhook
		l.Lock()
		l.sent[w] = append(l.sent[w], j.Delivery.ID)
		l.left--
		if mine[w]--; mine[w] == 0 {
			delete(l.held, w) // before another server can claim the next
		}
		l.Unlock()
		if held, err := s.store.Settle(s.t.Context(), []delivery.Settlement{set}); err != nil || !held[0] {
			s.t.Errorf("Settle gave %v, %v, want it to count", held, err)
			return false
		}
	}
	l.Lock()
	defer l.Unlock()
	return l.left > 0
}

// died releases what an owner holds, as the server that reaps it does.
func (s *scene) died(owner delivery.Owner, want int) {
	s.t.Helper()
	n, err := s.store.Release(s.t.Context(), owner, nil, 0)
	if err != nil || n != want {
		s.t.Fatalf("Release gave %d, %v, want %d", n, err, want)
	}
}

func testOrderAfterDeath(s *scene) {
	_, ids := s.orderedWebhook(5)
	dead, other := s.join("dead"), s.join("other")
	jobs := s.claim(dead, 9, 3, longLease)
	s.settle(s.settlement(jobs[0], delivery.Delivered, 200))
	if got := s.claim(other, 9, 9, longLease); len(got) > 0 {
		s.t.Fatalf("claimed %v behind those of a server that may live", idsOf(got))
	}
	s.died(dead, 2)
	rest := s.claim(other, 9, 9, longLease)
	if got := idsOf(rest); !slices.Equal(got, ids[1:]) {
		s.t.Fatalf("claimed %v, want %v: all that the dead server had not finished", got, ids[1:])
	}
	if s.settle(s.settlement(jobs[1], delivery.Delivered, 200))[0] {
		s.t.Error("a result of the dead server counts after its delivery was leased again")
	}
	for _, j := range rest {
		if !s.settle(s.settlement(j, delivery.Delivered, 200))[0] {
			s.t.Errorf("the result of %s does not count", j.Delivery.ID)
		}
	}
	for _, id := range ids {
		if got := statesOf(s.entries(id)); got != "DELIVERED" {
			s.t.Errorf("%s has the entries %q, want one", id, got)
		}
	}
}

func testOrderAfterLease(s *scene) {
	_, ids := s.orderedWebhook(3)
	slow, other := s.join("slow"), s.join("other")
	late := s.claim(slow, 1, 1, noLease)
	rest := s.claim(other, 9, 9, longLease)
	if got := idsOf(rest); !slices.Equal(got, ids) {
		s.t.Fatalf("claimed %v, want %v", got, ids)
	}
	if got := s.claim(slow, 9, 9, longLease); len(got) > 0 {
		s.t.Errorf("claimed %v while another server has the line", idsOf(got))
	}
	if s.settle(s.settlement(late[0], delivery.Delivered, 200))[0] {
		s.t.Error("a result counts although its lease ended and another server has the delivery")
	}
}

func testOrderAfterDeathInRetry(s *scene) {
	w, ids := s.orderedWebhook(3)
	dead, other := s.join("dead"), s.join("other")
	jobs := s.claim(dead, 9, 9, longLease)
	set := s.settlement(jobs[0], delivery.Retrying, 500)
	set.Pause = longLease
	s.settle(set)
	s.died(dead, 2)
	if got := s.claim(other, 9, 9, longLease); len(got) > 0 {
		s.t.Errorf("claimed %v past the head, which waits for its retry", idsOf(got))
	}
	s.hold(&w) // which makes it due
	s.enable(&w)
	if got := idsOf(s.claim(other, 9, 9, longLease)); !slices.Equal(got, ids) {
		s.t.Errorf("claimed %v, want %v", got, ids)
	}
}

// testComeBack makes a delivery due again in every possible way, each time after
// a claim that found nothing.
func testComeBack(s *scene) {
	w := s.stored(false)
	s.queued(1, w.ID)
	job := s.claim(s.owner, 9, 9, longLease)[0]
	ids := []delivery.DeliveryID{job.Delivery.ID}
	hold := func(state delivery.State, pause time.Duration) func() {
		return func() {
			set := s.settlement(job, state, 500)
			set.Pause = pause
			s.settle(set)
		}
	}
	for _, back := range []struct {
		name string
		do   func()
	}{
		{"a retry that is due at once", hold(delivery.Retrying, 0)},
		{"a release", func() {
			if n, err := s.store.Release(s.t.Context(), s.owner, ids, 0); n != 1 || err != nil {
				s.t.Fatalf("Release gave %d, %v", n, err)
			}
		}},
		{"a recall", func() {
			hold(delivery.Retrying, time.Hour)()
			s.hold(&w)
			s.enable(&w)
		}},
		{"the end of a hold", func() {
			s.hold(&w)
			hold(delivery.Held, 0)()
			s.enable(&w)
		}},
		{"a death", func() { s.died(s.owner, 1) }},
	} {
		if got := s.claim(s.owner, 9, 9, longLease); len(got) > 0 {
			s.t.Fatalf("before %s claimed %v, want none", back.name, idsOf(got))
		}
		back.do()
		jobs := s.claim(s.owner, 9, 9, longLease)
		if len(jobs) != 1 {
			s.t.Fatalf("after %s claimed %v, want %v", back.name, idsOf(jobs), ids)
		}
		job = jobs[0]
	}
}
