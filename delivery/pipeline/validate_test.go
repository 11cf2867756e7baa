package pipeline

import (
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
)

func TestValidateReport(t *testing.T) {
	long := strings.Repeat("x", delivery.MaxIDLength+1)
	alert := func(change func(*delivery.Report)) delivery.Report {
		r := deliverytest.AlertReport("s")
		change(&r)
		return r
	}
	operation := func(change func(*delivery.OperationReport)) delivery.Report {
		r := deliverytest.OperationOn(3)
		change(r.Operation)
		return r
	}
	object := func(change func(*delivery.ObjectReport)) delivery.Report {
		r := delivery.Report{OrganizationID: "acme", SourceEventID: "s", ObjectChange: &delivery.ObjectReport{
			Action: "MODIFIED", TypeID: "user", ID: "1", Name: "N", User: delivery.ReportedUser{Name: "Nora"},
		}}
		change(r.ObjectChange)
		return r
	}
	microservice := func(change func(*delivery.MicroserviceReport)) delivery.Report {
		r := delivery.Report{
			OrganizationID: "acme",
			SourceEventID:  "s",
			MicroserviceExecution: &delivery.MicroserviceReport{
				OperationID: "op", Microservice: delivery.ReportedItem{ID: "m", Name: "M"},
				Workspaces: deliverytest.Devices(0, 2),
			},
		}
		change(r.MicroserviceExecution)
		return r
	}
	for name, tt := range map[string]struct {
		report delivery.Report
		field  string // "" when the report is fine
		code   delivery.Code
	}{
		"an alert":           {alert(func(*delivery.Report) {}), "", ""},
		"an operation":       {operation(func(*delivery.OperationReport) {}), "", ""},
		"an object's change": {object(func(*delivery.ObjectReport) {}), "", ""},
		"a microservice":     {microservice(func(*delivery.MicroserviceReport) {}), "", ""},
		"no organization": {
			alert(func(r *delivery.Report) { r.OrganizationID = "" }), "organizationId",
			delivery.Required,
		},
		"a time that can't be read": {
			alert(func(r *delivery.Report) { r.OccurredAt = delivery.UnreadableTime }), "occurredAt",
			delivery.Invalid,
		},
		"no source id": {
			alert(func(r *delivery.Report) { r.SourceEventID = "" }), "sourceEventId",
			delivery.Required,
		},
		"a long id": {
			alert(func(r *delivery.Report) { r.SourceEventID = long }), "sourceEventId",
			delivery.Invalid,
		},
		"256 characters are not bytes": {
			alert(func(r *delivery.Report) { r.SourceEventID = strings.Repeat("é", 256) }), "",
			"",
		},
		"a line break in an id": {
			alert(func(r *delivery.Report) { r.SourceEventID = "a\nb" }), "sourceEventId",
			delivery.Invalid,
		},
		"NUL in an id": {
			alert(func(r *delivery.Report) { r.SourceEventID = "a\x00" }), "sourceEventId",
			delivery.Invalid,
		},
		"bad UTF-8 in an id": {
			alert(func(r *delivery.Report) { r.SourceEventID = "a\xff" }), "sourceEventId",
			delivery.Invalid,
		},
		"no payload": {alert(func(r *delivery.Report) { r.ActiveAlert = nil }), "event", delivery.Invalid},
		"two payloads": {
			alert(func(r *delivery.Report) { r.ObjectChange = &delivery.ObjectReport{} }), "event",
			delivery.Invalid,
		},
		"a long name": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Alert.Name = strings.Repeat("x", 1001) }),
			"event.activeAlert.alert.name", delivery.Invalid,
		},
		"control characters in a text": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Alert.Information = "\x00\x1b[31m\xff" }), "", "",
		},
		"a text over 64 KiB": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Alert.Information = strings.Repeat("x", 64<<10+1) }),
			"event.activeAlert.alert.information", delivery.Invalid,
		},
		"no alert start": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Alert.Start = time.Time{} }),
			"event.activeAlert.alert.start",
			delivery.Required,
		},
		"a year that RFC 3339 can't write": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Alert.Start = deliverytest.Now.AddDate(8000, 0, 0) }),
			"event.activeAlert.alert.start", delivery.Invalid,
		},
		"an unknown severity": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Alert.Severity = "Critical" }),
			"event.activeAlert.alert.severity",
			delivery.Invalid,
		},
		"a link that runs code": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Alert.ViewURL = "javascript:alert(1)" }),
			"event.activeAlert.alert.viewUrl", delivery.Invalid,
		},
		"a device without an id": {
			alert(func(r *delivery.Report) { r.ActiveAlert.Workspace.ID = "" }), "event.activeAlert.workspace.id",
			delivery.Required,
		},
		"no device": {alert(func(r *delivery.Report) { r.ActiveAlert.Workspace = nil }), "", ""},
		"no operation type": {
			operation(func(o *delivery.OperationReport) { o.TypeID = "" }), "event.operation.typeId",
			delivery.Required,
		},
		"no start of the third device": {
			operation(func(o *delivery.OperationReport) { o.Workspaces[2].StartDate = time.Time{} }),
			"event.operation.workspaces.2.startDate", delivery.Required,
		},
		"an end before the start": {
			operation(func(o *delivery.OperationReport) {
				o.Workspaces[2].EndDate = deliverytest.Now.Add(-time.Hour)
			}), "", "",
		},
		"no result of a device": {
			operation(func(o *delivery.OperationReport) { o.Workspaces[1].Result = "" }),
			"event.operation.workspaces.1.result", delivery.Invalid,
		},
		"an unknown result": {
			operation(func(o *delivery.OperationReport) { o.Result = "DONE" }), "event.operation.result",
			delivery.Invalid,
		},
		"a microservice without an id": {
			operation(func(o *delivery.OperationReport) { o.Microservice = &delivery.ReportedItem{} }),
			"event.operation.microservice.id", delivery.Required,
		},
		"a device twice in the same words": {
			operation(func(o *delivery.OperationReport) { o.Workspaces[2] = o.Workspaces[0] }), "", "",
		},
		"a device twice in other words": {
			operation(func(o *delivery.OperationReport) {
				o.Workspaces[2] = o.Workspaces[0]
				o.Workspaces[2].Result = delivery.ResultError
			}),
			"event.operation.workspaces.2.workspace.id", delivery.Invalid,
		},
		"part of an operation, on no device": {
			operation(func(o *delivery.OperationReport) { o.Partial, o.Workspaces = true, nil }),
			"event.operation.workspaces", delivery.Required,
		},
		"too many devices": {
			operation(func(o *delivery.OperationReport) {
				o.Workspaces = deliverytest.Devices(0,
					delivery.MaxWorkspaces+1)
			}),
			"event.operation.workspaces", delivery.LimitExceeded,
		},
		"a microservice on no device": {
			microservice(func(m *delivery.MicroserviceReport) { m.Workspaces = nil }),
			"event.microserviceExecution.workspaces", delivery.Required,
		},
		"an unknown action": {
			object(func(o *delivery.ObjectReport) { o.Action = "RENAMED" }),
			"event.objectChange.action", delivery.Invalid,
		},
		"no object type": {
			object(func(o *delivery.ObjectReport) { o.TypeID = "" }),
			"event.objectChange.object.typeId", delivery.Required,
		},
		"a nameless user": {object(func(o *delivery.ObjectReport) { o.User = delivery.ReportedUser{} }), "", ""},
		"too many properties": {
			object(func(o *delivery.ObjectReport) { o.Changes = make([]delivery.FieldChange, 1001) }),
			"event.objectChange.object.changes", delivery.LimitExceeded,
		},
		"a property's name too long": {
			object(func(o *delivery.ObjectReport) {
				o.Changes = []delivery.FieldChange{{}, {Property: strings.Repeat("x", 1001)}}
			}),
			"event.objectChange.object.changes.1.property", delivery.Invalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			problems := validateReport(&tt.report)
			if tt.field == "" {
				if problems != nil {
					t.Fatalf("refused: %s: %s", problems[0].Field, problems[0].Message)
				}
				return
			}
			if len(problems) != 1 || problems[0].Field != tt.field || problems[0].Code != tt.code {
				t.Fatalf("problems = %+v, want one %s at %s", problems, tt.code, tt.field)
			}
			if problems[0].Message == "" || !strings.HasSuffix(problems[0].Message, ".") {
				t.Errorf("the message %q is not a sentence", problems[0].Message)
			}
		})
	}
}

func TestValidateReportTellsEverythingAtOnceAndStaysReadable(t *testing.T) {
	r := deliverytest.OperationOn(200)
	r.SourceEventID, r.Operation.TypeID = "", ""
	for i := range r.Operation.Workspaces {
		r.Operation.Workspaces[i].Result = "?"
	}
	problems := validateReport(&r)
	if len(problems) != delivery.MaxErrors {
		t.Fatalf("%d problems, want %d", len(problems), delivery.MaxErrors)
	}
	if problems[0].Field != "sourceEventId" || problems[1].Field != "event.operation.typeId" {
		t.Errorf("the first problems are %v", problems[:2])
	}
}
