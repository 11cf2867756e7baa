package fair

import (
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"

	"pgregory.net/rapid"
)

// withWorkers returns a scheduler for so many workers.
func withWorkers(workers int) *Scheduler {
	return NewScheduler(Options{Concurrency: 64, Workers: workers, ClaimSize: 500, Lease: time.Minute})
}

// fill gives an organization n jobs for each of so many webhooks; the webhooks of
// alerts have negative ids.
func fill(s *Scheduler, org delivery.OrgID, webhooks, n int, alerts bool) {
	var jobs []delivery.Job
	for i := range webhooks * n {
		id := delivery.WebhookID(1000*int64(org) + int64(i%webhooks))
		if alerts {
			id = -id
		}
		job := jobOf(org, id, delivery.DeliveryID(i+1))
		if alerts {
			job.Delivery.Type = delivery.ActiveAlert
		}
		jobs = append(jobs, job)
	}
	s.Add(jobs, 1_000_000, nil)
}

// start starts all jobs that may start and returns them by organization.
func start(s *Scheduler) map[delivery.OrgID][]delivery.Job {
	started := make(map[delivery.OrgID][]delivery.Job)
	for {
		s.mu.Lock()
		some := s.free() > 0 && s.pick() != nil
		s.mu.Unlock()
		if !some {
			return started
		}
		job, _, _ := s.Next()
		started[job.Delivery.Org] = append(started[job.Delivery.Org], job)
	}
}

func TestAnOrganizationHoldsAsManyWorkersAsItLeavesFree(t *testing.T) {
	for name, tt := range map[string]struct {
		organizations, want, alerts int
	}{
		"one has half":     {1, 60, 64}, // an eighth of it for alerts alone
		"two have a third": {2, 41, 44},
		"many have one":    {200, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := withWorkers(128)
			for org := range delivery.OrgID(tt.organizations) {
				fill(s, org+1, 20, 64, false)
			}
			began := start(s)
			if got := len(began[1]); tt.want > 0 && (got < tt.want-1 || got > tt.want+1) {
				t.Errorf("it started %d, want %d", got, tt.want)
			}
			if tt.want == 0 && len(began) < 100 {
				t.Errorf("%d of 200 organizations have a worker", len(began))
			}
			if tt.alerts == 0 {
				return
			}
			fill(s, 1, 20, 64, true)
			if got := len(began[1]) + len(start(s)[1]); got <= len(began[1]) || got > tt.alerts+1 {
				t.Errorf("with alerts it has %d workers, want %d", got, tt.alerts)
			}
		})
	}
}

// Receivers that take half a minute hold their organization's share; the next
// organization starts at once, and its alerts too.
func TestSlowReceiversLeaveWorkersFree(t *testing.T) {
	s := withWorkers(128)
	fill(s, 1, 20, 64, false)
	fill(s, 1, 20, 64, true)
	start(s)
	fill(s, 2, 10, 1, false)
	fill(s, 2, 10, 1, true)
	if got := len(start(s)[2]); got != 20 {
		t.Errorf("%d of the other organization's 20 jobs start at once", got)
	}
}

// A worker that becomes free goes to an organization that waits for its share.
func TestAFreeWorkerWakesAnOrganizationThatHadItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withWorkers(2)
		fill(s, 1, 1, 2, false)
		first, _, _ := s.Next()
		taken := make(chan delivery.Job, 1)
		go func() {
			job, _, _ := s.Next()
			taken <- job
		}()
		synctest.Wait()
		if len(taken) > 0 {
			t.Fatal("it has both workers")
		}
		s.Complete(&first, Completion{Signal: SignalSuccess}, true)
		synctest.Wait()
		if len(taken) == 0 {
			t.Fatal("its second job does not start")
		}
	})
}

// One organization with many webhooks fills half of the memory and no more.
func TestAnOrganizationHoldsHalfOfTheMemory(t *testing.T) {
	s, m := withWorkers(16), NewMemory(4096)
	batch := func(org delivery.OrgID, kind delivery.EventType) []delivery.Ingest {
		e := delivery.NewEvent{Event: delivery.Event{Type: kind}}
		for i := range 100 {
			id := delivery.WebhookID(1000*int64(org) + int64(i))
			if kind.Urgent() {
				id = -id
			}
			e.Deliveries = append(e.Deliveries, delivery.Delivery{
				Org: org, Webhook: id, Type: kind, State: delivery.Queued,
			})
		}
		return []delivery.Ingest{{Org: org, Events: []delivery.NewEvent{e}}}
	}
	id := delivery.DeliveryID(0)
	hold := func(org delivery.OrgID, kind delivery.EventType) (held int) {
		for range 100 {
			leased, n := s.Lease(batch(org, kind), m)
			var jobs []delivery.Job
			for _, d := range leased[0].Events[0].Deliveries {
				if d.State == delivery.Sending {
					id++
					d.ID = id
					jobs = append(jobs, delivery.Job{Delivery: d})
				}
			}
			if n != len(jobs) || len(refusedBy(s.Add(jobs, m.Add(jobs), nil))) > 0 {
				t.Fatalf("%d reserved, %d leased", n, len(jobs))
			}
			held += n
		}
		return held
	}
	if got := hold(1, delivery.OperationInWorkspace); got < 1800 || got > 2048 {
		t.Errorf("one organization holds %d of 4096", got)
	}
	if got := hold(1, delivery.ActiveAlert); got < 100 || s.orgs[1].waiting > 2048 {
		t.Errorf("its alerts got %d places, it holds %d of 4096", got, s.orgs[1].waiting)
	}
	if got := hold(2, delivery.OperationInWorkspace); got < 800 {
		t.Errorf("the next one holds %d of 4096", got)
	}
}

// Refused jobs are claimed again once half of what the organization held is gone.
func TestAnOrganizationThatDrainedIsToldOnce(t *testing.T) {
	s := withWorkers(1) // so it always holds two
	s.Add([]delivery.Job{jobOf(1, 10, 1), jobOf(1, 11, 2)}, 0, nil)
	if refused := refusedBy(s.Add([]delivery.Job{jobOf(1, 12, 3)}, 0, nil)); len(refused) != 1 || !s.Crowded() {
		t.Fatalf("%d refused, crowded %t", len(refused), s.Crowded())
	}
	if _, drained, _ := s.Next(); !drained || s.Crowded() {
		t.Errorf("drained %t, crowded %t", drained, s.Crowded())
	}
}

// Whatever comes and goes, no organization has more workers than its share when
// it begins, none that may have one waits while workers are idle, and every job
// ends.
func TestSharesModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		workers := rapid.IntRange(1, 20).Draw(rt, "workers")
		s := withWorkers(workers)
		busy, out, left := make(map[delivery.OrgID]int), []delivery.Job(nil), 0
		run := func() {
			for {
				s.mu.Lock()
				free := s.free()
				some := free > 0 && s.pick() != nil
				s.mu.Unlock()
				if !some {
					return
				}
				job, _, _ := s.Next()
				org := job.Delivery.Org
				if all, _ := share(free); busy[org] >= all {
					rt.Fatalf("organization %d has %d workers and %d were free", org, busy[org], free)
				}
				busy[org]++
				left--
				out = append(out, job)
			}
		}
		end := func(i int) {
			job := out[i]
			out = append(out[:i:i], out[i+1:]...)
			busy[job.Delivery.Org]--
			s.Complete(&job, Completion{Signal: SignalSuccess}, true)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				org := delivery.OrgID(rapid.IntRange(1, 4).Draw(rt, "org"))
				fill(s, org, 3, 1, rapid.Bool().Draw(rt, "alerts"))
				left += 3
				run()
			},
			"done": func(rt *rapid.T) {
				if len(out) == 0 {
					rt.Skip()
				}
				end(rapid.IntRange(0, len(out)-1).Draw(rt, "which"))
				run()
			},
		})
		for len(out) > 0 {
			end(0)
			run()
		}
		if left > 0 || len(s.orgs) > 0 {
			rt.Fatalf("%d jobs never started, %d organizations are left", left, len(s.orgs))
		}
	})
}
