package service

import (
	"context"
	"fmt"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"

	"pgregory.net/rapid"
)

// anyReport draws a report from a small world, in which reports meet often: the
// same ids with the same values, or with others.
func anyReport(t *rapid.T) delivery.Report {
	pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
	r := delivery.Report{
		OrganizationID: "acme", SourceEventID: pick("source", "s-1", "s-2"),
		OrganizationName: pick("organization", "", "Acme", "Acme Retail"),
		OccurredAt:       deliverytest.Now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "hour")) * time.Hour),
	}
	devices := func() []delivery.WorkspaceExecution {
		from := rapid.IntRange(0, 3).Draw(t, "from")
		list := deliverytest.Devices(from, rapid.IntRange(from, 4).Draw(t, "to"))
		for i := range list {
			list[i].Result = delivery.OperationResult(pick("device's result", "COMPLETED", "ERROR"))
		}
		return list
	}
	microservice := delivery.ReportedItem{ID: "m", Name: pick("microservice", "M", "Clean Disk")}
	operation := pick("operation", "op-1", "op-2")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		r.ActiveAlert = deliverytest.AlertReport("").ActiveAlert
		r.ActiveAlert.Alert.Name = pick("alert", "Low disk", "CPU")
	case 1:
		r.ObjectChange = &delivery.ObjectReport{
			Action: delivery.ObjectAction(pick("action", "CREATED", "DELETED")),
			TypeID: "user", TypeName: "User", ID: "1", Name: "One",
		}
	case 2:
		r.MicroserviceExecution = &delivery.MicroserviceReport{
			OperationID: operation, Microservice: microservice, Workspaces: devices(),
		}
	default:
		r.Operation = deliverytest.OperationOn(0).Operation
		r.Operation.OperationID, r.Operation.Workspaces = operation, devices()
		r.Operation.Partial = rapid.Bool().Draw(t, "partial")
		r.Operation.ExpectedWorkspaces = rapid.IntRange(0, 4).Draw(t, "expected")
		r.Operation.Result = delivery.OperationResult(pick("result", "", "COMPLETED", "TIMEOUT"))
		if rapid.Bool().Draw(t, "runs a microservice") {
			r.Operation.Microservice = &microservice
		}
	}
	return r
}

// Whatever was reported in between, a report that was accepted stays accepted:
// its re-send is a DUPLICATE and changes nothing. Only a report that waits for
// other devices may raise the event of the whole when it comes again.
func TestAReSendIsNeverWorseThanTheFirstAnswer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := memstore.NewFaulty()
		s := newFront(t, store)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = s.pipeline.Ingester.Run(ctx) }()
		defer func() { stop(); <-done }()
		send := func(reports ...delivery.Report) []delivery.IngestResult {
			results, err := s.Ingest(ctx, testPortal, reports)
			if err != nil {
				rt.Fatal(err)
			}
			return results
		}
		var accepted []delivery.Report
		for range rapid.IntRange(1, 12).Draw(rt, "calls") {
			batch := rapid.SliceOfN(rapid.Custom(anyReport), 1, 3).Draw(rt, "batch")
			for i, result := range send(batch...) {
				if result.Status != delivery.Rejected {
					accepted = append(accepted, batch[i])
				}
			}
			for i, result := range send(accepted...) {
				waits := accepted[i].Operation != nil && accepted[i].Operation.ExpectedWorkspaces > 0
				if result.Status != delivery.Duplicated && (!waits || result.Status == delivery.Rejected) {
					rt.Fatalf("%s, want DUPLICATE, for the re-send of %s: %+v",
						result.Status, describe(&accepted[i]), result.Errors)
				}
			}
			before := contentOf(store)
			for i, result := range send(accepted...) {
				if result.Status != delivery.Duplicated {
					rt.Fatalf("%s, want DUPLICATE, for another re-send of %s", result.Status, describe(&accepted[i]))
				}
			}
			if after := contentOf(store); after != before {
				rt.Fatalf("re-sends have changed\n%s\nto\n%s", before, after)
			}
		}
	})
}

// contentOf shows what a report may change.
func contentOf(store *memstore.Faulty) (text string) {
	store.Change(func() {
		text = fmt.Sprintf("%+v %+v %d events", store.OrgRows, store.ItemRows, len(store.EventRows))
	})
	return text
}

// describe shows what a report of anyReport says.
func describe(r *delivery.Report) string {
	switch {
	case r.Operation != nil:
		return fmt.Sprintf("%+v", *r.Operation)
	case r.MicroserviceExecution != nil:
		return fmt.Sprintf("%+v", *r.MicroserviceExecution)
	case r.ObjectChange != nil:
		return fmt.Sprintf("%s %+v", r.SourceEventID, *r.ObjectChange)
	}
	return fmt.Sprintf("%s %+v", r.SourceEventID, *r.ActiveAlert)
}
