package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/limits"
)

// eventsIn estimates the number of events in the reports, for the rate limit: one
// for each report and one for each device in it.
func eventsIn(reports []delivery.Report) int {
	n := len(reports)
	for i := range reports {
		if m := reports[i].MicroserviceExecution; m != nil {
			n += len(m.Workspaces)
		}
		if o := reports[i].Operation; o != nil {
			n += len(o.Workspaces)
		}
	}
	return n
}

// reportsOf returns the reports of a mutation, which may be decoded already.
func reportsOf(ctx context.Context, input []*gen.PortalEventInput) []delivery.Report {
	if value, ok := limits.Value(ctx); ok {
		if reports, ok := value.([]delivery.Report); ok {
			return reports
		}
	}
	return reportsFrom(input)
}

func reportsFrom(input []*gen.PortalEventInput) []delivery.Report {
	reports := make([]delivery.Report, len(input))
	for i, in := range input {
		reports[i] = reportOf(in)
	}
	return reports
}

// reportOf converts a report. The service validates it.
func reportOf(in *gen.PortalEventInput) delivery.Report {
	r := delivery.Report{
		OrganizationID:   in.OrganizationID,
		OrganizationName: value(in.OrganizationName),
		SourceEventID:    in.SourceEventID,
		OccurredAt:       value(in.OccurredAt).Time,
	}
	if e := in.Event.ActiveAlert; e != nil {
		r.ActiveAlert = alertOf(e)
	}
	if e := in.Event.MicroserviceExecution; e != nil {
		r.MicroserviceExecution = &delivery.MicroserviceReport{
			OperationID: e.OperationID, Microservice: *itemOf(e.Microservice), Workspaces: executionsOf(e.Workspaces),
		}
	}
	if e := in.Event.ObjectChange; e != nil {
		r.ObjectChange = objectOf(e)
	}
	if e := in.Event.Operation; e != nil {
		r.Operation = operationOf(e)
	}
	return r
}

func alertOf(in *gen.ActiveAlertInput) *delivery.ActiveAlertReport {
	a := in.Alert
	out := &delivery.ActiveAlertReport{Alert: delivery.ReportedAlert{
		ID: a.ID, Name: a.Name, Information: value(a.Information), Start: a.Start.Time, Element: value(a.Element),
		Severity: value(a.Severity), Category: value(a.Category), ViewURL: value(a.ViewURL),
	}}
	if in.Workspace != nil {
		w := workspaceOf(in.Workspace)
		out.Workspace = &w
	}
	return out
}

func objectOf(in *gen.ObjectChangeInput) *delivery.ObjectReport {
	out := &delivery.ObjectReport{
		Action: in.Action, TypeID: in.Object.TypeID, TypeName: value(in.Object.TypeName),
		ID: in.Object.ID, Name: in.Object.Name,
		User: delivery.ReportedUser{ID: value(in.User.ID), Name: in.User.Name, Email: value(in.User.Email)},
	}
	for _, c := range in.Object.Changes {
		out.Changes = append(out.Changes, delivery.FieldChange{
			Property: c.Property, OriginalValue: c.OriginalValue, NewValue: c.NewValue,
		})
	}
	return out
}

func operationOf(in *gen.OperationInput) *delivery.OperationReport {
	return &delivery.OperationReport{
		OperationID: in.OperationID, TypeID: in.TypeID, TypeName: in.TypeName,
		Description: value(in.Description), InitiatedBy: value(in.InitiatedBy),
		StartDate: in.StartDate.Time, EndDate: value(in.EndDate).Time, Result: value(in.Result),
		Microservice: itemOf(in.Microservice), Partial: isPartial(in),
		ExpectedWorkspaces: int(value(in.ExpectedWorkspaces)), Workspaces: executionsOf(in.Workspaces),
	}
}

// isPartial reports whether more reports follow. Clients that send each field,
// with its zero value, send both: so partial decides whenever it is there.
func isPartial(in *gen.OperationInput) bool {
	if in.Partial == nil && in.Complete != nil {
		return !*in.Complete
	}
	return value(in.Partial)
}

func executionsOf(in []*gen.WorkspaceExecutionInput) []delivery.WorkspaceExecution {
	out := make([]delivery.WorkspaceExecution, len(in))
	for i, w := range in {
		out[i] = delivery.WorkspaceExecution{
			Workspace: workspaceOf(w.Workspace), Result: w.Result,
			StartDate: w.StartDate.Time, EndDate: value(w.EndDate).Time,
		}
	}
	return out
}

func workspaceOf(in *gen.WorkspaceInput) delivery.ReportedWorkspace {
	return delivery.ReportedWorkspace{
		ID: in.ID, Name: in.Name, LastUser: value(in.LastUser),
		ReportingGroupID: value(in.ReportingGroupID), ReportingGroupName: value(in.ReportingGroupName),
	}
}

func itemOf(in *gen.ItemRef) *delivery.ReportedItem {
	if in == nil {
		return nil
	}
	return &delivery.ReportedItem{ID: in.ID, Name: in.Name, ViewURL: value(in.ViewURL)}
}
