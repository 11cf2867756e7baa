package delivery

import (
	"cmp"
	"encoding/json"
	"time"
)

// A Report is one occurrence as Portal submits it. Exactly one of the four
// payloads is set. Zero fields are absent. Its texts may be parts of the whole
// request: what outlives the call keeps copies of them.
type Report struct {
	OrganizationID        string // Portal's own id of the organization, or our org_…
	OrganizationName      string
	SourceEventID         string    // the sender's id of the report
	OccurredAt            time.Time // now if zero
	ActiveAlert           *ActiveAlertReport
	MicroserviceExecution *MicroserviceReport
	ObjectChange          *ObjectReport
	Operation             *OperationReport
}

// A ReportedWorkspace is a device.
type ReportedWorkspace struct {
	ID, Name, LastUser                   string
	ReportingGroupID, ReportingGroupName string
}

// A ReportedItem is what a report says about an item.
type ReportedItem struct{ ID, Name, ViewURL string }

// DisplayName returns the name of an item: its id when the report has none.
func (i ReportedItem) DisplayName() string { return cmp.Or(Clean(i.Name), i.ID) }

// An OperationResult is how an operation ended.
type OperationResult string

// The results of an operation.
const (
	ResultCompleted OperationResult = "COMPLETED"
	ResultError     OperationResult = "ERROR"
	ResultTimeout   OperationResult = "TIMEOUT"
	ResultCancelled OperationResult = "CANCELLED"
)

// A WorkspaceExecution is how an operation went on one device.
type WorkspaceExecution struct {
	Workspace          ReportedWorkspace
	StartDate, EndDate time.Time
	Result             OperationResult
}

// An AlertSeverity is how bad an alert is.
type AlertSeverity string

// The severities of alerts.
const (
	SeverityCritical      AlertSeverity = "CRITICAL"
	SeverityWarning       AlertSeverity = "WARNING"
	SeverityInformational AlertSeverity = "INFORMATIONAL"
)

// An ObjectAction is what was done to an object.
type ObjectAction string

// The actions on objects.
const (
	ActionCreated  ObjectAction = "CREATED"
	ActionModified ObjectAction = "MODIFIED"
	ActionDeleted  ObjectAction = "DELETED"
)

// An ActiveAlertReport says that an alert was raised, on a device if Workspace
// is set.
type ActiveAlertReport struct {
	Alert     ReportedAlert
	Workspace *ReportedWorkspace
}

// A ReportedAlert is an alert setting and what made it fire.
type ReportedAlert struct {
	ID, Name, Information string
	Start                 time.Time
	Element               string
	Severity              AlertSeverity // may be empty
	Category, ViewURL     string
}

// A MicroserviceReport says on which devices a microservice has run.
type MicroserviceReport struct {
	OperationID  string
	Microservice ReportedItem
	Workspaces   []WorkspaceExecution
}

// An ObjectReport says that an object of Portal was changed.
type ObjectReport struct {
	Action                     ObjectAction
	TypeID, TypeName, ID, Name string
	Changes                    []FieldChange
	User                       ReportedUser
}

// A FieldChange is one changed property; a nil value means that there was, or
// is, none.
type FieldChange struct {
	Property                string
	OriginalValue, NewValue *string
}

// A ReportedUser is who changed an object.
type ReportedUser struct{ ID, Name, Email string }

// An OperationReport says how an operation went: on all its devices, or, if
// Partial or ExpectedWorkspaces is set, on those that it lists.
type OperationReport struct {
	OperationID, TypeID, TypeName string
	Description, InitiatedBy      string
	StartDate, EndDate            time.Time
	Result                        OperationResult // of the whole; derived from the devices if empty
	Microservice                  *ReportedItem   // set when the operation runs one
	Partial                       bool            // more reports follow
	// ExpectedWorkspaces is the number of all devices, in every report of the
	// operation: the report that brings the last of them raises the event of the
	// whole, and Partial doesn't matter. 0 when it is not given.
	ExpectedWorkspaces int
	Workspaces         []WorkspaceExecution
}

// Whole reports whether the report alone raises the event of the whole operation.
func (r *OperationReport) Whole() bool { return !r.Partial && r.ExpectedWorkspaces == 0 }

// A SyncedItem is one item of Portal's list.
type SyncedItem struct {
	ID, Name   string
	Enabled    bool
	ViewURL    string
	Attributes json.RawMessage // a JSON object; none if empty
}

// An IngestStatus says what became of a report.
type IngestStatus string

// The statuses.
const (
	Accepted   IngestStatus = "ACCEPTED"  // it was new, at least in part
	Duplicated IngestStatus = "DUPLICATE" // all of it was stored before
	Rejected   IngestStatus = "REJECTED"  // nothing of it was stored
)

// An IngestResult is the answer to one report.
type IngestResult struct {
	Status IngestStatus
	// Events are the events that the report raised or, if it is a duplicate, that
	// were raised before, by this report or by others about the same.
	Events     []EventID
	Deliveries int       // that Events caused
	Errors     Errors    // when rejected; Field is the path inside the report
	Warnings   []Warning // unless rejected
}

// A WarningCode says what a Warning is about. Codes are part of the API.
type WarningCode string

// The codes of warnings about reports.
const (
	// OrganizationRegistered: the organization was not known before.
	OrganizationRegistered WarningCode = "ORGANIZATION_REGISTERED"
	// ItemRegistered: an item was not known before.
	ItemRegistered WarningCode = "ITEM_REGISTERED"
	// OtherValues: the same was reported before with other values, which stay.
	OtherValues WarningCode = "OTHER_VALUES"
	// AfterWhole: devices came after the event of their whole operation.
	AfterWhole WarningCode = "AFTER_WHOLE"
	// EndsBeforeStart: an end is earlier than its start.
	EndsBeforeStart WarningCode = "ENDS_BEFORE_START"
	// NothingMatched: no webhook fires for what was reported.
	NothingMatched WarningCode = "NOTHING_MATCHED"
)

// A Warning says what was assumed about a report that was accepted all the same.
type Warning struct {
	Code    WarningCode
	Field   string // path inside the report; empty when there is no single field
	Message string // full sentences
}
