package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestIngestLeavesDeliveriesToTheQueueWhenMemoryIsFull(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store, func(o *Options) { o.Memory = 2 })
	taking(t, s)
	listen(t, s, OperationInWorkspace, Enabled)
	if got := take(t, s, OperationOn(3)); got.Deliveries != 3 {
		t.Fatalf("got %+v", got)
	}
	for _, row := range store.queue {
		if row.owner != (Owner{}) {
			t.Error("a delivery without room in memory is owned")
		}
	}
	if held := s.pipeline.Dispatcher.Held(); held != 0 {
		t.Errorf("room for %d deliveries is taken", held)
	}
}

func TestIngestSaysWhenItDoesNotKnow(t *testing.T) {
	s := newFront(t, newFakeStore()) // its ingester does not run
	if _, err := s.pipeline.Webhooks.Get(t.Context(), listen(t, s, ActiveAlert, Enabled).Org); err != nil {
		t.Fatal(err)
	}
	if err := s.pipeline.Ingester.register.items(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.pipeline.Ingester.enqueuer.enqueue(ctx, nil); CodeOf(err) != Unavailable {
		t.Errorf("the caller gave up: %v", err)
	}
	stopped, end := context.WithCancel(t.Context())
	end()
	if err := s.pipeline.Ingester.enqueuer.Run(stopped); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pipeline.Ingester.enqueuer.enqueue(t.Context(), nil); CodeOf(err) != Unavailable {
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
	if _, err := s.Ingest(t.Context(), testPortal, []Report{AlertReport("s")}); CodeOf(err) != Unavailable {
		t.Errorf("err = %v, want %s", err, Unavailable)
	}
	if held := s.pipeline.Dispatcher.Held(); held != 0 {
		t.Errorf("room for %d deliveries is still taken", held)
	}
	store.change(func() { store.fail = nil })
	if got := take(t, s, AlertReport("s")); got.Status != Accepted {
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
		all.Go(func() { results[i] = take(t, s, AlertReport("s")) })
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

// unitOf returns a unit of n events whose keys start with prefix.
func unitOf(org OrgID, prefix string, n int) Ingest {
	unit := Ingest{Org: org}
	for i := range n {
		unit.Events = append(unit.Events, NewEvent{Key: fmt.Sprint(prefix, i)})
	}
	return unit
}

func TestABatchTakesWhatFits(t *testing.T) {
	for name, tt := range map[string]struct {
		waiting []Ingest // one handover each
		batch   int      // how many of them are the first batch
	}{
		"all that waits":         {[]Ingest{unitOf(1, "a", 1), unitOf(1, "b", 1), unitOf(1, "c", 9)}, 3},
		"no more than a batch":   {[]Ingest{unitOf(1, "a", 4000), unitOf(1, "b", 900), unitOf(1, "c", 200)}, 2},
		"an oversized one alone": {[]Ingest{unitOf(1, "a", 6000), unitOf(1, "b", 1)}, 1},
		"the same fact goes to the next": {
			[]Ingest{unitOf(1, "a", 3), unitOf(1, "b", 1), unitOf(1, "a", 1)}, 2,
		},
		"another organization's key does not": {[]Ingest{unitOf(1, "a", 3), unitOf(2, "a", 3)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnqueuer(nil, nil, PipelineOptions{}, nil, nil)
			// What is left of an earlier batch must not matter.
			e.admit(&handover{units: []Ingest{unitOf(1, "c", 4999), unitOf(1, "b", 1)}}, true)
			batch := 0
			for i, unit := range tt.waiting {
				if !e.admit(&handover{units: []Ingest{unit}}, i == 0) {
					break
				}
				batch++
			}
			if batch != tt.batch {
				t.Errorf("%d in the batch, want %d", batch, tt.batch)
			}
		})
	}
}

func TestPortionNeverHasAFactTwice(t *testing.T) {
	in := func(prefix string, n int) *submission {
		in := &submission{org: TestOrg}
		for i := range n {
			in.facts = append(in.facts, fact{Key: fmt.Sprint(prefix, i)})
		}
		return in
	}
	a, b := in("a", 600), in("b", 600)
	for name, tt := range map[string]struct {
		parts []part
		want  int
	}{
		"small ones together":     {[]part{{a, 0, 1}, {b, 0, 1}, {a, 1, 2}}, 3},
		"about a thousand events": {[]part{{a, 0, 600}, {b, 0, 600}}, 1},
		"a repeat waits":          {[]part{{a, 0, 1}, {b, 0, 1}, {a, 0, 1}}, 2},
	} {
		if got := portion(tt.parts); got != tt.want {
			t.Errorf("%s: %d parts, want %d", name, got, tt.want)
		}
	}
}

func BenchmarkIngest(b *testing.B) {
	store := newFakeStore()
	s := newFront(b, store)
	taking(b, s)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		reports := make([]Report, 100)
		for i := range reports {
			n++
			reports[i] = AlertReport(fmt.Sprint("s-", n))
		}
		if _, err := s.Ingest(b.Context(), testPortal, reports); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100), "ns/report")
}

// PostgreSQL refuses NUL and bad UTF-8; an event must not be lost for them.
func TestNothingUnstorableReachesTheStore(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	bad := "a\x00b\xffc"
	r := AlertReport("s")
	r.OrganizationName, r.ActiveAlert.Alert.Name, r.ActiveAlert.Workspace.Name = bad, bad, bad
	r.ActiveAlert.Alert.Information = bad
	if got := take(t, s, r); got.Status != Accepted {
		t.Fatalf("got %+v", got)
	}
	for _, e := range store.events {
		for _, text := range []string{
			e.ItemName, e.WorkspaceName, string(e.Variables), store.items[0].Name, store.orgs[0].Name,
		} {
			if !storable(text) || strings.Contains(text, `\u0000`) {
				t.Errorf("%q would be stored", text)
			}
		}
	}
	take(t, s, r)
	if n := store.calls["LearnItems"] + store.calls["LearnOrganizations"]; n != 2 {
		t.Errorf("known things were learnt %d times, want once each", n)
	}
}

func TestIngestGivesUpWaitingWhenTheCallerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		s := newFront(t, store)
		listen(t, s, ActiveAlert, Enabled)
		store.change(func() { store.took["Ingest"] = time.Second })
		run, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = s.pipeline.Ingester.enqueuer.Run(run) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := s.Ingest(ctx, testPortal, []Report{AlertReport("s")}); CodeOf(err) != Unavailable {
			t.Errorf("err = %v, want %s", err, Unavailable)
		}
		// It was being stored all the same: the re-send is no second event.
		got, err := s.Ingest(t.Context(), testPortal, []Report{AlertReport("s")})
		if err != nil || got[0].Status != Duplicated || len(store.queue) != 1 {
			t.Errorf("sent again: %+v, %v", got, err)
		}
		stop()
		<-done
	})
}
