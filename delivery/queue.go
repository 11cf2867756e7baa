package delivery

import (
	"context"
	"errors"
	"iter"
	"time"
)

// An Owner is one run of one server. A server that starts again in the same
// slot has a greater epoch, so the leases of the dead one are recognized.
type Owner struct {
	Slot  int
	Epoch int64
}

// A Job is a delivery leased to this server, with everything that its next
// attempt needs.
type Job struct {
	Delivery Delivery // Attempts counts those already made
	Event    Event
	Owner    Owner // the fence: Settle compares it
	Cancel   bool  // its webhook, as it was stored when it was leased, cancels the delivery
	Hold     bool  // or holds it
	// WebhookVersion is the number of the webhook's version when the delivery was
	// leased; 0 for a delivery that was leased when it was stored: then it was that
	// of the delivery's Version.
	WebhookVersion int

	// The pipeline sets these while it holds the job; the store leaves them zero.
	LeasedUntil  time.Time // the lease does not end before
	BreakerEpoch int       // of the webhook's circuit breaker when the attempt began
}

// DeliveriesOf returns the ids of the jobs' deliveries.
func DeliveriesOf(jobs []Job) []DeliveryID {
	ids := make([]DeliveryID, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].Delivery.ID
	}
	return ids
}

// An Ingest is the part of one report that is about to be stored: the events
// that it raises and the deliveries that they cause.
type Ingest struct {
	Org           OrgID
	ConfigVersion int64 // what the events were matched against
	Events        []NewEvent
}

// A NewEvent is an event that is stored unless its Key was stored before.
type NewEvent struct {
	Event       Event
	Key         string // unique within the organization; identifies the fact
	BySource    bool   // Key is SourceKey of the event's SourceEventID: the one finds the other
	Fingerprint uint64 // hash of the reported body, to tell a re-send from a clash
	// Deliveries that are SENDING are leased to the server that stores them, those
	// that are HELD are held, and all others are due at once for any server.
	// Ordered ones are never SENDING here.
	Deliveries []Delivery
}

// A Stored says what became of one NewEvent.
type Stored struct {
	ID          EventID // the event that has the key now
	Fresh       bool    // it was stored by this call
	Fingerprint uint64  // of the event that has the key
	Deliveries  int     // caused by the event when it was stored
}

// An Ingested says what became of one Ingest.
type Ingested struct {
	// Stale means that the organization's ConfigVersion has changed: nothing of
	// this Ingest was stored; match again.
	Stale  bool
	Events []Stored // as in Ingest.Events
}

// FreshEvents yields the events of a batch that were stored by its call, each with
// the place of its Ingest in the batch.
func FreshEvents(batch []Ingest, stored []Ingested) iter.Seq2[int, *NewEvent] {
	return func(yield func(int, *NewEvent) bool) {
		for i := range batch {
			for j := range stored[i].Events {
				if !stored[i].Stale && stored[i].Events[j].Fresh && !yield(i, &batch[i].Events[j]) {
					return
				}
			}
		}
	}
}

// A Settlement moves one delivery on and writes one log entry.
type Settlement struct {
	Owner  Owner
	Before int      // the delivery's Attempts before this: with Owner, the fence
	Entry  LogEntry // Entry.Delivery.State says where it goes
	// Pause is how long the next attempt of a RETRYING delivery waits, by the clock of
	// the database: the one of this server may be wrong.
	Pause time.Duration
	// Unqueued settlements have no row in the queue (tests of a webhook): only
	// the log entry is written, together with Event.
	Unqueued bool
	Event    *Event
}

// ErrUnstorable says that the database refuses what it was given, and would do so
// again, although it takes other changes.
var ErrUnstorable = errors.New("the database refuses what was to be stored")

// A Queue holds the pending deliveries. Its methods are the hot path: each is
// batched, and the store retries each on serialization failures and lost
// connections.
type Queue interface {
	// Ingest stores a batch in one transaction: either all that it reports as
	// fresh is durable, or it returns an error and nothing is. NotFound means that
	// owner has lost its slot: another server makes the slot's ids.
	Ingest(ctx context.Context, owner Owner, lease time.Duration, batch []Ingest) ([]Ingested, error)
	// Claim leases due deliveries to a server. No delivery is leased twice at the
	// same time; one whose lease has ended is due, unless a server that may live
	// could not settle it meanwhile: see Heartbeat. Held ones are never leased.
	// Alerts come first, but leave an eighth of N to others. Ordered deliveries
	// are leased only while no other of their webhook is, the oldest first, up to
	// the first that is not due yet or, unless the webhook makes no calls, still
	// held. None is leased of a webhook whose deliveries are being put in order.
	Claim(ctx context.Context, c ClaimRequest) ([]Job, error)
	// Settle stores a batch in one transaction and reports for each whether its
	// fence held; where it did not, nothing is written: another server has
	// settled that attempt. Final states remove the delivery from the queue,
	// RETRYING requeues it due after Pause, HELD holds it. Where the webhook, as it
	// is stored, does not hold the delivery, HELD requeues it due at once, without
	// an entry, and reports false. An error that is ErrUnstorable is about what the
	// batch contains, any other about the database.
	Settle(ctx context.Context, batch []Settlement) ([]bool, error)
	// Release requeues, due after the pause, those of ids that are leased to
	// owner; with ids nil everything that is leased to any epoch of owner's slot
	// up to owner's. It uses up no attempt.
	Release(ctx context.Context, owner Owner, ids []DeliveryID, pause time.Duration) (int, error)
	// Requeue adds deliveries for events that are stored, due at once. They are
	// held only where their webhook holds, and ordered as it is. It returns
	// NotFound when an event is not stored, and Conflict when a webhook was
	// disabled or deleted, and then adds nothing.
	Requeue(ctx context.Context, deliveries []Delivery, records []AuditEntry) error
	// Recall brings pending deliveries of a webhook in line with the webhook as it
	// is stored, in portions of limit at most: begin with the zero RecallPosition
	// and go on at Next until Done. Held ones that are not to be held are due at
	// once, those that are canceled are due at once and no longer ordered, those
	// of a webhook that makes no calls don't wait for a retry, and all others are
	// ordered as the webhook is. The deliveries of an ordered webhook are recalled
	// in their order. Recalling again changes nothing.
	Recall(ctx context.Context, id WebhookID, at RecallPosition, limit int) (Recalled, error)
	// Unrecalled returns webhooks that are to be recalled: those that were changed
	// and not recalled completely since, and those that have deliveries which
	// contradict them, whatever the reason. It looks at a portion of limit webhooks
	// behind the given one; next is where the following portion begins, 0 at the
	// end.
	Unrecalled(ctx context.Context, after WebhookID, limit int) (found []WebhookID, next WebhookID, err error)
	// Depth describes the queue for metrics.
	Depth(ctx context.Context) (QueueDepth, error)
}

// A ClaimRequest says which deliveries a server wants to lease.
type ClaimRequest struct {
	Owner      Owner
	N          int // at most so many in all
	PerWebhook int // and so many of one webhook
	Lease      time.Duration
	// Limits has the webhooks that take fewer than PerWebhook now; 0 for none.
	Limits map[WebhookID]int
	Urgent bool // nothing but alerts
}

// QueueDepth is the state of the whole queue.
type QueueDepth struct {
	Pending, Leased, Held int
	OldestDue             time.Time // zero when nothing is due
}
