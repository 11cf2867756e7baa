package storetest

import (
	"reflect"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

var claimTests = map[string]func(*scene){
	"a claim brings all that the attempt needs":      testClaimComplete,
	"claimed deliveries are not leased again":        testClaimExclusive,
	"many claimers share the queue without overlap":  testManyClaimers,
	"a lease that has ended makes a delivery due":    testLeaseEnds,
	"a claim takes at most so many of one webhook":   testPerWebhook,
	"a webhook with a backlog doesn't starve others": testFairClaim,
	"what is due later is not leased":                testDueLater,
	"every backlogged webhook gets its turn":         testEveryTurn,
	"a claim for nothing is nothing":                 testClaimNothing,
}

func testClaimComplete(s *scene) {
	want := s.event("a", s.webhook())
	s.ingest(want)
	jobs := s.claim(s.owner, 10, 10, longLease)
	if len(jobs) != 1 {
		s.t.Fatalf("claimed %d, want 1", len(jobs))
	}
	d := want.Deliveries[0]
	d.State = delivery.Sending
	if got := jobs[0]; !reflect.DeepEqual(got, delivery.Job{Delivery: d, Event: want.Event, Owner: s.owner}) {
		s.t.Errorf("claimed\n%+v, want\n%+v", got, delivery.Job{Delivery: d, Event: want.Event, Owner: s.owner})
	}
}

func testClaimExclusive(s *scene) {
	s.queued(3, s.webhook())
	if got := s.claim(s.owner, 2, 10, longLease); len(got) != 2 {
		s.t.Errorf("claimed %d, want 2", len(got))
	}
	if got := s.claim(s.owner, 10, 10, longLease); len(got) != 1 {
		s.t.Errorf("claimed %d, want the 1 that is left", len(got))
	}
	if got := s.claim(s.owner, 10, 10, longLease); len(got) != 0 {
		s.t.Errorf("claimed %d, want none", len(got))
	}
}

func testManyClaimers(s *scene) {
	const claimers, each = 8, 60
	var want []delivery.DeliveryID
	for range 4 {
		want = append(want, numbersOf(s.queued(each, s.webhook()))...)
	}
	slices.Sort(want)
	owners := make([]delivery.Owner, claimers)
	for i := range owners {
		owners[i] = s.join("claimer")
	}
	var mu sync.Mutex
	var got []delivery.DeliveryID
	var wait sync.WaitGroup
	for _, owner := range owners {
		wait.Go(func() {
			// A claim may be empty while other claims lock the rows that it looks at.
			for empty := 0; empty < 3; {
				jobs, err := s.store.Claim(s.t.Context(), delivery.ClaimRequest{
					Owner: owner, N: 17, PerWebhook: 5, Lease: longLease,
				})
				if err != nil {
					s.t.Errorf("Claim: %v", err)
					return
				}
				if len(jobs) == 0 {
					empty++
				}
				mu.Lock()
				got = append(got, idsOf(jobs)...)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for more := true; more; {
		jobs := s.claim(s.owner, 100, 100, longLease)
		got, more = append(got, idsOf(jobs)...), len(jobs) > 0
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("claimed %d deliveries, want each of %d once", len(got), len(want))
	}
}

func testLeaseEnds(s *scene) {
	d := s.queued(1, s.webhook())[0]
	s.claim(s.owner, 1, 1, noLease)
	if got := s.get(d.ID); got.State != delivery.Queued {
		s.t.Errorf("after the lease the delivery is %s, want QUEUED", got.State)
	}
	second := s.join("second")
	jobs := s.claim(second, 1, 1, longLease)
	if len(jobs) != 1 || jobs[0].Delivery.ID != d.ID || jobs[0].Owner != second {
		s.t.Errorf("after the lease claimed %+v, want %s", jobs, d.ID)
	}
}

func testPerWebhook(s *scene) {
	a, b := s.webhook(), s.webhook()
	s.queued(10, a)
	s.queued(10, b)
	count := map[delivery.WebhookID]int{}
	for _, j := range s.claim(s.owner, 20, 3, longLease) {
		count[j.Delivery.Webhook]++
	}
	if count[a] != 3 || count[b] != 3 {
		s.t.Errorf("claimed %v, want 3 of each", count)
	}
}

func testFairClaim(s *scene) {
	stuck, healthy := s.webhook(), s.webhook()
	s.queued(500, stuck)
	want := numbersOf(s.queued(2, healthy))
	var got []delivery.DeliveryID
	for range 3 {
		for _, j := range s.claim(s.owner, 10, 8, longLease) {
			if j.Delivery.Webhook == healthy {
				got = append(got, j.Delivery.ID)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("behind a backlog of another webhook claimed %v, want %v", got, want)
	}
}

func testEveryTurn(s *scene) {
	const webhooks = 40
	var events []delivery.NewEvent
	for range webhooks {
		w := s.webhook()
		for range 20 {
			events = append(events, s.event(w.String()+time.Now().String()+delivery.EventID(s.ids.Next()).String(), w))
		}
	}
	s.ingest(events...)
	seen := map[delivery.WebhookID]bool{}
	for range webhooks { // twice as many claims as needed
		for _, j := range s.claim(s.owner, 10, 8, longLease) {
			seen[j.Delivery.Webhook] = true
		}
	}
	if len(seen) != webhooks {
		s.t.Errorf("%d of %d webhooks got a turn", len(seen), webhooks)
	}
}

func testDueLater(s *scene) {
	s.queued(1, s.webhook())
	set := s.settlement(s.claim(s.owner, 1, 1, longLease)[0], delivery.Retrying, 500)
	set.Pause = time.Hour
	set.Entry.At = set.Entry.At.Add(-5 * time.Hour) // of a server whose clock is wrong
	s.settle(set)
	if jobs := s.claim(s.owner, 1, 1, longLease); len(jobs) > 0 {
		s.t.Errorf("claimed %v an hour before it is due", idsOf(jobs))
	}
	d := s.get(set.Entry.Delivery.ID)
	wait := time.Until(d.NextAttemptAt)
	if d.State != delivery.Retrying || wait > time.Hour || wait < 50*time.Minute || d.Attempts != 1 {
		s.t.Errorf("the delivery is %+v, want it to retry in an hour by the database's clock", d)
	}
	depth, err := s.store.Depth(s.t.Context())
	if want := (delivery.QueueDepth{Pending: 1}); err != nil || depth != want {
		s.t.Errorf("Depth gave %+v, %v, want %+v", depth, err, want)
	}
}

func testClaimNothing(s *scene) {
	if jobs := s.claim(s.owner, 10, 10, longLease); len(jobs) > 0 {
		s.t.Errorf("claimed %v from an empty queue", jobs)
	}
	s.queued(1, s.webhook())
	if jobs := s.claim(s.owner, 0, 10, longLease); len(jobs) > 0 {
		s.t.Errorf("claimed %v, want none", jobs)
	}
}
