package pipeline

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"portalhooks/delivery"
)

// A deviceResult is how an operation ended on one device.
type deviceResult struct {
	id, name string
	result   delivery.OperationResult
	end      time.Time // zero when it was not reported
}

// operation returns the facts of an operation: the global one if the report
// alone raises it, then one per device, then the microservice's.
func (x *expansion) operation(r *delivery.OperationReport, earlier []deviceResult) []fact {
	devices := distinct(r.Workspaces)
	group := delivery.OperationGroup(x.org, r.OperationID)
	facts := make([]fact, 0, 1+2*len(devices))
	if r.Whole() {
		f := x.global(r, group, merged(devices, earlier))
		f.Fingerprint = delivery.ReportFingerprint(x.report, sortedByID(devices))
		facts = append(facts, f)
	}
	for i := range devices {
		facts = append(facts, x.inWorkspace(r, group, &devices[i]))
	}
	if r.Microservice != nil {
		facts = append(facts, x.microservice(r.OperationID, *r.Microservice, devices)...)
	}
	return facts
}

// global returns the fact of the whole operation on all its devices, without a
// fingerprint. It ended when the report says, or else when its last device did.
func (x *expansion) global(
	r *delivery.OperationReport, group delivery.GroupID, devices []deviceResult,
) fact {
	at := x.occurredAt()
	all := countedDevices(devices)
	end := r.EndDate
	if end.IsZero() {
		end = all.end()
	}
	v := x.begin()
	v.eventType(delivery.OperationExecuted)
	v.operation(r, r.StartDate, end, cmp.Or(r.Result, all.worst()))
	v.origin(x, at)
	v.devices(all)
	return fact{
		Type: delivery.OperationExecuted, Kind: delivery.OperationItem, Group: group, At: at,
		Item: delivery.ReportedItem{ID: r.TypeID, Name: r.TypeName}, Key: delivery.OperationKey(r.OperationID),
		Variables: v.Encode(),
	}
}

// inWorkspace returns the fact of the operation on one device. It happened when
// it ended there.
func (x *expansion) inWorkspace(
	r *delivery.OperationReport, group delivery.GroupID, e *delivery.WorkspaceExecution,
) fact {
	f := fact{
		Type: delivery.OperationInWorkspace, Kind: delivery.OperationItem, Group: group, At: x.endOf(e),
		Item: delivery.ReportedItem{
			ID:   r.TypeID,
			Name: r.TypeName,
		}, Key: delivery.WorkspaceKey(r.OperationID, e.Workspace.ID),
		Fingerprint: delivery.ExecutionFingerprint(e),
	}
	f.setWorkspace(&e.Workspace)
	v := x.begin()
	v.eventType(delivery.OperationInWorkspace)
	v.operation(r, e.StartDate, e.EndDate, e.Result)
	v.origin(x, f.At)
	v.workspace(&e.Workspace)
	f.Variables = v.Encode()
	return f
}

// microservice returns the facts of a microservice's run, which may be part of
// an operation. The devices are distinct.
func (x *expansion) microservice(
	operationID string, m delivery.ReportedItem, devices []delivery.WorkspaceExecution,
) []fact {
	facts := make([]fact, len(devices))
	group := delivery.OperationGroup(x.org, operationID)
	for i := range devices {
		e := &devices[i]
		f := fact{
			Type: delivery.ExecutedMicroservice, Kind: delivery.MicroserviceItem, Item: m, At: x.endOf(e),
			Group: group, Fingerprint: delivery.ExecutionFingerprint(e),
			Key: delivery.MicroserviceKey(operationID, m.ID, e.Workspace.ID),
		}
		f.setWorkspace(&e.Workspace)
		v := x.begin()
		v.eventType(delivery.ExecutedMicroservice)
		v.Text("microservice_id", m.ID)
		v.Text("microservice_name", m.DisplayName())
		v.Time("operation_enddate", e.EndDate)
		v.Text("operation_id", operationID)
		v.Text(delivery.VarResult, results[e.Result])
		v.Time("operation_startdate", e.StartDate)
		v.origin(x, f.At)
		v.workspace(&e.Workspace)
		f.Variables = v.Encode()
		facts[i] = f
	}
	return facts
}

// endOf is when a device was done, or else when the report says.
func (x *expansion) endOf(e *delivery.WorkspaceExecution) time.Time {
	if e.EndDate.IsZero() {
		return x.occurredAt()
	}
	return e.EndDate
}

// operation adds an operation that began, ended and turned out so.
func (v *values) operation(
	r *delivery.OperationReport, start, end time.Time, result delivery.OperationResult,
) {
	v.Text("operation_description", r.Description)
	v.Time("operation_enddate", end)
	v.Text("operation_id", r.OperationID)
	v.Text("operation_initiated_by", r.InitiatedBy)
	v.Text("operation_name", cmp.Or(r.TypeName, r.TypeID))
	v.Text(delivery.VarResult, results[result])
	v.Time("operation_startdate", start)
	v.Text("operation_type_id", r.TypeID)
}

// A deviceCount is all devices of an operation, and how many ended how.
type deviceCount struct {
	devices []deviceResult
	ended   map[delivery.OperationResult]int
}

func countedDevices(devices []deviceResult) deviceCount {
	c := deviceCount{devices, make(map[delivery.OperationResult]int, len(results))}
	for i := range c.devices {
		c.ended[c.devices[i].result]++
	}
	return c
}

// worst is the result of the whole when Portal doesn't say: the worst of the
// devices'.
func (c *deviceCount) worst() delivery.OperationResult {
	for _, worst := range []delivery.OperationResult{
		delivery.ResultError, delivery.ResultTimeout,
		delivery.ResultCancelled,
	} {
		if c.ended[worst] > 0 {
			return worst
		}
	}
	return delivery.ResultCompleted
}

// end is when the last device ended; zero when one of them did not say, or there
// is none.
func (c *deviceCount) end() (last time.Time) {
	for i := range c.devices {
		switch end := c.devices[i].end; {
		case end.IsZero():
			return time.Time{}
		case end.After(last):
			last = end
		}
	}
	return last
}

// devices adds the lists and the counts.
func (v *values) devices(c deviceCount) {
	var names []string
	list := []byte{'['}
	for i, d := range c.devices[:min(len(c.devices), maxInline)] {
		names = append(names, d.name)
		if i > 0 {
			list = append(list, ',')
		}
		list = delivery.AppendJSONText(append(list, `{"id":`...), d.id)
		list = delivery.AppendJSONText(append(list, `,"name":`...), d.name)
		list = delivery.AppendJSONText(append(list, `,"result":`...), results[d.result])
		list = append(list, '}')
	}
	v.JSON("workspaces", append(list, ']'))
	v.Number("workspaces_cancelled", c.ended[delivery.ResultCancelled])
	v.Number("workspaces_completed", c.ended[delivery.ResultCompleted])
	v.Number("workspaces_count", len(c.devices))
	v.Number("workspaces_error", c.ended[delivery.ResultError])
	v.Text("workspaces_names", strings.Join(names, ", "))
	v.Number("workspaces_timeout", c.ended[delivery.ResultTimeout])
}

// merged returns the devices of the report, then those reported before that it
// doesn't list.
func merged(devices []delivery.WorkspaceExecution, earlier []deviceResult) []deviceResult {
	all := make([]deviceResult, 0, len(devices)+len(earlier))
	listed := make(map[string]bool, len(devices))
	for i := range devices {
		w := &devices[i].Workspace
		listed[w.ID] = true
		all = append(all, deviceResult{w.ID, cmp.Or(w.Name, w.ID), devices[i].Result, devices[i].EndDate})
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
func earlierDevices(events []delivery.Event) []deviceResult {
	devices := make([]deviceResult, 0, len(events))
	for i := range events {
		var said struct {
			Result string    `json:"operation_result"`
			End    time.Time `json:"operation_enddate"`
		}
		// What can't be read was not written by expand; it still counts.
		_ = json.Unmarshal(events[i].Variables, &said)
		devices = append(devices, deviceResult{
			id: events[i].WorkspaceID, name: events[i].WorkspaceName, result: resultCalled(said.Result),
			end: said.End,
		})
	}
	return devices
}

func resultCalled(caption string) delivery.OperationResult {
	for result, name := range results {
		if name == caption {
			return result
		}
	}
	return delivery.ResultCompleted
}
