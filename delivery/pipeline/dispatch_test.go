package pipeline

import (
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/fair"
)

// A quickSettler has stored a result, and completed its job, before Submit returns.
type quickSettler struct{ scheduler *fair.Scheduler }

func (q quickSettler) Submit(r *Result) bool {
	q.scheduler.Complete(&r.Job, fair.Completion{}, false)
	return true
}

func (quickSettler) Requeue(fair.Requeue) bool { return true }
func (quickSettler) Stuck() bool               { return false }

// The result of an ordered delivery may be stored before its worker goes on: by then
// nothing may be left to say about the webhook, which is forgotten.
func TestAnOrderedJobMayBeCompleteBeforeItsWorkerGoesOn(t *testing.T) {
	s := fair.NewScheduler(fair.Options{Concurrency: 8, Workers: 8, ClaimSize: 8, Lease: time.Minute})
	d := &Dispatcher{scheduler: s, memory: fair.NewMemory(8), settler: quickSettler{s}}
	job := delivery.Job{Delivery: delivery.Delivery{ID: 1, Org: 1, Webhook: 1, Ordered: true}}
	if refused := s.Add([]delivery.Job{job}, 8, nil); len(refused) > 0 {
		t.Fatalf("refused %v", refused)
	}
	next, _, ok := s.Next()
	if !ok {
		t.Fatal("there is no job")
	}
	d.finish(t.Context(), &Result{
		Job: next, Verdict: delivery.Verdict{State: delivery.Delivered}, At: time.Now(),
	}, nil)
	if got := s.Usage(); got.Lanes != 0 || got.Busy != 0 {
		t.Errorf("a webhook without jobs has left %+v", got)
	}
}
