package delivery

import (
	"slices"
	"time"
)

// A WebhookStatus says whether a webhook listens.
type WebhookStatus string

// The statuses.
const (
	Enabled  WebhookStatus = "ENABLED"
	Disabled WebhookStatus = "DISABLED"
)

// A DisabledReason says who or what disabled a webhook.
type DisabledReason string

// The reasons; the zero value goes with an enabled webhook.
const (
	DisabledByAdmin   DisabledReason = "ADMIN"   // a person did
	DisabledAsFailing DisabledReason = "FAILING" // nothing but failures for too long
	DisabledAsGone    DisabledReason = "GONE"    // the receiver answered 410
)

// A Webhook is an organization's standing order: when an event of Type happens
// to a selected item, fill Template and send it to Target.
type Webhook struct {
	ID             WebhookID
	Org            OrgID
	Name           string
	Status         WebhookStatus
	DisabledReason DisabledReason
	DisabledAt     time.Time
	// Holding webhooks are disabled but keep their events: deliveries are made
	// and stay HELD until the webhook is enabled again.
	Holding bool
	// CancelBefore is the number of the version whose change canceled what was
	// pending: deliveries that were pending before it are canceled, and no later
	// change sends them.
	CancelBefore int
	Secrets      []SealedSecret // signing secrets, newest first; the first is current
	Version      WebhookVersion // the current one
	CreatedAt    time.Time
	CreatedBy    string
	UpdatedAt    time.Time
	UpdatedBy    string
}

// A WebhookVersion is what a webhook was from one change of its configuration
// to the next. Versions are immutable: a message is rendered from the version
// that was current when its event came.
type WebhookVersion struct {
	ID          VersionID
	Org         OrgID
	Webhook     WebhookID
	Number      int // 1, 2, …; what clients send back as expectedVersion
	Name        string
	Type        EventType
	Target      string // absolute URL, as the admin wrote it; masked at rest
	Sealed      []byte // the target at rest: an envelope of the whole URL; empty elsewhere
	Selection   Selection
	Template    string // as the admin wrote it
	Headers     []StoredHeader
	Policy      Policy
	Listening   bool // whether the webhook took events during this version (enabled, or holding)
	Fingerprint string
	CreatedAt   time.Time
	CreatedBy   string
	EndedAt     time.Time // zero for the current version
	Deleted     bool      // the version that ended with the webhook's deletion
}

// A Selection says which items a webhook listens to. The zero Selection
// listens to none. Selected ids are sorted and unique.
type Selection struct {
	All   bool
	Items []ItemID
}

// Has reports whether item is selected.
func (s Selection) Has(item ItemID) bool {
	if s.All {
		return true
	}
	_, found := slices.BinarySearch(s.Items, item)
	return found
}

// A StoredHeader is a custom request header as it is kept: secret values are
// sealed, others are plain.
type StoredHeader struct {
	Name   string
	Value  string // empty when sealed
	Sealed []byte // empty when plain
}

// Mask stands for a secret value wherever one would be shown.
const Mask = "••••••"

// MaskedHeaders returns the custom headers as they may be shown: secret values
// are masked.
func (v WebhookVersion) MaskedHeaders() []Header {
	headers := make([]Header, len(v.Headers))
	for i, h := range v.Headers {
		headers[i] = Header{Name: h.Name, Value: h.Value}
		if len(h.Sealed) > 0 {
			headers[i] = Header{Name: h.Name, Value: Mask, Secret: true}
		}
	}
	return headers
}

// A SealedSecret is a signing secret at rest.
type SealedSecret struct {
	Sealed    []byte    // an envelope that names its key
	Hint      string    // the last four characters of the text form
	CreatedAt time.Time // UTC
	ExpiresAt time.Time // zero for the current secret; afterwards it no longer signs
}

// A Header is one HTTP header. Secret ones carry a mask instead of the value
// wherever they are shown.
type Header struct {
	Name   string `json:"n"`
	Value  string `json:"v"`
	Secret bool   `json:"s,omitempty"`
}

// A WebhookFilter narrows a list of webhooks. Zero fields don't narrow.
type WebhookFilter struct {
	Search string // part of the name or the target URL, in any case
	Types  []EventType
	Status WebhookStatus
	Item   ItemID // webhooks that listen to this item, also those that listen to all
}

// A WebhookOrder is what a list of webhooks is sorted by.
type WebhookOrder string

// The orders; the zero value means ByName.
const (
	ByName    WebhookOrder = "NAME"
	ByCreated WebhookOrder = "CREATED_AT"
	ByUpdated WebhookOrder = "UPDATED_AT"
)

// WebhookHealth is how a webhook's target has behaved.
type WebhookHealth struct {
	Webhook       WebhookID
	LastSuccessAt time.Time // zero when there was none
	LastFailureAt time.Time
	FailingSince  time.Time // the first failure since the last success; zero when the last attempt succeeded
	NoticedAt     time.Time // when notice of its disabling was last given; zero if never
	// DisablesAt is when the webhook will be disabled if nothing but failures
	// follows; zero unless it is enabled and fails. It is not stored.
	DisablesAt time.Time
	// Breaker is the state of this server's circuit breaker, and OpenUntil when
	// the next call is made if it is OPEN. Neither is stored.
	Breaker   BreakerState
	OpenUntil time.Time
}

// A BreakerState says whether calls of a webhook are made.
type BreakerState string

// The states of a circuit breaker.
const (
	BreakerClosed   BreakerState = "CLOSED"    // calls are made
	BreakerOpen     BreakerState = "OPEN"      // none is made: the target has failed too often
	BreakerHalfOpen BreakerState = "HALF_OPEN" // a few are made, to see whether the target works again
)

// A Backlog says what waits to be sent by a webhook.
type Backlog struct {
	Pending, Held int
	// Releasing is how many of them a change of the webhook has still to release or
	// cancel. It is not stored.
	Releasing int
}

// Releasing returns how many of a backlog a change of w has still to release or
// cancel: those that are held if w does not hold, and all if it is disabled or
// deleted.
func (w *Webhook) Releasing(b Backlog) int {
	switch {
	case w.Version.Deleted || w.Status == Disabled && !w.Holding:
		return b.Pending + b.Held
	case w.Holding:
		return 0
	}
	return b.Held
}

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
