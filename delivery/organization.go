package delivery

import (
	"encoding/json"
	"time"
)

// An Organization is one of Portal's tenants. Unknown ones are
// registered by ingest.
type Organization struct {
	ID         OrgID
	ExternalID string // Portal's own id, unique
	Name       string
	CreatedAt  time.Time
	// ConfigVersion grows with every change of the organization's webhooks.
	// Events that were matched against an older version must be matched again.
	ConfigVersion int64
}

// An ItemKind says what sort of definition an Item is.
type ItemKind string

// The item kinds.
const (
	AlertItem        ItemKind = "ALERT"        // an alert setting
	MicroserviceItem ItemKind = "MICROSERVICE" // a microservice
	ObjectItem       ItemKind = "OBJECT"       // a type of object
	OperationItem    ItemKind = "OPERATION"    // a type of operation
)

// Known reports whether there is such a kind.
func (k ItemKind) Known() bool {
	switch k {
	case AlertItem, MicroserviceItem, ObjectItem, OperationItem:
		return true
	}
	return false
}

// An Item is a definition that events are about: an alert setting, a
// microservice, an object type or an operation type. It is never one
// occurrence. Ingest registers items, and SyncItems completes them.
type Item struct {
	ID         ItemID
	Org        OrgID
	Kind       ItemKind
	ExternalID string // Portal's own id, unique within organization and kind
	Name       string
	Enabled    bool
	Missing    bool            // the latest complete list from Portal no longer had it
	ViewURL    string          // Portal's page about it; empty when there is none
	Attributes json.RawMessage // a JSON object of Portal's own fields, such as category; never nil
	UpdatedAt  time.Time
}
