package delivery

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// A deviceResult is how an operation ended on one device.
type deviceResult struct {
	id, name string
	result   OperationResult
}

// operation returns the facts of an operation: the global one if the report is
// complete, then one per device, then the microservice's.
func (x *expansion) operation(r *OperationReport, earlier []deviceResult) []fact {
	devices := distinct(r.Workspaces)
	facts := make([]fact, 0, 1+2*len(devices))
	if r.Complete {
		facts = append(facts, x.global(r, devices, earlier))
	}
	for i := range devices {
		facts = append(facts, x.inWorkspace(r, &devices[i]))
	}
	if r.Microservice != nil {
		facts = append(facts, x.microservice(r.OperationID, *r.Microservice, devices)...)
	}
	return facts
}

// global returns the fact of the whole operation.
func (x *expansion) global(r *OperationReport, devices []WorkspaceExecution, earlier []deviceResult) fact {
	at := x.occurredAt()
	all := merged(devices, earlier)
	v := x.begin(OperationExecuted, at, 16)
	v.operation(r)
	v.time("operation_startdate", r.StartDate)
	v.time("operation_enddate", r.EndDate)
	v.devices(all, r.Result)
	f := x.operationFact(r, OperationExecuted)
	f.At = at
	f.Key = operationKey(r.OperationID)
	f.Fingerprint = fingerprint(x.report, sortedByID(devices))
	f.Variables = v.encode()
	return f
}

// inWorkspace returns the fact of the operation on one device. It happened when
// it ended there.
func (x *expansion) inWorkspace(r *OperationReport, e *WorkspaceExecution) fact {
	f := x.operationFact(r, OperationInWorkspace)
	f.setWorkspace(&e.Workspace)
	f.At = x.endOf(e)
	f.Key = workspaceKey(r.OperationID, e.Workspace.ID)
	v := x.begin(OperationInWorkspace, f.At, 14)
	v.operation(r)
	v.execution(e)
	f.Variables = v.encode()
	return f
}

func (x *expansion) operationFact(r *OperationReport, t EventType) fact {
	return fact{
		Type: t, Kind: OperationItem, Group: operationGroup(x.org, r.OperationID),
		Item: ReportedItem{ID: r.TypeID, Name: r.TypeName},
	}
}

// microservice returns the facts of a microservice's run, which may be part of
// an operation. The devices are distinct.
func (x *expansion) microservice(operationID string, m ReportedItem, devices []WorkspaceExecution) []fact {
	facts := make([]fact, len(devices))
	for i := range devices {
		e := &devices[i]
		f := fact{
			Type: ExecutedMicroservice, Kind: MicroserviceItem, Item: m, At: x.endOf(e),
			Group: operationGroup(x.org, operationID),
			Key:   microserviceKey(operationID, m.ID, e.Workspace.ID),
		}
		f.setWorkspace(&e.Workspace)
		v := x.begin(ExecutedMicroservice, f.At, 11)
		v.text("operation_id", operationID)
		v.text("microservice_id", m.ID)
		v.text("microservice_name", called(m))
		v.execution(e)
		f.Variables = v.encode()
		facts[i] = f
	}
	return facts
}

// endOf is when a device was done, or else when the report says.
func (x *expansion) endOf(e *WorkspaceExecution) time.Time {
	if e.EndDate.IsZero() {
		return x.occurredAt()
	}
	return e.EndDate
}

func (v *variables) operation(r *OperationReport) {
	v.text("operation_id", r.OperationID)
	v.text("operation_type_id", r.TypeID)
	v.text("operation_name", cmp.Or(r.TypeName, r.TypeID))
	v.text("operation_description", r.Description)
	v.text("operation_initiated_by", r.InitiatedBy)
}

func (v *variables) execution(e *WorkspaceExecution) {
	v.workspace(&e.Workspace)
	v.time("operation_startdate", e.StartDate)
	v.time("operation_enddate", e.EndDate)
	v.text(varResult, results[e.Result])
}

// devices adds the counts, the lists and the result of the whole.
func (v *variables) devices(all []deviceResult, whole OperationResult) {
	count := make(map[OperationResult]int, len(results))
	var names []string
	list := []byte{'['}
	for i, d := range all {
		count[d.result]++
		if i >= maxInline {
			continue
		}
		names = append(names, d.name)
		if i > 0 {
			list = append(list, ',')
		}
		list = appendJSONText(append(list, `{"id":`...), d.id)
		list = appendJSONText(append(list, `,"name":`...), d.name)
		list = appendJSONText(append(list, `,"result":`...), results[d.result])
		list = append(list, '}')
	}
	v.text(varResult, results[cmp.Or(whole, derived(count))])
	v.number("workspaces_count", len(all))
	v.number("workspaces_completed", count[ResultCompleted])
	v.number("workspaces_error", count[ResultError])
	v.number("workspaces_timeout", count[ResultTimeout])
	v.number("workspaces_cancelled", count[ResultCancelled])
	v.text("workspaces_names", strings.Join(names, ", "))
	v.json("workspaces", append(list, ']'))
}

// derived is the result of the whole when Portal doesn't say: the worst of the
// devices'.
func derived(count map[OperationResult]int) OperationResult {
	for _, worst := range []OperationResult{ResultError, ResultTimeout, ResultCancelled} {
		if count[worst] > 0 {
			return worst
		}
	}
	return ResultCompleted
}

// merged returns the devices of the report, then those reported before that it
// doesn't list.
func merged(devices []WorkspaceExecution, earlier []deviceResult) []deviceResult {
	all := make([]deviceResult, 0, len(devices)+len(earlier))
	listed := make(map[string]bool, len(devices))
	for i := range devices {
		w := &devices[i].Workspace
		listed[w.ID] = true
		all = append(all, deviceResult{w.ID, cmp.Or(w.Name, w.ID), devices[i].Result})
	}
	for _, d := range earlier {
		if !listed[d.id] {
			listed[d.id] = true
			all = append(all, d)
		}
	}
	return all
}

// earlierDevices reads back what events of a device say about it.
func earlierDevices(events []Event) []deviceResult {
	devices := make([]deviceResult, 0, len(events))
	for i := range events {
		var said struct {
			Result string `json:"operation_result"`
		}
		// What can't be read was not written by expand; it still counts.
		_ = json.Unmarshal(events[i].Variables, &said)
		devices = append(devices, deviceResult{
			id: events[i].WorkspaceID, name: events[i].WorkspaceName, result: resultCalled(said.Result),
		})
	}
	return devices
}

func resultCalled(caption string) OperationResult {
	for result, name := range results {
		if name == caption {
			return result
		}
	}
	return ResultCompleted
}
