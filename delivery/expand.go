package delivery

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// maxInline is how many devices the variables of an operation list. The counts
// are exact.
const maxInline = 100

// What the enumerations of reports are called in messages.
var (
	results = map[OperationResult]string{
		ResultCompleted: "Completed", ResultError: "Error", ResultTimeout: "Timeout", ResultCancelled: "Cancelled",
	}
	severities = map[string]string{
		"CRITICAL": "Critical", "WARNING": "Warning", "INFORMATIONAL": "Informational",
	}
	objectActions = map[string]objectAction{
		"CREATED":  {ObjectCreated, "Created"},
		"MODIFIED": {ObjectModified, "Modified"},
		"DELETED":  {ObjectDeleted, "Deleted"},
	}
)

type objectAction struct {
	raises  EventType
	caption string
}

// A fact is an event before anything is known of it but the report.
type fact struct {
	Type          EventType
	Kind          ItemKind
	Item          ReportedItem
	ItemID        ItemID // once it is learnt
	Group         GroupID
	At            time.Time
	WorkspaceID   string
	WorkspaceName string
	Key           string
	Fingerprint   uint64
	Variables     json.RawMessage
}

// An expansion turns one valid report after the other into its facts.
type expansion struct {
	now time.Time

	org    Organization
	report *Report
	room   Variables // for the values of one event after the other
}

// values are the variables of one event.
type values struct{ Variables }

// facts returns the events that a valid report raises, if none of them has
// been raised before. Earlier are the devices that were reported before, which
// a complete operation counts in even where it doesn't list them.
func (x *expansion) facts(org Organization, r *Report, earlier []deviceResult) []fact {
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
func (v *values) eventType(t EventType) {
	info, _ := TypeInfoOf(t)
	v.Text(varEventType, info.Caption(English))
}

// origin adds the organization, and when the event happened.
func (v *values) origin(x *expansion, at time.Time) {
	v.Text(varOrgID, x.org.ExternalID)
	v.Text(varOrgName, x.org.Name)
	v.Time(varTimestamp, at)
}

func (x *expansion) alert(r *ActiveAlertReport) []fact {
	at := x.occurredAt()
	item := ReportedItem{ID: r.Alert.ID, Name: r.Alert.Name, ViewURL: r.Alert.ViewURL}
	v := x.begin()
	v.Text("alert_category", r.Alert.Category)
	v.Text("alert_element", r.Alert.Element)
	v.Text("alert_id", item.ID)
	v.Text("alert_information", r.Alert.Information)
	v.Text("alert_name", item.DisplayName())
	v.Text("alert_severity", severities[r.Alert.Severity])
	v.Time("alert_start", r.Alert.Start)
	v.eventType(ActiveAlert)
	v.origin(x, at)
	f := fact{
		Type: ActiveAlert, Kind: AlertItem, Item: item, Group: alertGroup(x.org, r), At: at,
		Key: SourceKey(x.report.SourceEventID), Fingerprint: fingerprint(x.report, nil),
	}
	if r.Workspace != nil {
		v.workspace(r.Workspace)
		f.setWorkspace(r.Workspace)
	}
	f.Variables = v.Encode()
	return []fact{f}
}

func (x *expansion) object(r *ObjectReport) []fact {
	at := x.occurredAt()
	action := objectActions[r.Action]
	item := ReportedItem{ID: r.TypeID, Name: r.TypeName}
	changes := r.Changes
	if action.raises != ObjectModified {
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
		Type: action.raises, Kind: ObjectItem, Item: item, Group: sourceGroup(x.org, x.report.SourceEventID),
		At: at, Key: SourceKey(x.report.SourceEventID), Fingerprint: fingerprint(x.report, nil),
		Variables: v.Encode(),
	}}
}

func (v *values) changes(changes []FieldChange) {
	if len(changes) == 0 {
		return
	}
	list := []byte{'['}
	for i, c := range changes {
		if i > 0 {
			list = append(list, ',')
		}
		list = appendJSONText(append(list, `{"property":`...), c.Property)
		list = appendOptional(append(list, `,"original_value":`...), c.OriginalValue)
		list = appendOptional(append(list, `,"new_value":`...), c.NewValue)
		list = append(list, '}')
	}
	v.JSON("object_changes", append(list, ']'))
}

func (v *values) changedFields(changes []FieldChange) {
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
	return appendJSONText(dst, *text)
}

func (v *values) workspace(w *ReportedWorkspace) {
	v.Text("workspace_id", w.ID)
	v.Text("workspace_last_user", w.LastUser)
	v.Text("workspace_name", cmp.Or(w.Name, w.ID))
	v.Text("workspace_reporting_group_id", w.ReportingGroupID)
	v.Text("workspace_reporting_group_name", w.ReportingGroupName)
}

func (f *fact) setWorkspace(w *ReportedWorkspace) {
	f.WorkspaceID = w.ID
	f.WorkspaceName = cmp.Or(cleaned(w.Name), w.ID)
}

// distinct returns the devices without repeats, in order, with times in UTC.
func distinct(list []WorkspaceExecution) []WorkspaceExecution {
	seen := make(map[string]bool, len(list))
	kept := make([]WorkspaceExecution, 0, len(list))
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
func sortedByID(list []WorkspaceExecution) []WorkspaceExecution {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b WorkspaceExecution) int {
		return cmp.Compare(a.Workspace.ID, b.Workspace.ID)
	})
	return sorted
}
