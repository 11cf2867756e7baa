package graph

import "portalhooks/delivery"

func (r reportsReader) operation() *delivery.OperationReport {
	out := &delivery.OperationReport{Complete: true}
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "operationId":
			out.OperationID = r.Text()
		case "typeId":
			out.TypeID = r.Text()
		case "typeName":
			out.TypeName = r.Text()
		case "description":
			out.Description = r.TextOrNull()
		case "initiatedBy":
			out.InitiatedBy = r.TextOrNull()
		case "startDate":
			out.StartDate = r.time()
		case "endDate":
			out.EndDate = r.timeOrNull()
		case "result":
			out.Result = optionalEnum(r, isResult)
		case "microservice":
			if out.Microservice = nil; !r.Null() {
				out.Microservice = new(r.item())
			}
		case "complete":
			out.Complete = r.Bool()
		case "workspaces":
			out.Workspaces = r.executions()
		default:
			r.Fail()
		}
	}
	r.needs(out.OperationID != "", out.TypeID != "", out.TypeName != "", !out.StartDate.IsZero(),
		out.Workspaces != nil)
	return out
}

// executions reads a list of devices, which is never nil.
func (r reportsReader) executions() []delivery.WorkspaceExecution {
	out := []delivery.WorkspaceExecution{}
	for r.List(); r.Element(); {
		out = append(out, r.execution())
	}
	return out
}

func (r reportsReader) execution() (out delivery.WorkspaceExecution) {
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "workspace":
			out.Workspace = r.workspace()
		case "startDate":
			out.StartDate = r.time()
		case "endDate":
			out.EndDate = r.timeOrNull()
		case "result":
			out.Result = enum(r, isResult)
		default:
			r.Fail()
		}
	}
	r.needs(out.Workspace.ID != "", !out.StartDate.IsZero(), out.Result != "")
	return out
}

func (r reportsReader) workspace() (out delivery.ReportedWorkspace) {
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "id":
			out.ID = r.Text()
		case "name":
			out.Name = r.Text()
		case "lastUser":
			out.LastUser = r.TextOrNull()
		case "reportingGroupId":
			out.ReportingGroupID = r.TextOrNull()
		case "reportingGroupName":
			out.ReportingGroupName = r.TextOrNull()
		default:
			r.Fail()
		}
	}
	r.needs(out.ID != "", out.Name != "")
	return out
}

func isResult(r delivery.OperationResult) bool {
	switch r {
	case delivery.ResultCompleted, delivery.ResultError, delivery.ResultTimeout, delivery.ResultCancelled:
		return true
	}
	return false
}
