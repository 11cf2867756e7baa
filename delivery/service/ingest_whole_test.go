package service

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"

	"pgregory.net/rapid"
)

// pairOfFronts runs two servers that take reports in over one store.
func pairOfFronts(t testing.TB) (store *memstore.Faulty, pair [2]*Service, stop func()) {
	store = memstore.NewFaulty()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range pair {
		slot := i + 1
		pair[i] = newFront(t, store, func(o *Options) { o.Owner = delivery.Owner{Slot: slot, Epoch: 1} })
		running.Go(func() { _ = pair[i].pipeline.Ingester.Run(ctx) })
	}
	return store, pair, func() { cancel(); running.Wait() }
}

// wholes returns the variables of the events of whole operations.
func wholes(t interface{ Error(args ...any) }, store *memstore.Faulty) (all []map[string]any) {
	store.Change(func() {
		for e := range maps.Values(store.EventRows) {
			if e.Type != delivery.OperationExecuted {
				continue
			}
			var v map[string]any
			if err := json.Unmarshal(e.Variables, &v); err != nil {
				t.Error(err)
			}
			all = append(all, v)
		}
	})
	return all
}

// expecting reports some devices of an operation that has n.
func expecting(n int, devices []delivery.WorkspaceExecution) delivery.Report {
	r := deliverytest.OperationOn(0)
	r.Operation.ExpectedWorkspaces, r.Operation.Workspaces = n, devices
	return r
}

// However the reports of an operation are cut, ordered, repeated and spread over
// servers: with the last of the expected devices, and not before, the operation's
// event is raised once, and always with the same values.
func TestTheWholeWaitsForExpectedDevices(t *testing.T) {
	results := []delivery.OperationResult{
		delivery.ResultCompleted, delivery.ResultCancelled, delivery.ResultTimeout, delivery.ResultError,
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "devices")
		devices := deliverytest.Devices(0, n)
		for i := range devices {
			devices[i].Result = rapid.SampledFrom(results).Draw(rt, "result")
			if rapid.IntRange(0, 9).Draw(rt, "has no end") == 0 {
				devices[i].EndDate = time.Time{}
			}
		}
		var sends []delivery.Report
		for from := 0; from < n; {
			to := min(n, from+rapid.IntRange(1, 3).Draw(rt, "size"))
			r := expecting(n, devices[rapid.IntRange(0, from).Draw(rt, "overlap"):to])
			r.Operation.Partial = rapid.Bool().Draw(rt, "partial")
			for range rapid.IntRange(1, 2).Draw(rt, "sends") {
				sends = append(sends, r)
			}
			from = to
		}
		sends = rapid.Permutation(sends).Draw(rt, "order")

		store, pair, stop := pairOfFronts(t)
		defer stop()
		known, raised := make(map[string]bool), 0
		for len(sends) > 0 {
			call := sends[:rapid.IntRange(1, len(sends)).Draw(rt, "call")]
			sends = sends[len(call):]
			server := pair[rapid.IntRange(0, 1).Draw(rt, "server")]
			got, err := server.Ingest(context.Background(), testPortal, call)
			if err != nil {
				rt.Fatal(err)
			}
			accepted := 0
			for i, r := range got {
				if r.Status == delivery.Accepted {
					accepted += len(r.Events)
				}
				for _, e := range call[i].Operation.Workspaces {
					if !known[e.Workspace.ID] {
						known[e.Workspace.ID], accepted = true, accepted-1
					}
				}
			}
			raised += accepted // events beside those of devices
			if want := len(known) == n; (len(wholes(rt, store)) == 1) != want || (raised == 1) != want {
				rt.Fatalf("%d events of the whole, %d answered, with %d of %d devices",
					len(wholes(rt, store)), raised, len(known), n)
			}
		}

		one, single, stopOne := pairOfFronts(t)
		defer stopOne()
		if _, err := single[0].Ingest(context.Background(), testPortal, []delivery.Report{
			expecting(n, devices),
		}); err != nil {
			rt.Fatal(err)
		}
		if got, want := wholes(rt, store)[0], wholes(rt, one)[0]; !reflect.DeepEqual(got, want) {
			rt.Errorf("in parts the whole is\n%v, in one report\n%v", got, want)
		}
	})
}

// Servers that store the last devices at the same time raise the event once.
func TestServersFinishAnOperationOnce(t *testing.T) {
	const n = 12
	for range 20 {
		store, pair, stop := pairOfFronts(t)
		var sending sync.WaitGroup
		for i, device := range deliverytest.Devices(0, n) {
			sending.Go(func() {
				reports := []delivery.Report{expecting(n, []delivery.WorkspaceExecution{device})}
				if _, err := pair[i%2].Ingest(t.Context(), testPortal, reports); err != nil {
					t.Error(err)
				}
			})
		}
		sending.Wait()
		if got := wholes(t, store); len(got) != 1 || got[0]["workspaces_count"] != float64(n) {
			t.Errorf("events of the whole %v, want one with %d devices", got, n)
		}
		stop()
	}
}

// A server that fails after it has stored the last device has not answered. The
// re-send raises the event.
func TestAReSendFinishesAnOperation(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	report := expecting(2, deliverytest.Devices(0, 2))
	store.Change(func() {
		store.Fail = func(method string) error {
			if method == "CountOfGroup" {
				return errors.New("no connection")
			}
			return nil
		}
	})
	if _, err := s.Ingest(t.Context(), testPortal, []delivery.Report{report}); err == nil {
		t.Fatal("no error")
	}
	store.Change(func() { store.Fail = nil })
	if got := take(t, s, report); got.Status != delivery.Accepted || len(got.Events) != 1 {
		t.Errorf("the re-send is %+v, want the event of the whole", got)
	}
	if got := take(t, s, report); got.Status != delivery.Duplicated || len(got.Events) != 3 {
		t.Errorf("the next re-send is %+v, want a duplicate of all three events", got)
	}
}

// A report without expectedWorkspaces ends the waiting for devices that never come.
func TestAReportEndsTheWaiting(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	take(t, s, expecting(3, deliverytest.Devices(0, 2)))
	if got := take(t, s, deliverytest.OperationOn(0)); got.Status != delivery.Accepted {
		t.Fatalf("got %+v", got)
	}
	if got := wholes(t, store); len(got) != 1 || got[0]["workspaces_count"] != 2.0 {
		t.Errorf("events of the whole %v, want one with two devices", got)
	}
}
