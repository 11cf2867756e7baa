package delivery

import (
	"math"
	"strings"
	"sync/atomic"
	"time"
)

// Identifiers are distinct types so that the compiler keeps an organization's
// key out of a webhook's place. All are positive 63-bit numbers that grow with
// time; outside the server they appear as opaque text with a type prefix.
type (
	// An OrgID identifies an organization.
	OrgID int64
	// An ItemID identifies what events can be about.
	ItemID int64
	// A WebhookID identifies a webhook, whatever its version.
	WebhookID int64
	// A VersionID identifies one immutable version of a webhook.
	VersionID int64
	// An EventID identifies an event.
	EventID int64
	// A DeliveryID identifies a delivery, with all its attempts.
	DeliveryID int64
	// A LogID identifies an entry of the delivery log and orders those of one slot.
	LogID int64
	// A KeyID identifies an API key.
	KeyID int64
	// An AuditID identifies an entry of the audit log.
	AuditID int64
)

// The prefixes of the identifiers' text forms.
const (
	orgPrefix      = "org_"
	itemPrefix     = "itm_"
	webhookPrefix  = "wh_"
	versionPrefix  = "whv_"
	eventPrefix    = "evt_"
	deliveryPrefix = "dlv_"
	logPrefix      = "att_" // an entry's text form names the attempt that it records
	keyPrefix      = "key_"
	auditPrefix    = "aud_"
)

// String returns the opaque text form, such as org_01h2….
func (id OrgID) String() string { return formatID(orgPrefix, int64(id)) }

// String returns the opaque text form, such as itm_01h2….
func (id ItemID) String() string { return formatID(itemPrefix, int64(id)) }

// String returns the opaque text form, such as wh_01h2….
func (id WebhookID) String() string { return formatID(webhookPrefix, int64(id)) }

// String returns the opaque text form, such as whv_01h2….
func (id VersionID) String() string { return formatID(versionPrefix, int64(id)) }

// String returns the opaque text form, such as evt_01h2….
func (id EventID) String() string { return formatID(eventPrefix, int64(id)) }

// String returns the opaque text form, such as dlv_01h2…. It is what receivers
// see in the webhook-id header.
func (id DeliveryID) String() string { return formatID(deliveryPrefix, int64(id)) }

// String returns the opaque text form, such as att_01h2….
func (id LogID) String() string { return formatID(logPrefix, int64(id)) }

// String returns the opaque text form, such as key_01h2….
func (id KeyID) String() string { return formatID(keyPrefix, int64(id)) }

// String returns the opaque text form, such as aud_01h2….
func (id AuditID) String() string { return formatID(auditPrefix, int64(id)) }

// ParseOrgID reads the text form; ok is false for anything else.
func ParseOrgID(s string) (id OrgID, ok bool) { return parseID[OrgID](orgPrefix, s) }

// ParseItemID reads the text form; ok is false for anything else.
func ParseItemID(s string) (id ItemID, ok bool) { return parseID[ItemID](itemPrefix, s) }

// ParseWebhookID reads the text form; ok is false for anything else.
func ParseWebhookID(s string) (id WebhookID, ok bool) { return parseID[WebhookID](webhookPrefix, s) }

// ParseVersionID reads the text form; ok is false for anything else.
func ParseVersionID(s string) (id VersionID, ok bool) { return parseID[VersionID](versionPrefix, s) }

// ParseEventID reads the text form; ok is false for anything else.
func ParseEventID(s string) (id EventID, ok bool) { return parseID[EventID](eventPrefix, s) }

// ParseDeliveryID reads the text form; ok is false for anything else.
func ParseDeliveryID(s string) (id DeliveryID, ok bool) {
	return parseID[DeliveryID](deliveryPrefix, s)
}

// ParseLogID reads the text form; ok is false for anything else.
func ParseLogID(s string) (id LogID, ok bool) { return parseID[LogID](logPrefix, s) }

// ParseKeyID reads the text form; ok is false for anything else.
func ParseKeyID(s string) (id KeyID, ok bool) { return parseID[KeyID](keyPrefix, s) }

// idDigits is Crockford's base 32 in lower case: no i, l, o or u to misread,
// and text sorts as the numbers do.
const (
	idDigits = "0123456789abcdefghjkmnpqrstvwxyz"
	idLength = 13 // 13 digits of 5 bits hold 63 bits
)

func formatID(prefix string, id int64) string {
	var b [4 + idLength]byte
	n := copy(b[:], prefix)
	for i := idLength - 1; i >= 0; i-- {
		b[n+i] = idDigits[id&31]
		id >>= 5
	}
	return string(b[:n+idLength])
}

func parseID[T ~int64](prefix, s string) (T, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok || len(digits) != idLength || digits[0] > '7' {
		return 0, false
	}
	var id int64
	for i := range len(digits) {
		d := strings.IndexByte(idDigits, digits[i])
		if d < 0 {
			return 0, false
		}
		id = id<<5 | int64(d)
	}
	return T(id), id > 0
}

// An id is milliseconds since idEpoch, the slot of the server that made it,
// and a sequence number within the millisecond.
const (
	slotBits = 10
	SeqBits  = 12
	MaxSlot  = 1<<slotBits - 1 // the highest slot; at most 1,024 servers share a database
)

// idEpoch is the zero of ids' clock: 41 bits of milliseconds last until 2093.
var idEpoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// IDs makes identifiers. Each is greater than the one before, also when the
// clock jumps back, and no two servers with different slots make the same.
type IDs struct {
	slot int64
	last atomic.Int64 // ms<<SeqBits | seq of the latest id
}

// NewIDs returns a source for the server that holds slot, 0 to MaxSlot.
func NewIDs(slot int) *IDs { return &IDs{slot: int64(slot) & MaxSlot} }

// Next returns a new identifier.
func (s *IDs) Next() int64 {
	now := time.Since(idEpoch).Milliseconds() << SeqBits
	for {
		last := s.last.Load()
		next := max(now, last+1)
		if s.last.CompareAndSwap(last, next) {
			return next>>SeqBits<<(slotBits+SeqBits) | s.slot<<SeqBits | next&(1<<SeqBits-1)
		}
	}
}

// Follow makes all ids that come greater than id, as far as they can be while
// carrying another slot: for a server that starts where one has ended whose
// clock was ahead.
func (s *IDs) Follow(id int64) {
	ms, seq := id>>(slotBits+SeqBits), id&(1<<SeqBits-1)
	for past := ms<<SeqBits | seq; ; {
		last := s.last.Load()
		if last >= past || s.last.CompareAndSwap(last, past) {
			return
		}
	}
}

// IDTime returns when id was made, to the millisecond, in UTC.
func IDTime[T ~int64](id T) time.Time {
	return idEpoch.Add(time.Duration(int64(id)>>(slotBits+SeqBits)) * time.Millisecond)
}

// IDAt returns the smallest id that a server could make at t: a bound for
// range scans over time. Times outside of what ids can hold, to 2093, have the
// nearest one.
func IDAt[T ~int64](t time.Time) T {
	const last = math.MaxInt64 >> (slotBits + SeqBits) // milliseconds
	return T(min(max(0, t.Sub(idEpoch).Milliseconds()), last) << (slotBits + SeqBits))
}

// IDSlot returns the slot of the server that made id.
func IDSlot[T ~int64](id T) int { return int(int64(id) >> SeqBits & MaxSlot) }

// Now returns the time as it is stored with webhooks: as precise as ids are, so
// that what is compared with the time of an event compares exactly.
func Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
