package pipeline

import (
	"fmt"
	"slices"
	"time"

	"portalhooks/delivery"
)

// answer sums up what the store did with the report. What was accepted once is
// never rejected later, whatever was reported in between: of an operation what was
// said first stays, and a report with other values gets a warning.
func (in *submission) answer() delivery.IngestResult {
	if !in.rejected() && in.sourceClashes() {
		in.result.Errors = delivery.Errors{delivery.Errorf(delivery.Conflict, "sourceEventId",
			"Another event was reported with this id before. Give each event an id of its own.")}
	}
	if in.rejected() {
		return delivery.IngestResult{Status: delivery.Rejected, Errors: in.result.Errors}
	}
	r := delivery.IngestResult{Status: delivery.Duplicated}
	if in.isFresh() {
		r.Status = delivery.Accepted
	}
	for _, stored := range in.stored {
		if stored.Fresh || r.Status == delivery.Duplicated {
			r.Events = append(r.Events, stored.ID)
			r.Deliveries += stored.Deliveries
		}
	}
	if r.Status == delivery.Duplicated && in.awaits() && in.whole.ID != 0 {
		r.Events = append(r.Events, in.whole.ID)
		r.Deliveries += in.whole.Deliveries
	}
	r.Warnings = in.warnings(&r)
	return r
}

// sourceClashes reports whether another alert or change was stored under the
// sender's id of this one.
func (in *submission) sourceClashes() bool {
	return (in.report.ActiveAlert != nil || in.report.ObjectChange != nil) && in.differs(0)
}

// differs reports whether the i-th fact was stored before with other values. Of
// facts without a fingerprint it is not known.
func (in *submission) differs(i int) bool {
	ours, stored := in.facts[i].Fingerprint, in.stored[i]
	return !stored.Fresh && ours != 0 && stored.Fingerprint != 0 && ours != stored.Fingerprint
}

// A warner collects the warnings about one report, up to [delivery.MaxErrors].
type warner struct{ warnings []delivery.Warning }

func (w *warner) warn(code delivery.WarningCode, field, format string, args ...any) {
	if w.full() {
		return
	}
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	w.warnings = append(w.warnings, delivery.Warning{Code: code, Field: field, Message: message})
}

// full reports whether there are as many warnings as an answer has.
func (w *warner) full() bool { return len(w.warnings) >= delivery.MaxErrors }

// warnings says what was assumed about the report.
func (in *submission) warnings(r *delivery.IngestResult) []delivery.Warning {
	var w warner
	in.warnOfNews(&w)
	if r.Status == delivery.Accepted && r.Deliveries == 0 {
		w.warn(delivery.NothingMatched, "",
			"No webhook fires for these events. Event.evaluation says why.")
	}
	in.warnOfWhole(&w)
	in.warnOfDevices(&w)
	in.warnOfTimes(&w)
	return w.warnings
}

// warnOfNews warns of what was registered for the report: its id may be mistyped.
func (in *submission) warnOfNews(w *warner) {
	if in.newOrg {
		w.warn(delivery.OrganizationRegistered, "organizationId",
			"The organization %s was not known. It is registered now, without webhooks.", in.org.ExternalID)
	}
	for i := range in.facts {
		if f := &in.facts[i]; f.newItem {
			w.warn(delivery.ItemRegistered, in.itemPath(f.Kind), "The item %s was not known. It is registered now.",
				f.Item.ID)
		}
	}
}

// itemPath is where a report names its item of a kind.
func (in *submission) itemPath(kind delivery.ItemKind) string {
	switch {
	case in.report.ActiveAlert != nil:
		return "event.activeAlert.alert.id"
	case in.report.ObjectChange != nil:
		return "event.objectChange.object.typeId"
	case in.report.MicroserviceExecution != nil:
		return "event.microserviceExecution.microservice.id"
	case kind == delivery.MicroserviceItem:
		return "event.operation.microservice.id"
	}
	return "event.operation.typeId"
}

// warnOfWhole warns when the operation's own event was raised before without what
// this report says.
func (in *submission) warnOfWhole(w *warner) {
	if in.report.Operation == nil {
		return
	}
	before := in.whole.ID != 0
	if in.report.Operation.Whole() {
		if in.differs(0) {
			w.warn(delivery.OtherValues, "event.operation.operationId",
				"OPERATION_EXECUTED was raised before, from a report with other values. It stays as it is.")
		}
		before = !in.stored[0].Fresh && in.stored[0].Fingerprint != in.facts[0].Fingerprint
	}
	if n := in.freshDevices(); before && n > 0 {
		w.warn(delivery.AfterWhole, "event.operation.workspaces",
			"%d of the devices came after OPERATION_EXECUTED was raised, and are not in it. Set expectedWorkspaces, "+
				"or partial in all reports but the last.", n)
	}
}

// freshDevices counts the devices of an operation that were not reported before.
func (in *submission) freshDevices() (n int) {
	for i := range in.facts {
		if in.facts[i].Type == delivery.OperationInWorkspace && in.stored[i].Fresh {
			n++
		}
	}
	return n
}

// warnOfDevices warns of each device that was reported before with another
// result or other times.
func (in *submission) warnOfDevices(w *warner) {
	path, devices := in.executions()
	warned := make(map[string]bool)
	for i := range in.facts {
		id := in.facts[i].WorkspaceID
		if w.full() {
			return // a device is looked up among up to 25,000
		}
		if id == "" || !in.differs(i) || warned[id] {
			continue
		}
		warned[id] = true
		at := slices.IndexFunc(devices, func(e delivery.WorkspaceExecution) bool { return e.Workspace.ID == id })
		w.warn(delivery.OtherValues, fmt.Sprintf("%s.%d", path, at),
			"The device %s was reported before with another result or other times. Its events stay as they are.", id)
	}
}

// executions returns the devices of an operation or a microservice, and their
// path in the report.
func (in *submission) executions() (path string, devices []delivery.WorkspaceExecution) {
	switch r := in.report; {
	case r.Operation != nil:
		return "event.operation.workspaces", r.Operation.Workspaces
	case r.MicroserviceExecution != nil:
		return "event.microserviceExecution.workspaces", r.MicroserviceExecution.Workspaces
	}
	return "", nil
}

// warnOfTimes warns of what ends before it starts.
func (in *submission) warnOfTimes(w *warner) {
	const message = "The end is before the start, %s."
	if o := in.report.Operation; o != nil && endsEarly(o.StartDate, o.EndDate) {
		w.warn(delivery.EndsBeforeStart, "event.operation.endDate", message, delivery.FormatTime(o.StartDate))
	}
	path, devices := in.executions()
	for i := range devices {
		if w.full() {
			return
		}
		if e := &devices[i]; endsEarly(e.StartDate, e.EndDate) {
			w.warn(delivery.EndsBeforeStart, fmt.Sprintf("%s.%d.endDate", path, i), message,
				delivery.FormatTime(e.StartDate))
		}
	}
}

func endsEarly(start, end time.Time) bool { return !end.IsZero() && end.Before(start) }
