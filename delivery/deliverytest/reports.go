// Package deliverytest has reports of Portal for tests.
package deliverytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"portalhooks/delivery"
)

// What PortalEventInput looks like in a file of reports.
type reportJSON struct {
	OrganizationID   string
	OrganizationName string
	SourceEventID    string
	OccurredAt       time.Time
	Event            struct {
		ActiveAlert           *delivery.ActiveAlertReport
		MicroserviceExecution *delivery.MicroserviceReport
		Operation             *delivery.OperationReport
		ObjectChange          *struct {
			Action delivery.ObjectAction
			Object struct {
				TypeID, TypeName, ID, Name string
				Changes                    []delivery.FieldChange
			}
			User delivery.ReportedUser
		}
	}
}

func (r reportJSON) report() delivery.Report {
	report := delivery.Report{
		OrganizationID: r.OrganizationID, OrganizationName: r.OrganizationName, SourceEventID: r.SourceEventID,
		OccurredAt: r.OccurredAt, ActiveAlert: r.Event.ActiveAlert,
		MicroserviceExecution: r.Event.MicroserviceExecution, Operation: r.Event.Operation,
	}
	if o := r.Event.ObjectChange; o != nil {
		report.ObjectChange = &delivery.ObjectReport{
			Action: o.Action, TypeID: o.Object.TypeID, TypeName: o.Object.TypeName, ID: o.Object.ID,
			Name: o.Object.Name, Changes: o.Object.Changes, User: o.User,
		}
	}
	return report
}

// ReadReports reads a file of reports, one a line, and refuses unknown fields.
func ReadReports(t testing.TB, file string) []delivery.Report {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var reports []delivery.Report
	for line := range bytes.Lines(content) {
		var r reportJSON
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		reports = append(reports, r.report())
	}
	return reports
}

// Now and Org are when and where the reports happen.
var (
	Now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	Org = delivery.Organization{ID: 7, ExternalID: "acme", Name: "Acme"}
)

// OperationOn reports a whole operation on n devices, all completed.
func OperationOn(n int) delivery.Report {
	return delivery.Report{
		OrganizationID: "acme", OrganizationName: "Acme", SourceEventID: "op-1:final", OccurredAt: Now,
		Operation: &delivery.OperationReport{
			OperationID: "op-1", TypeID: "restart", TypeName: "Restart", StartDate: Now, Workspaces: Devices(0, n),
		},
	}
}

// Devices returns the devices numbered from to to, without the last.
func Devices(from, to int) []delivery.WorkspaceExecution {
	list := make([]delivery.WorkspaceExecution, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, delivery.WorkspaceExecution{
			Workspace: delivery.ReportedWorkspace{ID: fmt.Sprintf("ws-%d", i), Name: fmt.Sprintf("WS %d", i)},
			StartDate: Now, EndDate: Now.Add(time.Duration(i) * time.Second), Result: delivery.ResultCompleted,
		})
	}
	return list
}

// AlertReport reports an alert on a device by the sender's id.
func AlertReport(source string) delivery.Report {
	return delivery.Report{
		OrganizationID: "acme", OrganizationName: "Acme", SourceEventID: source,
		ActiveAlert: &delivery.ActiveAlertReport{
			Alert:     delivery.ReportedAlert{ID: "low-disk", Name: "Low disk", Start: Now, Severity: "CRITICAL"},
			Workspace: &delivery.ReportedWorkspace{ID: "ws-1", Name: "WS 1"},
		},
	}
}
