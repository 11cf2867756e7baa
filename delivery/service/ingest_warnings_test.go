package service

import (
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"
)

// operation returns a report of one whole operation on n devices after a change.
func operation(n int, change func(*delivery.OperationReport)) delivery.Report {
	r := deliverytest.OperationOn(n)
	change(r.Operation)
	return r
}

// A warned is a warning without its message.
type warned struct {
	code  delivery.WarningCode
	field string
}

func warnedOf(result delivery.IngestResult) []warned {
	var list []warned
	for _, w := range result.Warnings {
		list = append(list, warned{w.Code, w.Field})
	}
	return list
}

// What was assumed about a report is said with its result, and again with that of
// its re-send where it still holds.
func TestIngestWarns(t *testing.T) {
	part := func(o *delivery.OperationReport) { o.Partial = true }
	failed := func(o *delivery.OperationReport) { o.Workspaces[0].Result = delivery.ResultError }
	for name, tt := range map[string]struct {
		before []delivery.Report
		report delivery.Report
		first  []warned // of the report
		again  []warned // of its re-send
	}{
		"a device was reported with another result": {
			before: []delivery.Report{operation(1, part)},
			report: operation(1, func(o *delivery.OperationReport) { part(o); failed(o) }),
			first:  []warned{{delivery.OtherValues, "event.operation.workspaces.0"}},
			again:  []warned{{delivery.OtherValues, "event.operation.workspaces.0"}},
		},
		"the operation was reported with another result": {
			before: []delivery.Report{deliverytest.OperationOn(1)},
			report: operation(1, func(o *delivery.OperationReport) { o.Result = delivery.ResultTimeout }),
			first:  []warned{{delivery.OtherValues, "event.operation.operationId"}},
			again:  []warned{{delivery.OtherValues, "event.operation.operationId"}},
		},
		"the operation was reported with fewer devices": {
			before: []delivery.Report{deliverytest.OperationOn(1)},
			report: deliverytest.OperationOn(2),
			first: []warned{
				{delivery.OtherValues, "event.operation.operationId"},
				{delivery.AfterWhole, "event.operation.workspaces"},
			},
			again: []warned{{delivery.OtherValues, "event.operation.operationId"}},
		},
		"a part comes after the whole": {
			before: []delivery.Report{deliverytest.OperationOn(1)},
			report: operation(2, part),
			first:  []warned{{delivery.AfterWhole, "event.operation.workspaces"}},
		},
		"a device comes after those that were expected": {
			before: []delivery.Report{operation(1, func(o *delivery.OperationReport) { o.ExpectedWorkspaces = 1 })},
			report: operation(2, func(o *delivery.OperationReport) { o.ExpectedWorkspaces = 1 }),
			first:  []warned{{delivery.AfterWhole, "event.operation.workspaces"}},
		},
		"a microservice ran otherwise on a device": {
			before: []delivery.Report{{
				OrganizationID: "acme", SourceEventID: "m", MicroserviceExecution: &delivery.MicroserviceReport{
					OperationID: "op-1", Microservice: delivery.ReportedItem{ID: "m"},
					Workspaces: deliverytest.Devices(0, 1),
				},
			}},
			report: operation(1, func(o *delivery.OperationReport) {
				failed(o)
				o.Microservice = &delivery.ReportedItem{ID: "m"}
			}),
			first: []warned{{delivery.OtherValues, "event.operation.workspaces.0"}},
			again: []warned{{delivery.OtherValues, "event.operation.workspaces.0"}},
		},
		"an end before its start": {
			report: operation(1, func(o *delivery.OperationReport) {
				o.EndDate = o.StartDate.Add(-time.Second)
				o.Workspaces[0].EndDate = o.EndDate
			}),
			first: []warned{
				{delivery.EndsBeforeStart, "event.operation.endDate"},
				{delivery.EndsBeforeStart, "event.operation.workspaces.0.endDate"},
			},
			again: []warned{
				{delivery.EndsBeforeStart, "event.operation.endDate"},
				{delivery.EndsBeforeStart, "event.operation.workspaces.0.endDate"},
			},
		},
		"no webhook fires": {
			report: delivery.Report{
				OrganizationID: "acme", SourceEventID: "s",
				ObjectChange: &delivery.ObjectReport{Action: "CREATED", TypeID: "user", ID: "1"},
			},
			first: []warned{{delivery.NothingMatched, ""}},
		},
		"nothing is assumed": {report: deliverytest.OperationOn(3)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFront(t, memstore.NewFaulty())
			taking(t, s)
			listen(t, s, delivery.OperationInWorkspace, delivery.Enabled)
			// The items are registered already.
			take(t, s, operation(1, func(o *delivery.OperationReport) { o.OperationID = "op-0" }))
			object := delivery.ObjectReport{Action: "CREATED", TypeID: "user", ID: "0"}
			take(t, s, delivery.Report{OrganizationID: "acme", SourceEventID: "0", ObjectChange: &object})
			for _, r := range tt.before {
				take(t, s, r)
			}
			if got := warnedOf(take(t, s, tt.report)); !slices.Equal(got, tt.first) {
				t.Errorf("warnings %v, want %v", got, tt.first)
			}
			if got := warnedOf(take(t, s, tt.report)); !slices.Equal(got, tt.again) {
				t.Errorf("warnings of the re-send %v, want %v", got, tt.again)
			}
		})
	}
}

func TestIngestBoundsItsWarnings(t *testing.T) {
	s := newFront(t, memstore.NewFaulty())
	taking(t, s)
	got := take(t, s, operation(200, func(o *delivery.OperationReport) {
		for i := range o.Workspaces {
			o.Workspaces[i].EndDate = o.StartDate.Add(-time.Second)
		}
	}))
	if n := len(got.Warnings); n != delivery.MaxErrors {
		t.Errorf("%d warnings, want %d", n, delivery.MaxErrors)
	}
}
