package delivery

import (
	"encoding/json"
	"strings"
	"time"
)

// An Event is a fact that Portal reported: one thing of one type that happened
// to one item. Events are immutable.
type Event struct {
	ID            EventID
	Org           OrgID
	Type          EventType
	Item          ItemID
	ItemName      string    // the item's name at the time
	Group         GroupID   // the same for all events of one occurrence
	OccurredAt    time.Time // UTC
	ReceivedAt    time.Time // UTC; IDTime(ID)
	SourceEventID string    // the sender's id of the report
	WorkspaceID   string    // Portal's id of the device; empty when there is none
	WorkspaceName string
	Test          bool            // made for a test of a webhook; not reported by Portal
	Variables     json.RawMessage // a compact JSON object, variable name without # to value
}

// WithoutReport returns e with copies of the texts that it has from its report,
// which may be megabytes that they keep in memory.
func (e Event) WithoutReport() Event {
	e.ItemName, e.SourceEventID = strings.Clone(e.ItemName), strings.Clone(e.SourceEventID)
	e.WorkspaceID, e.WorkspaceName = strings.Clone(e.WorkspaceID), strings.Clone(e.WorkspaceName)
	return e
}

// A GroupID correlates the events of one occurrence, such as one operation on
// many devices or the repeats of one alert on one device. It is a pure function
// of what was reported, so receivers can use it to find their ticket again.
type GroupID string

// An EventFilter narrows a list of events. Zero fields don't narrow.
type EventFilter struct {
	Types         []EventType
	Item          ItemID
	Group         GroupID
	WorkspaceID   string
	SourceEventID string
	After, Before time.Time // received in [After, Before)
}
