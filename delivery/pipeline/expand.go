package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"portalhooks/delivery"
)

// maxInline is how many devices the variables of an operation list. The counts
// are exact.
const maxInline = 100

// What the enumerations of reports are called in messages.
var (
	results = map[delivery.OperationResult]string{
		delivery.ResultCompleted: "Completed", delivery.ResultError: "Error", delivery.ResultTimeout: "Timeout",
		delivery.ResultCancelled: "Cancelled",
	}
	severities = map[delivery.AlertSeverity]string{
		delivery.SeverityCritical: "Critical", delivery.SeverityWarning: "Warning",
		delivery.SeverityInformational: "Informational",
	}
	objectActions = map[delivery.ObjectAction]objectAction{
		delivery.ActionCreated:  {delivery.ObjectCreated, "Created"},
		delivery.ActionModified: {delivery.ObjectModified, "Modified"},
		delivery.ActionDeleted:  {delivery.ObjectDeleted, "Deleted"},
	}
)

type objectAction struct {
	raises  delivery.EventType
	caption string
}

// A fact is an event before anything is known of it but the report.
type fact struct {
	Type          delivery.EventType
	Kind          delivery.ItemKind
	Item          delivery.ReportedItem
	ItemID        delivery.ItemID // once it is registered
	newItem       bool            // it was registered for this fact
	Group         delivery.GroupID
	At            time.Time
	WorkspaceID   string
	WorkspaceName string
	Key           string
	Fingerprint   uint64
	Variables     json.RawMessage
}

// expand finds the facts that the reports state.
func (g *Ingester) expand(ctx context.Context, submissions []submission) error {
	x := newExpansion()
	inCall := make(map[delivery.GroupID][]deviceResult)
	for i := range submissions {
		in := &submissions[i]
		if in.rejected() {
			continue
		}
		earlier, err := g.earlier(ctx, in, inCall)
		if err != nil {
			return err
		}
		in.facts = x.facts(in.named(), in.report, earlier)
		if err := g.registerItems(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// registerItems gives each fact of a report its item's id. A report has one item,
// or one after the other.
func (g *Ingester) registerItems(ctx context.Context, in *submission) (err error) {
	for i := range in.facts {
		f := &in.facts[i]
		if i > 0 && f.sameItem(&in.facts[i-1]) {
			f.ItemID = in.facts[i-1].ItemID
			continue
		}
		if f.ItemID, f.newItem, err = g.register.Item(ctx, in.org.ID, f.Kind, f.Item); err != nil {
			return err
		}
	}
	return nil
}

func (f *fact) sameItem(other *fact) bool { return f.Kind == other.Kind && f.Item == other.Item }

// earlier returns the devices of a whole operation that were reported before,
// also those of earlier reports of the same call.
func (g *Ingester) earlier(
	ctx context.Context, in *submission, inCall map[delivery.GroupID][]deviceResult,
) ([]deviceResult, error) {
	r := in.report.Operation
	if r == nil {
		return nil, nil
	}
	group := delivery.OperationGroup(in.org, r.OperationID)
	if !r.Whole() {
		inCall[group] = append(inCall[group], merged(r.Workspaces, nil)...)
		return nil, nil
	}
	stored, err := g.storedDevices(ctx, in.org.ID, group)
	return append(stored, inCall[group]...), err
}

// storedDevices reads back the devices of an operation that are stored.
func (g *Ingester) storedDevices(
	ctx context.Context, org delivery.OrgID, group delivery.GroupID,
) ([]deviceResult, error) {
	events, err := g.events.EventsOfGroup(
		ctx, org, group, delivery.OperationInWorkspace, delivery.MaxWorkspaces,
	)
	if err != nil {
		return nil, fmt.Errorf("read the devices that were reported before: %w", err)
	}
	return earlierDevices(events), nil
}

// named returns the organization as the report calls it, for the events of the
// report.
func (in *submission) named() delivery.Organization {
	org := in.org
	org.Name = cmp.Or(delivery.Clean(in.report.OrganizationName), org.Name)
	return org
}

// An expansion turns one valid report after the other into its facts.
type expansion struct {
	now time.Time

	org    delivery.Organization
	report *delivery.Report
	room   delivery.Variables // for the values of one event after the other
}

func newExpansion() expansion {
	return expansion{now: delivery.Now(), room: make(delivery.Variables, 0, 24)}
}

// values are the variables of one event.
type values struct{ delivery.Variables }

// facts returns the events that a valid report raises, if none of them has
// been raised before. Earlier are the devices that were reported before, which
// a whole operation counts in even where it doesn't list them.
func (x *expansion) facts(org delivery.Organization, r *delivery.Report, earlier []deviceResult) []fact {
	x.org, x.report = org, r
	switch {
	case r.ActiveAlert != nil:
		return x.alert(r.ActiveAlert)
	case r.ObjectChange != nil:
		return x.object(r.ObjectChange)
	case r.MicroserviceExecution != nil:
		m := r.MicroserviceExecution
		return x.microservice(m.OperationID, m.Microservice, distinct(m.Workspaces))
	}
	return x.operation(r.Operation, earlier)
}

// occurredAt is when the whole of the report happened.
func (x *expansion) occurredAt() time.Time {
	if x.report.OccurredAt.IsZero() {
		return x.now
	}
	return x.report.OccurredAt
}

// begin returns the variables of an event, without any yet. Add them in the
// order of their names, and encode them before the next event's begin.
func (x *expansion) begin() values { return values{x.room[:0]} }

// eventType adds what the event is.
func (v *values) eventType(t delivery.EventType) {
	info, _ := delivery.TypeInfoOf(t)
	v.Text(delivery.VarEventType, info.Caption(delivery.English))
}

// origin adds the organization, and when the event happened.
func (v *values) origin(x *expansion, at time.Time) {
	v.Text(delivery.VarOrgID, x.org.ExternalID)
	v.Text(delivery.VarOrgName, x.org.Name)
	v.Time(delivery.VarTimestamp, at)
}

func (x *expansion) alert(r *delivery.ActiveAlertReport) []fact {
	at := x.occurredAt()
	item := delivery.ReportedItem{ID: r.Alert.ID, Name: r.Alert.Name, ViewURL: r.Alert.ViewURL}
	v := x.begin()
	v.Text("alert_category", r.Alert.Category)
	v.Text("alert_element", r.Alert.Element)
	v.Text("alert_id", item.ID)
	v.Text("alert_information", r.Alert.Information)
	v.Text("alert_name", item.DisplayName())
	v.Text("alert_severity", severities[r.Alert.Severity])
	v.Time("alert_start", r.Alert.Start)
	v.eventType(delivery.ActiveAlert)
	v.origin(x, at)
	f := fact{
		Type: delivery.ActiveAlert, Kind: delivery.AlertItem, Item: item, Group: delivery.AlertGroup(x.org, r),
		At:  at,
		Key: delivery.SourceKey(x.report.SourceEventID), Fingerprint: delivery.ReportFingerprint(x.report, nil),
	}
	if r.Workspace != nil {
		v.workspace(r.Workspace)
		f.setWorkspace(r.Workspace)
	}
	f.Variables = v.Encode()
	return []fact{f}
}

func (x *expansion) object(r *delivery.ObjectReport) []fact {
	at := x.occurredAt()
	action := objectActions[r.Action]
	item := delivery.ReportedItem{ID: r.TypeID, Name: r.TypeName}
	changes := r.Changes
	if action.raises != delivery.ObjectModified {
		changes = nil
	}
	v := x.begin()
	v.eventType(action.raises)
	v.Text("object_action", action.caption)
	v.changes(changes)
	v.Text("object_id", r.ID)
	v.changedFields(changes)
	v.Text("object_name", cmp.Or(r.Name, r.ID))
	v.Text("object_type", item.DisplayName())
	v.Text("object_type_id", item.ID)
	v.origin(x, at)
	v.Text("user_email", r.User.Email)
	v.Text("user_id", r.User.ID)
	v.Text("user_name", r.User.Name)
	return []fact{{
		Type: action.raises, Kind: delivery.ObjectItem, Item: item,
		Group: delivery.SourceGroup(x.org, x.report.SourceEventID),
		At:    at, Key: delivery.SourceKey(x.report.SourceEventID),
		Fingerprint: delivery.ReportFingerprint(x.report, nil),
		Variables:   v.Encode(),
	}}
}

func (v *values) changes(changes []delivery.FieldChange) {
	if len(changes) == 0 {
		return
	}
	list := []byte{'['}
	for i, c := range changes {
		if i > 0 {
			list = append(list, ',')
		}
		list = delivery.AppendJSONText(append(list, `{"property":`...), c.Property)
		list = appendOptional(append(list, `,"original_value":`...), c.OriginalValue)
		list = appendOptional(append(list, `,"new_value":`...), c.NewValue)
		list = append(list, '}')
	}
	v.JSON("object_changes", append(list, ']'))
}

func (v *values) changedFields(changes []delivery.FieldChange) {
	fields := make([]string, len(changes))
	for i, c := range changes {
		fields[i] = c.Property
	}
	v.Text("object_modified_fields", strings.Join(fields, ", "))
}

func appendOptional(dst []byte, text *string) []byte {
	if text == nil {
		return append(dst, "null"...)
	}
	return delivery.AppendJSONText(dst, *text)
}

func (v *values) workspace(w *delivery.ReportedWorkspace) {
	v.Text("workspace_id", w.ID)
	v.Text("workspace_last_user", w.LastUser)
	v.Text("workspace_name", cmp.Or(w.Name, w.ID))
	v.Text("workspace_reporting_group_id", w.ReportingGroupID)
	v.Text("workspace_reporting_group_name", w.ReportingGroupName)
}

func (f *fact) setWorkspace(w *delivery.ReportedWorkspace) {
	f.WorkspaceID = w.ID
	f.WorkspaceName = cmp.Or(delivery.Clean(w.Name), w.ID)
}

// distinct returns the devices without repeats, in order, with times in UTC.
func distinct(list []delivery.WorkspaceExecution) []delivery.WorkspaceExecution {
	seen := make(map[string]bool, len(list))
	kept := make([]delivery.WorkspaceExecution, 0, len(list))
	for _, e := range list {
		if !seen[e.Workspace.ID] {
			seen[e.Workspace.ID] = true
			e.StartDate, e.EndDate = e.StartDate.UTC(), e.EndDate.UTC()
			kept = append(kept, e)
		}
	}
	return kept
}

// sortedByID returns the devices in an order that doesn't depend on the report's.
func sortedByID(list []delivery.WorkspaceExecution) []delivery.WorkspaceExecution {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b delivery.WorkspaceExecution) int {
		return cmp.Compare(a.Workspace.ID, b.Workspace.ID)
	})
	return sorted
}
