package fair

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"

	"pgregory.net/rapid"
)

func jobOf(org delivery.OrgID, webhook delivery.WebhookID, id delivery.DeliveryID) delivery.Job {
	return delivery.Job{Delivery: delivery.Delivery{ID: id, Org: org, Webhook: webhook}}
}

// refusedBy returns the jobs that the scheduler did not take.
func refusedBy(requeues []Requeue) (jobs []delivery.Job) {
	for _, r := range requeues {
		jobs = append(jobs, r.Jobs...)
	}
	return jobs
}

// newTestScheduler returns a scheduler with the server's other settings.
func newTestScheduler(concurrency int) *Scheduler {
	return NewScheduler(Options{
		Concurrency: concurrency, Workers: 100, ClaimSize: 500, Lease: time.Minute,
	})
}

// finish ends a job of a webhook as a success.
func finish(s *Scheduler, id delivery.WebhookID) {
	t := jobOf(1, id, 0)
	if s.lanes[id].org.class == &s.urgent {
		t.Delivery.Type = delivery.ActiveAlert
	}
	s.Complete(&t, Completion{Signal: SignalSuccess}, true)
}

func takeAll(t *testing.T, s *Scheduler, n int) []delivery.DeliveryID {
	t.Helper()
	var ids []delivery.DeliveryID
	for range n {
		got, _, ok := s.Next()
		if !ok {
			t.Fatalf("took %d tasks, want %d", len(ids), n)
		}
		ids = append(ids, got.Delivery.ID)
	}
	return ids
}

func TestOrganizationsAndWebhooksTakeTurns(t *testing.T) {
	s := newTestScheduler(100)
	s.Add([]delivery.Job{
		jobOf(1, 10, 1), jobOf(1, 10, 2), jobOf(1, 10, 3), jobOf(1, 11, 4), jobOf(1, 11, 5),
		jobOf(2, 20, 6), jobOf(2, 20, 7),
	}, 1000, nil)
	want := []delivery.DeliveryID{1, 6, 4, 7, 2, 5, 3}
	if got := takeAll(t, s, 7); !slices.Equal(got, want) {
		t.Errorf("took %v, want %v", got, want)
	}
}

func TestAWebhookHasAtMostConcurrencyTasksOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestScheduler(2)
		s.Add([]delivery.Job{jobOf(1, 10, 1), jobOf(1, 10, 2), jobOf(1, 10, 3), jobOf(1, 11, 4)}, 1000, nil)
		if got, want := takeAll(t, s, 3), []delivery.DeliveryID{1, 4, 2}; !slices.Equal(got, want) {
			t.Fatalf("took %v, want %v", got, want)
		}
		taken := make(chan delivery.DeliveryID, 1)
		go func() {
			got, _, _ := s.Next()
			taken <- got.Delivery.ID
		}()
		synctest.Wait()
		select {
		case id := <-taken:
			t.Fatalf("task %d was given out, but its webhook has 2 out", id)
		default:
		}
		finish(s, 10)
		if id := <-taken; id != 3 {
			t.Errorf("took %d, want 3", id)
		}
	})
}

func TestOneWebhookLeavesRoomForOthers(t *testing.T) {
	s := newTestScheduler(2)
	var jobs []delivery.Job
	for i := range delivery.DeliveryID(50) {
		jobs = append(jobs, jobOf(1, 10, i+1))
	}
	refused := refusedBy(s.Add(jobs, 40, nil))
	if len(refused) != 40 || refused[0].Delivery.ID != 11 {
		t.Errorf("%d were refused, want the last 40: a webhook may take a quarter of the free room", len(refused))
	}
	if refused := refusedBy(s.Add([]delivery.Job{jobOf(2, 20, 100)}, 0, nil)); len(refused) != 0 {
		t.Error("another webhook's task was refused")
	}
	for i := range 6 {
		_, relieved, _ := s.Next()
		if want := i == 5; relieved != want { // 10 and 100: five of the first webhook's, one of the second's
			t.Errorf("task %d: relieved %v, want %v", i, relieved, want)
		}
		if i < 6 {
			finish(s, map[bool]delivery.WebhookID{true: 10, false: 20}[i != 1])
		}
	}
}

func TestAClosedSchedulerReturnsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestScheduler(1)
		s.Add([]delivery.Job{jobOf(1, 10, 1), jobOf(1, 10, 2), jobOf(2, 20, 3)}, 1000, nil)
		takeAll(t, s, 2)
		ended := make(chan bool, 1)
		go func() {
			_, _, ok := s.Next()
			ended <- ok
		}()
		synctest.Wait()
		left := s.Close().Jobs
		if len(left) != 1 || left[0].Delivery.ID != 2 {
			t.Errorf("left %v, want delivery 2", left)
		}
		if <-ended {
			t.Error("a closed scheduler gave a task out")
		}
		finish(s, 10)
		finish(s, 20)
		if refused := refusedBy(s.Add([]delivery.Job{jobOf(1, 10, 4)}, 1000, nil)); len(refused) != 1 {
			t.Error("a closed scheduler took a task")
		}
	})
}

// In the model the webhooks up to this one are for alerts.
const alertHooks = 2

// Slow attempts cost more turns, so the organizations get the same time.
func TestAnOrganizationWithSlowReceiversGetsNoMoreTime(t *testing.T) {
	s := newTestScheduler(1)
	for id := range delivery.DeliveryID(400) {
		org := delivery.OrgID(id%2 + 1)
		s.Add([]delivery.Job{jobOf(org, delivery.WebhookID(10*org), id+1)}, 10_000, nil)
	}
	s.lanes[10].usual = 350 * time.Millisecond // eight turns each
	took := map[delivery.OrgID]int{}
	for range 180 {
		got, _, _ := s.Next()
		took[got.Delivery.Org]++
		spent := time.Millisecond
		if got.Delivery.Org == 1 {
			spent = 350 * time.Millisecond
		}
		s.Complete(&got, Completion{Signal: SignalSuccess, Took: spent}, true)
	}
	if took[1] < 18 || took[1] > 22 {
		t.Errorf("the slow organization got %d of 180 turns, want about 20", took[1])
	}
}

// Whatever happens, each task is given out once, in the order of its webhook,
// and none is forgotten.
func TestSchedulerModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		concurrency := rapid.IntRange(1, 3).Draw(rt, "concurrency")
		s := newTestScheduler(concurrency)
		waiting, out := make(map[delivery.WebhookID][]delivery.DeliveryID), make(map[delivery.WebhookID]int)
		next := delivery.DeliveryID(0)
		ready := func() int {
			n := 0
			for hook, ids := range waiting {
				n += max(0, min(len(ids), concurrency-out[hook]))
			}
			return n
		}
		overtaken := 0 // alerts since the last of the others that could have gone
		others := func() bool {
			for hook, ids := range waiting {
				if hook > alertHooks && len(ids) > 0 && out[hook] < concurrency {
					return true
				}
			}
			return false
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				hook := rapid.Int64Range(1, 6).Draw(rt, "hook")
				next++
				made := jobOf(delivery.OrgID(hook%2+1), delivery.WebhookID(hook), next)
				if hook <= alertHooks {
					made.Delivery.Type = delivery.ActiveAlert
				}
				if refused := refusedBy(s.Add([]delivery.Job{made}, 1000, nil)); len(refused) == 0 {
					waiting[delivery.WebhookID(hook)] = append(waiting[delivery.WebhookID(hook)], next)
				}
			},
			"take": func(rt *rapid.T) {
				if ready() == 0 {
					rt.Skip()
				}
				got, _, _ := s.Next()
				hook := got.Delivery.Webhook
				if len(waiting[hook]) == 0 || waiting[hook][0] != got.Delivery.ID {
					rt.Fatalf("took %d of webhook %d, where %v wait", got.Delivery.ID, hook, waiting[hook])
				}
				waiting[hook] = waiting[hook][1:]
				if hook > alertHooks {
					overtaken = 0
				} else if others() {
					if overtaken++; overtaken > alertRun {
						rt.Fatalf("%d alerts in a row while others wait", overtaken)
					}
				}
				if out[hook]++; out[hook] > concurrency {
					rt.Fatalf("webhook %d has %d out, at most %d allowed", hook, out[hook], concurrency)
				}
			},
			"done": func(rt *rapid.T) {
				for hook := range delivery.WebhookID(7) {
					if out[hook] > 0 {
						out[hook]--
						finish(s, hook)
						return
					}
				}
				rt.Skip()
			},
			"": func(rt *rapid.T) {
				s.mu.Lock()
				turns := s.other.turns.len() + s.urgent.turns.len()
				s.mu.Unlock()
				if (turns > 0) != (ready() > 0) {
					rt.Fatalf("%d organizations have a turn, but %d tasks could go", turns, ready())
				}
			},
		})
		for hook, n := range out {
			for range n {
				finish(s, hook)
			}
		}
		clear(out)
		for n := ready(); n > 0; n = ready() {
			got, _, _ := s.Next()
			waiting[got.Delivery.Webhook] = waiting[got.Delivery.Webhook][1:]
			finish(s, got.Delivery.Webhook)
		}
		if len(s.lanes) > 0 || len(s.orgs) > 0 {
			rt.Fatalf("%d lanes and %d organizations are left in memory",
				len(s.lanes), len(s.orgs))
		}
	})
}
