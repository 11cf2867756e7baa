package delivery

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestIngestLeavesDeliveriesToTheQueueWhenMemoryIsFull(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	s.opts.Memory = 2
	taking(t, s)
	listen(t, s, OperationInWorkspace, Enabled)
	if got := take(t, s, operationOn(3)); got.Deliveries != 3 {
		t.Fatalf("got %+v", got)
	}
	for _, row := range store.queue {
		if row.owner != (Owner{}) {
			t.Error("a delivery without room in memory is owned")
		}
	}
	if held := s.dispatcher.held.Load(); held != 0 {
		t.Errorf("room for %d deliveries is taken", held)
	}
}

func TestIngestSaysWhenItDoesNotKnow(t *testing.T) {
	s := newFront(t, newFakeStore()) // its ingester does not run
	if _, err := s.configs.get(t.Context(), listen(t, s, ActiveAlert, Enabled).Org); err != nil {
		t.Fatal(err)
	}
	if _, err := s.learner.learn(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.ingester.submit(ctx, nil); CodeOf(err) != Unavailable {
		t.Errorf("the caller gave up: %v", err)
	}
	close(s.ingester.stopped)
	if _, err := s.ingester.submit(t.Context(), nil); CodeOf(err) != Unavailable {
		t.Errorf("the ingester has stopped: %v", err)
	}
}

func TestIngestSaysWhenTheStoreFails(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	listen(t, s, ActiveAlert, Enabled)
	store.change(func() {
		store.fail = func(method string) error {
			if method == "Ingest" {
				return errors.New("disk full")
			}
			return nil
		}
	})
	if _, err := s.Ingest(t.Context(), testPortal, []Report{alertReport("s")}); CodeOf(err) != Unavailable {
		t.Errorf("err = %v, want %s", err, Unavailable)
	}
	if held := s.dispatcher.held.Load(); held != 0 {
		t.Errorf("room for %d deliveries is still taken", held)
	}
	store.change(func() { store.fail = nil })
	if got := take(t, s, alertReport("s")); got.Status != Accepted {
		t.Errorf("sent again: %+v", got)
	}
}

func TestTheSameReportManyTimesAtOnceIsOneEvent(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	listen(t, s, ActiveAlert, Enabled)
	results := make([]IngestResult, 100)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = take(t, s, alertReport("s")) })
	}
	all.Wait()
	accepted := 0
	for _, r := range results {
		if r.Status == Accepted {
			accepted++
		}
		if r.Status == Rejected || r.Events[0] != results[0].Events[0] || r.Deliveries != 1 {
			t.Errorf("result = %+v, want the event %s", r, results[0].Events[0])
		}
	}
	if accepted != 1 || len(store.queue) != 1 {
		t.Errorf("%d accepted, %d deliveries; want 1 and 1", accepted, len(store.queue))
	}
}
