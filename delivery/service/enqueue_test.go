package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"
)

func TestIngestLeavesDeliveriesToTheQueueWhenMemoryIsFull(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store, func(o *Options) { o.Memory = 2 })
	taking(t, s)
	listen(t, s, delivery.OperationInWorkspace, delivery.Enabled)
	if got := take(t, s, deliverytest.OperationOn(3)); got.Deliveries != 3 {
		t.Fatalf("got %+v", got)
	}
	for _, job := range store.Queued() {
		if job.Owner != (delivery.Owner{}) {
			t.Error("a delivery without room in memory is owned")
		}
	}
	if held := s.pipeline.Dispatcher.Held(); held != 0 {
		t.Errorf("room for %d deliveries is taken", held)
	}
}

func TestIngestSaysWhenItDoesNotKnow(t *testing.T) {
	s := newFront(t, memstore.NewFaulty()) // its ingester does not run
	org := listen(t, s, delivery.ActiveAlert, delivery.Enabled).Org
	if _, err := s.pipeline.Webhooks.Get(t.Context(), org); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.pipeline.Ingester.Enqueue(ctx, nil); delivery.CodeOf(err) != delivery.Unavailable {
		t.Errorf("the caller gave up: %v", err)
	}
	stopped, end := context.WithCancel(t.Context())
	end()
	if err := s.pipeline.Ingester.Run(stopped); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pipeline.Ingester.Enqueue(t.Context(), nil); delivery.CodeOf(err) != delivery.Unavailable {
		t.Errorf("the ingester has stopped: %v", err)
	}
}

func TestIngestSaysWhenTheStoreFails(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	listen(t, s, delivery.ActiveAlert, delivery.Enabled)
	store.Change(func() {
		store.Fail = func(method string) error {
			if method == "Ingest" {
				return errors.New("disk full")
			}
			return nil
		}
	})
	_, err := s.Ingest(t.Context(), testPortal, []delivery.Report{deliverytest.AlertReport("s")})
	if delivery.CodeOf(err) != delivery.Unavailable {
		t.Errorf("err = %v, want %s", err, delivery.Unavailable)
	}
	if held := s.pipeline.Dispatcher.Held(); held != 0 {
		t.Errorf("room for %d deliveries is still taken", held)
	}
	store.Change(func() { store.Fail = nil })
	if got := take(t, s, deliverytest.AlertReport("s")); got.Status != delivery.Accepted {
		t.Errorf("sent again: %+v", got)
	}
}

func TestTheSameReportManyTimesAtOnceIsOneEvent(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	listen(t, s, delivery.ActiveAlert, delivery.Enabled)
	results := make([]delivery.IngestResult, 100)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = take(t, s, deliverytest.AlertReport("s")) })
	}
	all.Wait()
	accepted := 0
	for _, r := range results {
		if r.Status == delivery.Accepted {
			accepted++
		}
		if r.Status == delivery.Rejected || r.Events[0] != results[0].Events[0] || r.Deliveries != 1 {
			t.Errorf("result = %+v, want the event %s", r, results[0].Events[0])
		}
	}
	if accepted != 1 || len(store.Queued()) != 1 {
		t.Errorf("%d accepted, %d deliveries; want 1 and 1", accepted, len(store.Queued()))
	}
}

func BenchmarkIngest(b *testing.B) {
	store := memstore.NewFaulty()
	s := newFront(b, store)
	taking(b, s)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		reports := make([]delivery.Report, 100)
		for i := range reports {
			n++
			reports[i] = deliverytest.AlertReport(fmt.Sprint("s-", n))
		}
		if _, err := s.Ingest(b.Context(), testPortal, reports); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100), "ns/report")
}

// PostgreSQL refuses NUL and bad UTF-8; an event must not be lost for them.
func TestNothingUnstorableReachesTheStore(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	bad := "a\x00b\xffc"
	r := deliverytest.AlertReport("s")
	r.OrganizationName, r.ActiveAlert.Alert.Name, r.ActiveAlert.Workspace.Name = bad, bad, bad
	r.ActiveAlert.Alert.Information = bad
	if got := take(t, s, r); got.Status != delivery.Accepted {
		t.Fatalf("got %+v", got)
	}
	for _, e := range store.EventRows {
		for _, text := range []string{
			e.ItemName, e.WorkspaceName, string(e.Variables), store.ItemRows[0].Name, store.OrgRows[0].Name,
		} {
			if !delivery.Storable(text) || strings.Contains(text, `\u0000`) {
				t.Errorf("%q would be stored", text)
			}
		}
	}
	registered := func() int { return store.Calls["RegisterItems"] + store.Calls["RegisterOrganizations"] }
	before := registered()
	r.SourceEventID = "s-2"
	take(t, s, r)
	if n := registered() - before; n != 0 {
		t.Errorf("what is known was registered %d times again", n)
	}
}

func TestIngestGivesUpWaitingWhenTheCallerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.NewFaulty()
		s := newFront(t, store)
		listen(t, s, delivery.ActiveAlert, delivery.Enabled)
		store.Change(func() { store.Took["Ingest"] = time.Second })
		run, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = s.pipeline.Ingester.Run(run) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := s.Ingest(ctx, testPortal, []delivery.Report{deliverytest.AlertReport("s")}); delivery.CodeOf(
			err,
		) != delivery.Unavailable {
			t.Errorf("err = %v, want %s", err, delivery.Unavailable)
		}
		// It was being stored all the same: the re-send is no second event.
		got, err := s.Ingest(t.Context(), testPortal, []delivery.Report{deliverytest.AlertReport("s")})
		if err != nil || got[0].Status != delivery.Duplicated || len(store.Queued()) != 1 {
			t.Errorf("sent again: %+v, %v", got, err)
		}
		stop()
		<-done
	})
}
