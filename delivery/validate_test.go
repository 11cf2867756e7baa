package delivery

import (
	"strings"
	"testing"
	"time"
)

func TestValidateReport(t *testing.T) {
	long := strings.Repeat("x", MaxIDLength+1)
	alert := func(change func(*Report)) Report {
		r := AlertReport("s")
		change(&r)
		return r
	}
	operation := func(change func(*OperationReport)) Report {
		r := OperationOn(3)
		change(r.Operation)
		return r
	}
	object := func(change func(*ObjectReport)) Report {
		r := Report{OrganizationID: "acme", SourceEventID: "s", ObjectChange: &ObjectReport{
			Action: "MODIFIED", TypeID: "user", ID: "1", Name: "N", User: ReportedUser{Name: "Nora"},
		}}
		change(r.ObjectChange)
		return r
	}
	microservice := func(change func(*MicroserviceReport)) Report {
		r := Report{OrganizationID: "acme", SourceEventID: "s", MicroserviceExecution: &MicroserviceReport{
			OperationID: "op", Microservice: ReportedItem{ID: "m", Name: "M"}, Workspaces: Devices(0, 2),
		}}
		change(r.MicroserviceExecution)
		return r
	}
	for name, tt := range map[string]struct {
		report Report
		field  string // "" when the report is fine
		code   Code
	}{
		"an alert":           {alert(func(*Report) {}), "", ""},
		"an operation":       {operation(func(*OperationReport) {}), "", ""},
		"an object's change": {object(func(*ObjectReport) {}), "", ""},
		"a microservice":     {microservice(func(*MicroserviceReport) {}), "", ""},
		"no organization": {
			alert(func(r *Report) { r.OrganizationID = "" }), "organizationId",
			Required,
		},
		"no source id": {
			alert(func(r *Report) { r.SourceEventID = "" }), "sourceEventId",
			Required,
		},
		"a long id": {
			alert(func(r *Report) { r.SourceEventID = long }), "sourceEventId",
			Invalid,
		},
		"256 characters are not bytes": {
			alert(func(r *Report) { r.SourceEventID = strings.Repeat("é", 256) }), "",
			"",
		},
		"a line break in an id": {
			alert(func(r *Report) { r.SourceEventID = "a\nb" }), "sourceEventId",
			Invalid,
		},
		"NUL in an id": {
			alert(func(r *Report) { r.SourceEventID = "a\x00" }), "sourceEventId",
			Invalid,
		},
		"bad UTF-8 in an id": {
			alert(func(r *Report) { r.SourceEventID = "a\xff" }), "sourceEventId",
			Invalid,
		},
		"no payload": {alert(func(r *Report) { r.ActiveAlert = nil }), "event", Invalid},
		"two payloads": {
			alert(func(r *Report) { r.ObjectChange = &ObjectReport{} }), "event",
			Invalid,
		},
		"a long name": {
			alert(func(r *Report) { r.ActiveAlert.Alert.Name = strings.Repeat("x", 1001) }),
			"event.activeAlert.alert.name", Invalid,
		},
		"control characters in a text": {
			alert(func(r *Report) { r.ActiveAlert.Alert.Information = "\x00\x1b[31m\xff" }), "", "",
		},
		"a text over 64 KiB": {
			alert(func(r *Report) { r.ActiveAlert.Alert.Information = strings.Repeat("x", 64<<10+1) }),
			"event.activeAlert.alert.information", Invalid,
		},
		"no alert start": {
			alert(func(r *Report) { r.ActiveAlert.Alert.Start = time.Time{} }), "event.activeAlert.alert.start",
			Required,
		},
		"a year that RFC 3339 can't write": {
			alert(func(r *Report) { r.ActiveAlert.Alert.Start = TestNow.AddDate(8000, 0, 0) }),
			"event.activeAlert.alert.start", Invalid,
		},
		"an unknown severity": {
			alert(func(r *Report) { r.ActiveAlert.Alert.Severity = "Critical" }), "event.activeAlert.alert.severity",
			Invalid,
		},
		"a link that runs code": {
			alert(func(r *Report) { r.ActiveAlert.Alert.ViewURL = "javascript:alert(1)" }),
			"event.activeAlert.alert.viewUrl", Invalid,
		},
		"a device without an id": {
			alert(func(r *Report) { r.ActiveAlert.Workspace.ID = "" }), "event.activeAlert.workspace.id", Required,
		},
		"no device": {alert(func(r *Report) { r.ActiveAlert.Workspace = nil }), "", ""},
		"no operation type": {
			operation(func(o *OperationReport) { o.TypeID = "" }), "event.operation.typeId", Required,
		},
		"no start of the third device": {
			operation(func(o *OperationReport) { o.Workspaces[2].StartDate = time.Time{} }),
			"event.operation.workspaces.2.startDate", Required,
		},
		"an end before the start": {
			operation(func(o *OperationReport) { o.Workspaces[2].EndDate = TestNow.Add(-time.Hour) }), "", "",
		},
		"no result of a device": {
			operation(func(o *OperationReport) { o.Workspaces[1].Result = "" }),
			"event.operation.workspaces.1.result", Invalid,
		},
		"an unknown result": {
			operation(func(o *OperationReport) { o.Result = "DONE" }), "event.operation.result",
			Invalid,
		},
		"a microservice without an id": {
			operation(func(o *OperationReport) { o.Microservice = &ReportedItem{} }),
			"event.operation.microservice.id", Required,
		},
		"a device twice in the same words": {
			operation(func(o *OperationReport) { o.Workspaces[2] = o.Workspaces[0] }), "", "",
		},
		"a device twice in other words": {
			operation(func(o *OperationReport) {
				o.Workspaces[2] = o.Workspaces[0]
				o.Workspaces[2].Result = ResultError
			}),
			"event.operation.workspaces.2.workspace.id", Invalid,
		},
		"part of an operation, on no device": {
			operation(func(o *OperationReport) { o.Complete, o.Workspaces = false, nil }),
			"event.operation.workspaces", Required,
		},
		"too many devices": {
			operation(func(o *OperationReport) { o.Workspaces = Devices(0, MaxWorkspaces+1) }),
			"event.operation.workspaces", LimitExceeded,
		},
		"a microservice on no device": {
			microservice(func(m *MicroserviceReport) { m.Workspaces = nil }),
			"event.microserviceExecution.workspaces", Required,
		},
		"an unknown action": {
			object(func(o *ObjectReport) { o.Action = "RENAMED" }),
			"event.objectChange.action", Invalid,
		},
		"no object type": {
			object(func(o *ObjectReport) { o.TypeID = "" }),
			"event.objectChange.object.typeId", Required,
		},
		"a nameless user": {object(func(o *ObjectReport) { o.User = ReportedUser{} }), "", ""},
		"too many properties": {
			object(func(o *ObjectReport) { o.Changes = make([]FieldChange, 1001) }),
			"event.objectChange.object.changes", LimitExceeded,
		},
		"a property's name too long": {
			object(func(o *ObjectReport) { o.Changes = []FieldChange{{}, {Property: strings.Repeat("x", 1001)}} }),
			"event.objectChange.object.changes.1.property", Invalid,
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
	r := OperationOn(200)
	r.SourceEventID, r.Operation.TypeID = "", ""
	for i := range r.Operation.Workspaces {
		r.Operation.Workspaces[i].Result = "?"
	}
	problems := validateReport(&r)
	if len(problems) != maxErrors {
		t.Fatalf("%d problems, want %d", len(problems), maxErrors)
	}
	if problems[0].Field != "sourceEventId" || problems[1].Field != "event.operation.typeId" {
		t.Errorf("the first problems are %v", problems[:2])
	}
}
