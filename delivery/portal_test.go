package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

// What PortalEventInput looks like in a file of reports.
type reportJSON struct {
	OrganizationID   string
	OrganizationName string
	SourceEventID    string
	OccurredAt       time.Time
	Event            struct {
		ActiveAlert           *ActiveAlertReport
		MicroserviceExecution *MicroserviceReport
		Operation             *OperationReport
		ObjectChange          *struct {
			Action string
			Object struct {
				TypeID, TypeName, ID, Name string
				Changes                    []FieldChange
			}
			User ReportedUser
		}
	}
}

func (r reportJSON) report() Report {
	report := Report{
		OrganizationID: r.OrganizationID, OrganizationName: r.OrganizationName, SourceEventID: r.SourceEventID,
		OccurredAt: r.OccurredAt, ActiveAlert: r.Event.ActiveAlert,
		MicroserviceExecution: r.Event.MicroserviceExecution, Operation: r.Event.Operation,
	}
	if o := r.Event.ObjectChange; o != nil {
		report.ObjectChange = &ObjectReport{
			Action: o.Action, TypeID: o.Object.TypeID, TypeName: o.Object.TypeName, ID: o.Object.ID,
			Name: o.Object.Name, Changes: o.Object.Changes, User: o.User,
		}
	}
	return report
}

// readReports reads a file of reports, one a line, and refuses unknown fields.
func ReadReports(t testing.TB, file string) []Report {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var reports []Report
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

var (
	TestNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	TestOrg = Organization{ID: 7, ExternalID: "acme", Name: "Acme"}
)

// operationOn reports a complete operation on n devices, all completed.
func OperationOn(n int) Report {
	return Report{
		OrganizationID: "acme", OrganizationName: "Acme", SourceEventID: "op-1:final", OccurredAt: TestNow,
		Operation: &OperationReport{
			OperationID: "op-1", TypeID: "restart", TypeName: "Restart", StartDate: TestNow, Complete: true,
			Workspaces: Devices(0, n),
		},
	}
}

// devices returns the devices numbered from to to, without the last.
func Devices(from, to int) []WorkspaceExecution {
	list := make([]WorkspaceExecution, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, WorkspaceExecution{
			Workspace: ReportedWorkspace{ID: fmt.Sprintf("ws-%d", i), Name: fmt.Sprintf("WS %d", i)},
			StartDate: TestNow, EndDate: TestNow.Add(time.Duration(i) * time.Second), Result: ResultCompleted,
		})
	}
	return list
}

func AlertReport(source string) Report {
	return Report{
		OrganizationID: "acme", OrganizationName: "Acme", SourceEventID: source,
		ActiveAlert: &ActiveAlertReport{
			Alert:     ReportedAlert{ID: "low-disk", Name: "Low disk", Start: TestNow, Severity: "CRITICAL"},
			Workspace: &ReportedWorkspace{ID: "ws-1", Name: "WS 1"},
		},
	}
}
