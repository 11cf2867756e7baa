package pipeline

import (
	"fmt"

	"portalhooks/delivery"
)

// A reportChecker collects what is wrong with a report.
type reportChecker struct{ delivery.Checker }

// validateReport returns everything that is wrong with a report.
func validateReport(r *delivery.Report) delivery.Errors {
	var c reportChecker
	c.ID("organizationId", r.OrganizationID)
	c.Name("organizationName", r.OrganizationName)
	c.ID("sourceEventId", r.SourceEventID)
	c.OptionalTime("occurredAt", r.OccurredAt)
	payloads := 0
	for _, given := range []bool{
		r.ActiveAlert != nil, r.MicroserviceExecution != nil, r.ObjectChange != nil, r.Operation != nil,
	} {
		if given {
			payloads++
		}
	}
	switch {
	case payloads != 1:
		c.Fail(delivery.Invalid, "event",
			"Give exactly one of activeAlert, microserviceExecution, objectChange and operation.")
	case r.ActiveAlert != nil:
		c.alert(r.ActiveAlert)
	case r.MicroserviceExecution != nil:
		c.microservice(r.MicroserviceExecution)
	case r.ObjectChange != nil:
		c.object(r.ObjectChange)
	default:
		c.operation(r.Operation)
	}
	return c.Errors
}

func (c *reportChecker) alert(r *delivery.ActiveAlertReport) {
	const path = "event.activeAlert.alert."
	c.ID(path+"id", r.Alert.ID)
	c.Name(path+"name", r.Alert.Name)
	c.Text(path+"information", r.Alert.Information)
	c.Time(path+"start", r.Alert.Start)
	c.Text(path+"element", r.Alert.Element)
	c.Text(path+"category", r.Alert.Category)
	c.ViewURL(path+"viewUrl", r.Alert.ViewURL)
	if _, ok := severities[r.Alert.Severity]; !ok && r.Alert.Severity != "" {
		c.Fail(delivery.Invalid, path+"severity", "The severity is CRITICAL, WARNING or INFORMATIONAL.")
	}
	if r.Workspace != nil {
		c.workspace("event.activeAlert.workspace", r.Workspace)
	}
}

func (c *reportChecker) workspace(path string, w *delivery.ReportedWorkspace) {
	c.ID(path+".id", w.ID)
	c.Name(path+".name", w.Name)
	c.Name(path+".lastUser", w.LastUser)
	c.OptionalID(path+".reportingGroupId", w.ReportingGroupID)
	c.Name(path+".reportingGroupName", w.ReportingGroupName)
}

func (c *reportChecker) microservice(r *delivery.MicroserviceReport) {
	const path = "event.microserviceExecution."
	c.ID(path+"operationId", r.OperationID)
	c.Item(path+"microservice", &r.Microservice)
	if len(r.Workspaces) == 0 {
		c.Fail(delivery.Required, path+"workspaces", "List at least one device.")
	}
	c.executions(path+"workspaces", r.Workspaces)
}

func (c *reportChecker) object(r *delivery.ObjectReport) {
	const path = "event.objectChange."
	if _, ok := objectActions[r.Action]; !ok {
		c.Fail(delivery.Invalid, path+"action", "The action is CREATED, MODIFIED or DELETED.")
	}
	c.ID(path+"object.typeId", r.TypeID)
	c.Name(path+"object.typeName", r.TypeName)
	c.ID(path+"object.id", r.ID)
	c.Name(path+"object.name", r.Name)
	if len(r.Changes) > delivery.MaxChanges {
		c.Fail(delivery.LimitExceeded, path+"object.changes", "List at most %d changes.", delivery.MaxChanges)
		return
	}
	for i, change := range r.Changes {
		field := fmt.Sprintf("%sobject.changes.%d.", path, i)
		c.Name(field+"property", change.Property)
		if change.OriginalValue != nil {
			c.Text(field+"originalValue", *change.OriginalValue)
		}
		if change.NewValue != nil {
			c.Text(field+"newValue", *change.NewValue)
		}
	}
	c.OptionalID(path+"user.id", r.User.ID)
	c.Name(path+"user.name", r.User.Name)
	c.Name(path+"user.email", r.User.Email)
}

func (c *reportChecker) operation(r *delivery.OperationReport) {
	const path = "event.operation."
	c.ID(path+"operationId", r.OperationID)
	c.ID(path+"typeId", r.TypeID)
	c.Name(path+"typeName", r.TypeName)
	c.Text(path+"description", r.Description)
	c.Name(path+"initiatedBy", r.InitiatedBy)
	c.Time(path+"startDate", r.StartDate)
	c.OptionalTime(path+"endDate", r.EndDate)
	if _, ok := results[r.Result]; !ok && r.Result != "" {
		c.Fail(delivery.Invalid, path+"result", "The result is COMPLETED, ERROR, TIMEOUT or CANCELLED.")
	}
	if r.Microservice != nil {
		c.Item(path+"microservice", r.Microservice)
	}
	switch {
	case r.ExpectedWorkspaces < 0 || r.ExpectedWorkspaces > delivery.MaxWorkspaces:
		c.Fail(delivery.Invalid, path+"expectedWorkspaces", "Expect 1 to %d devices.", delivery.MaxWorkspaces)
	case len(r.Workspaces) == 0 && r.ExpectedWorkspaces > 0:
		c.Fail(delivery.Required, path+"workspaces",
			"List at least one device. Without expectedWorkspaces, the operation is over without more devices.")
	case len(r.Workspaces) == 0 && r.Partial:
		c.Fail(delivery.Required, path+"workspaces", "List at least one device, or leave out partial.")
	}
	c.executions(path+"workspaces", r.Workspaces)
}

// executions checks a list of devices. A device that is there twice must be
// there with the same values, or its result would be ambiguous.
func (c *reportChecker) executions(path string, list []delivery.WorkspaceExecution) {
	if len(list) > delivery.MaxWorkspaces {
		c.Fail(delivery.LimitExceeded, path, "List at most %d devices in one report, and the others in another.",
			delivery.MaxWorkspaces)
		return
	}
	seen := make(map[string]int, len(list))
	for i := range list {
		e := &list[i]
		if executionIsFine(e) {
			if first, twice := seen[e.Workspace.ID]; twice && !sameExecution(&list[first], e) {
				c.Fail(delivery.Invalid, fmt.Sprintf("%s.%d.workspace.id", path, i),
					"This device is already at position %d with other values. List each device once.", first)
			} else if !twice {
				seen[e.Workspace.ID] = i
			}
			continue
		}
		c.execution(fmt.Sprintf("%s.%d", path, i), e)
	}
}

// executionIsFine spares the many good devices the making of field paths.
func executionIsFine(e *delivery.WorkspaceExecution) bool {
	var c reportChecker
	c.execution("", e)
	return len(c.Errors) == 0
}

func (c *reportChecker) execution(path string, e *delivery.WorkspaceExecution) {
	c.workspace(path+".workspace", &e.Workspace)
	c.Time(path+".startDate", e.StartDate)
	c.OptionalTime(path+".endDate", e.EndDate)
	if _, ok := results[e.Result]; !ok {
		c.Fail(delivery.Invalid, path+".result", "The result is COMPLETED, ERROR, TIMEOUT or CANCELLED.")
	}
}

func sameExecution(a, b *delivery.WorkspaceExecution) bool {
	return a.Workspace == b.Workspace && a.Result == b.Result &&
		a.StartDate.Equal(b.StartDate) && a.EndDate.Equal(b.EndDate)
}
