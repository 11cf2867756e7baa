package service

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"

	"pgregory.net/rapid"
)

func TestIngestOfTwentyThousandDevices(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	got := take(t, s, deliverytest.OperationOn(20_000))
	if got.Status != delivery.Accepted || len(got.Events) != 20_001 {
		t.Fatalf("%s with %d events", got.Status, len(got.Events))
	}
	if n := store.Calls["Ingest"]; n < 20 {
		t.Errorf("%d transactions: others would have to wait for all of it", n)
	}
	if again := take(t, s, deliverytest.OperationOn(20_000)); again.Status != delivery.Duplicated ||
		len(again.Events) != 20_001 {
		t.Errorf("again: %s with %d events", again.Status, len(again.Events))
	}
}

func TestWholeReportCountsPartsThatCameBefore(t *testing.T) {
	for name, inOneCall := range map[string]bool{"earlier": false, "in the same call": true} {
		t.Run(name, func(t *testing.T) {
			store := memstore.NewFaulty()
			s := newFront(t, store)
			taking(t, s)
			part, whole := deliverytest.OperationOn(3), deliverytest.OperationOn(0)
			part.Operation.Partial = true
			part.Operation.Workspaces[1].Result = delivery.ResultTimeout
			calls := [][]delivery.Report{{part}, {whole}}
			if inOneCall {
				calls = [][]delivery.Report{{part, whole}}
			}
			for _, reports := range calls {
				if _, err := s.Ingest(t.Context(), testPortal, reports); err != nil {
					t.Fatal(err)
				}
			}
			for _, e := range store.EventRows {
				if e.Type == delivery.OperationExecuted {
					var v map[string]any
					if err := json.Unmarshal(e.Variables, &v); err != nil {
						t.Fatal(err)
					}
					if v["workspaces_count"] != 3.0 || v["operation_result"] != "Timeout" {
						t.Errorf("variables = %v", v)
					}
				}
			}
		})
	}
}

// A report that states nothing new names the events that it states, also the one
// that another part of the operation raised.
func TestADuplicateNamesAllEventsThatItStates(t *testing.T) {
	s := newFront(t, memstore.NewFaulty())
	taking(t, s)
	part := func(from, to int) delivery.Report {
		r := deliverytest.OperationOn(0)
		r.Operation.Partial, r.Operation.Workspaces = true, deliverytest.Devices(from, to)
		return r
	}
	first, second := take(t, s, part(0, 2)), take(t, s, part(1, 3))
	if len(first.Events) != 2 || len(second.Events) != 1 {
		t.Fatalf("the parts raised %v and %v, want two events and one", first.Events, second.Events)
	}
	again := take(t, s, part(1, 3))
	want := []delivery.EventID{first.Events[1], second.Events[0]}
	if again.Status != delivery.Duplicated || !slices.Equal(again.Events, want) {
		t.Errorf("%s with %v, want the events %v", again.Status, again.Events, want)
	}
}

// However Portal splits the report of an operation, in whatever order the parts
// come and however often each is sent: n devices are 1 + n events.
func TestOperationIsOnePlusNHoweverItIsReported(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := memstore.NewFaulty()
		s := newFront(t, store)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = s.pipeline.Ingester.Run(ctx) }()
		defer func() { stop(); <-done }()

		n := rapid.IntRange(1, 12).Draw(rt, "devices")
		microservice := rapid.Bool().Draw(rt, "microservice")
		var sends []delivery.Report
		add := func(from, to int, partial bool) {
			r := deliverytest.OperationOn(0)
			r.Operation.Workspaces, r.Operation.Partial = deliverytest.Devices(from, to), partial
			if microservice {
				r.Operation.Microservice = &delivery.ReportedItem{ID: "m", Name: "M"}
			}
			for range rapid.IntRange(1, 3).Draw(rt, "sends") {
				sends = append(sends, r)
			}
		}
		cut := rapid.IntRange(0, n).Draw(rt, "cut")
		for from := 0; from < cut; {
			to := min(cut, from+rapid.IntRange(1, 4).Draw(rt, "size"))
			add(from, to, true)
			from = to
		}
		// The last part lists the rest, or some of the earlier ones again.
		add(rapid.IntRange(0, cut).Draw(rt, "from"), n, false)
		sends = rapid.Permutation(sends).Draw(rt, "order")

		accepted := 0
		for len(sends) > 0 {
			size := rapid.IntRange(1, len(sends)).Draw(rt, "call")
			results, err := s.Ingest(ctx, testPortal, sends[:size])
			if err != nil {
				rt.Fatal(err)
			}
			sends = sends[size:]
			for _, r := range results {
				if r.Status == delivery.Rejected {
					rt.Fatalf("rejected: %v", r.Errors)
				}
				if r.Status == delivery.Accepted {
					accepted += len(r.Events)
				}
			}
		}
		got := make(map[delivery.EventType]int)
		for _, e := range store.EventRows {
			got[e.Type]++
		}
		each := 1
		if microservice {
			each = 2
		}
		if got[delivery.OperationExecuted] != 1 || got[delivery.OperationInWorkspace] != n || accepted != 1+each*n {
			rt.Errorf("events %v of %d devices, %d accepted", got, n, accepted)
		}
	})
}
