package delivery

import (
	"encoding/json"
	"time"
)

// An Action is something that the audit log records.
type Action string

// The actions. The list is closed: an action that is not here is not recorded.
const (
	WebhookCreated       Action = "WEBHOOK_CREATED"
	WebhookUpdated       Action = "WEBHOOK_UPDATED"
	WebhookDeleted       Action = "WEBHOOK_DELETED"
	WebhookEnabled       Action = "WEBHOOK_ENABLED"
	WebhookDisabled      Action = "WEBHOOK_DISABLED" // by a person, or for failing or being gone
	WebhookFailing       Action = "WEBHOOK_FAILING"  // for half of the time after which it is disabled
	WebhookHeld          Action = "WEBHOOK_HELD"     // disabled, keeping its events back
	WebhookReleased      Action = "WEBHOOK_RELEASED" // enabled, sending what was kept back
	SecretRotated        Action = "SECRET_ROTATED"
	SecretExpired        Action = "SECRET_EXPIRED" // an old one signs no more
	DeliveriesCanceled   Action = "DELIVERIES_CANCELED"
	DeliveriesRepeated   Action = "DELIVERIES_REDELIVERED"
	APIKeyCreated        Action = "API_KEY_CREATED"        //nolint:gosec // the name of an action, not a key
	APIKeyRevoked        Action = "API_KEY_REVOKED"        //nolint:gosec // the name of an action, not a key
	EncryptionKeyChanged Action = "ENCRYPTION_KEY_CHANGED" // recorded before anything is resealed
	SignedIn             Action = "SIGNED_IN"
	SignedOut            Action = "SIGNED_OUT"
)

// An ActorKind says what sort of caller has done something.
type ActorKind string

// The kinds of actors.
const (
	ByPerson   ActorKind = "PERSON"
	ByKey      ActorKind = "API_KEY"
	AtTerminal ActorKind = "TERMINAL" // a person at a terminal with access to the database
	BySystem   ActorKind = "SYSTEM"   // Portalhooks itself
)

// An ObjectType says what an action was done to.
type ObjectType string

// The types of objects; the empty one goes with an action that has no object.
const (
	WebhookObject ObjectType = "WEBHOOK"
	APIKeyObject  ObjectType = "API_KEY"
)

// An AuditEntry is one line of the audit log. It is written in the transaction
// that makes the change, is never changed, and holds no secret: values are as a
// viewer of the organization would see them.
type AuditEntry struct {
	ID      AuditID
	Org     OrgID // 0 for what concerns the whole platform
	At      time.Time
	Action  Action
	Actor   Actor
	Object  AuditObject
	Changes []Change
	Request string // id of the request; "" where there was none
	Address string // where it came from; "" where there was none
}

// An Actor is who has done something, as it was at the time.
type Actor struct {
	Kind ActorKind
	Name string
	Key  KeyID // with ByKey
}

// An AuditObject is what something was done to, as it was called at the time.
type AuditObject struct {
	Type ObjectType
	ID   string
	Name string
}

// A Change is one field before and after, as JSON; nil where there was nothing.
// Both are the same where only a hidden part was changed.
type Change struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// An AuditFilter narrows the audit log. Zero fields don't narrow.
type AuditFilter struct {
	Actions       []Action
	Object        string // an object's id
	Key           KeyID  // what was done with this API key
	After, Before time.Time
}

// MinAuditRetention is how long an entry of the audit log can't be removed.
const MinAuditRetention = 30 * 24 * time.Hour
