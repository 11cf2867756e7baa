package graph

import (
	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/strict"
)

// reportsType is the type of the variable that reportsReader reads.
const reportsType = "[PortalEventInput!]!"

// A reportsReader reads reports straight from a request's JSON. It knows what
// the input types of schema/ingest.graphql are like and takes nothing that they
// forbid. What it does not take may still be right: a list of one element may
// be written as the element, and a text that must be there may be empty.
type reportsReader struct{ *strict.Reader }

// readReports reads the variable of a mutation that submits reports.
func readReports(json string) (value any, ok bool) {
	r := reportsReader{strict.New(json)}
	reports := make([]delivery.Report, 0, 16)
	for r.List(); r.Element(); {
		reports = append(reports, r.report())
	}
	return reports, r.Done()
}

// needs makes the reader fail unless everything that must be given was.
func (r reportsReader) needs(given ...bool) {
	for _, one := range given {
		if !one {
			r.Fail()
		}
	}
}

// enum reads one of the values of an enumeration.
func enum[T ~string](r reportsReader, isValid func(T) bool) T {
	value := T(r.Text())
	r.needs(isValid(value))
	return value
}

// optionalEnum reads null as the empty value.
func optionalEnum[T ~string](r reportsReader, isValid func(T) bool) T {
	if r.Null() {
		return ""
	}
	return enum(r, isValid)
}

func (r reportsReader) report() (out delivery.Report) {
	payload := false
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "organizationId":
			out.OrganizationID = r.Text()
		case "organizationName":
			out.OrganizationName = r.TextOrNull()
		case "sourceEventId":
			out.SourceEventID = r.Text()
		case "occurredAt":
			out.OccurredAt = r.timeOrNull()
		case "event":
			r.needs(!payload)
			payload = true
			r.payload(&out)
		default:
			r.Fail()
		}
	}
	r.needs(out.OrganizationID != "", out.SourceEventID != "", payload)
	return out
}

// payload reads what happened: exactly one member, which is not null.
func (r reportsReader) payload(out *delivery.Report) {
	r.Object()
	name, _ := r.Member()
	switch name {
	case "activeAlert":
		out.ActiveAlert = r.activeAlert()
	case "microserviceExecution":
		out.MicroserviceExecution = r.microservice()
	case "objectChange":
		out.ObjectChange = r.object()
	case "operation":
		out.Operation = r.operation()
	default:
		r.Fail()
	}
	_, more := r.Member()
	r.needs(!more)
}

func (r reportsReader) activeAlert() *delivery.ActiveAlertReport {
	out := &delivery.ActiveAlertReport{}
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "alert":
			out.Alert = r.alert()
		case "workspace":
			if out.Workspace = nil; !r.Null() {
				out.Workspace = new(r.workspace())
			}
		default:
			r.Fail()
		}
	}
	r.needs(out.Alert.ID != "")
	return out
}

func (r reportsReader) alert() (out delivery.ReportedAlert) {
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "id":
			out.ID = r.Text()
		case "name":
			out.Name = r.Text()
		case "information":
			out.Information = r.TextOrNull()
		case "start":
			out.Start = r.time()
		case "element":
			out.Element = r.TextOrNull()
		case "severity":
			out.Severity = string(optionalEnum(r, gen.AlertSeverity.IsValid))
		case "category":
			out.Category = r.TextOrNull()
		case "viewUrl":
			out.ViewURL = r.TextOrNull()
		default:
			r.Fail()
		}
	}
	r.needs(out.ID != "", out.Name != "", !out.Start.IsZero())
	return out
}

func (r reportsReader) microservice() *delivery.MicroserviceReport {
	out := &delivery.MicroserviceReport{}
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "operationId":
			out.OperationID = r.Text()
		case "microservice":
			out.Microservice = r.item()
		case "workspaces":
			out.Workspaces = r.executions()
		default:
			r.Fail()
		}
	}
	r.needs(out.OperationID != "", out.Microservice.ID != "", out.Workspaces != nil)
	return out
}

func (r reportsReader) item() (out delivery.ReportedItem) {
	r.Object()
	for name, more := r.Member(); more; name, more = r.Member() {
		switch name {
		case "id":
			out.ID = r.Text()
		case "name":
			out.Name = r.Text()
		case "viewUrl":
			out.ViewURL = r.TextOrNull()
		default:
			r.Fail()
		}
	}
	r.needs(out.ID != "", out.Name != "")
	return out
}
