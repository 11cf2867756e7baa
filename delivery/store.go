package delivery

import (
	"context"
	"errors"
	"iter"
	"time"
)

// A Store keeps everything that must not be lost. Every method is one
// transaction. Methods return an *Error with the code that their comment
// names, or an error that is private to the server. A method that finds
// nothing by id leaves it out or returns NotFound; it never returns another
// organization's row: org 0, where allowed, means any and is for operators.
type Store interface {
	OrganizationStore
	ItemStore
	WebhookStore
	EventStore
	DeliveryStore
	CountStore
	KeyStore
	SessionStore
	AuditStore
	Queue
	Log
	Membership
	Maintenance
}

// An OrganizationStore keeps organizations.
type OrganizationStore interface {
	// RegisterOrganizations makes sure that each organization exists, by
	// ExternalID, with its Name (an empty Name changes nothing, and becomes the
	// ExternalID in a new one), and returns them as stored, in order. New ones
	// take the given ID.
	RegisterOrganizations(ctx context.Context, orgs []Organization) ([]Organization, error)
	// OrganizationsByID returns the organizations that exist, in no order.
	OrganizationsByID(ctx context.Context, ids []OrgID) ([]Organization, error)
	// OrganizationByExternalID returns NotFound when there is none.
	OrganizationByExternalID(ctx context.Context, externalID string) (Organization, error)
	// Organizations lists, by name, the organizations in only (nil for all) whose name
	// or external id contains search in any case.
	Organizations(ctx context.Context, only []OrgID, search string, p Page) (Slice[Organization], error)
}

// An ItemStore keeps items.
type ItemStore interface {
	// RegisterItems makes sure that each item exists, by kind and ExternalID, and
	// returns them as stored, in order. New ones take the given values. In
	// existing ones Name and ViewURL change when given, and Missing ends;
	// Enabled and Attributes stay. NotFound when there is no such organization.
	RegisterItems(ctx context.Context, org OrgID, items []Item) ([]Item, error)
	// SyncItems does the same but takes Enabled and Attributes too. With
	// complete set, items of the kind that are not in the list become Missing.
	SyncItems(ctx context.Context, org OrgID, kind ItemKind, items []Item, complete bool) (SyncCounts, error)
	// ItemsByID returns the items that exist in org (0 for any), in no order.
	ItemsByID(ctx context.Context, org OrgID, ids []ItemID) ([]Item, error)
	// ItemsByExternalID returns the items that exist, in no order.
	ItemsByExternalID(ctx context.Context, org OrgID, kind ItemKind, externalIDs []string) ([]Item, error)
	// Items lists a kind's items by name, then id, with Total.
	Items(
		ctx context.Context, org OrgID, kind ItemKind, search string, enabledOnly bool, p Page,
	) (Slice[Item], error)
}

// SyncCounts says what a SyncItems call changed.
type SyncCounts struct{ Created, Updated, Unchanged, Missing int }

// A WebhookStore keeps webhooks and their versions. Every change of a webhook
// raises its organization's ConfigVersion in the same transaction.
type WebhookStore interface {
	// CreateWebhook stores w with its first version. It returns Duplicate, with
	// Twin, when another webhook of the organization has the same fingerprint;
	// of two concurrent twins exactly one is stored.
	CreateWebhook(ctx context.Context, w Webhook, record AuditEntry) error
	// UpdateWebhook stores w, whose Version is a new one, over the webhook
	// whose current version number is expected, and ends the older version at
	// the new one's CreatedAt. It returns NotFound, Conflict when the number is
	// another, or Duplicate as CreateWebhook does. It leaves the secrets to
	// SetSecrets. What the change means for pending deliveries is decided with it:
	// claims, settlements and ingests that begin later go by it, and Recall brings
	// the deliveries in line.
	UpdateWebhook(ctx context.Context, w Webhook, expected int, records ...AuditEntry) error
	// DeleteWebhook ends the current version at the given time and marks the
	// webhook deleted, which cancels what is pending: see Recall. Its versions, log
	// and name stay readable. NotFound as usual.
	DeleteWebhook(
		ctx context.Context, org OrgID, id WebhookID, at time.Time, by string, record AuditEntry,
	) error
	// SetSecrets replaces the signing secrets. It does not make a version. It
	// returns Conflict when the stored ones are not old, those that the caller has
	// read: of two rotations at once, one is told that it did not take place.
	SetSecrets(
		ctx context.Context, org OrgID, id WebhookID, old, secrets []SealedSecret, at time.Time, by string,
		record AuditEntry,
	) error
	// WebhooksByID returns the webhooks that exist in org (0 for any), including deleted
	// ones (Version.Deleted), in no order.
	WebhooksByID(ctx context.Context, org OrgID, ids []WebhookID) ([]Webhook, error)
	// Webhooks lists the organization's webhooks with Total.
	Webhooks(
		ctx context.Context, org OrgID, f WebhookFilter, o WebhookOrder, descending bool, p Page,
	) (Slice[Webhook], error)
	// Config returns everything that matching needs: the organization, with its
	// ConfigVersion, and all its webhooks that are not deleted, read together. They
	// have no Template, which is most of what a webhook weighs.
	Config(ctx context.Context, org OrgID) (Organization, []Webhook, error)
	// VersionsByID returns the versions that exist, of any organization, in no order:
	// callers check through the webhook.
	VersionsByID(ctx context.Context, ids []VersionID) ([]WebhookVersion, error)
	// Versions lists a webhook's versions, newest first.
	Versions(ctx context.Context, org OrgID, id WebhookID, p Page) (Slice[WebhookVersion], error)
	// VersionsBetween returns, for each webhook of org that ever existed, the
	// versions that were current at some time between from and to, both included,
	// oldest first; for webhooks made later, their first version. They lack what
	// does not decide which events match: target, template and headers.
	VersionsBetween(ctx context.Context, org OrgID, from, to time.Time) ([]WebhookVersion, error)
	// Health returns one entry for each id that has any.
	Health(ctx context.Context, ids []WebhookID) ([]WebhookHealth, error)
	// RecordHealth merges what attempts have shown: LastSuccessAt and
	// LastFailureAt only grow. FailingSince is kept by the store: set to the
	// first LastFailureAt after the last success, cleared by a later success.
	RecordHealth(ctx context.Context, h []WebhookHealth) error
	// FailingWebhooks returns enabled webhooks that have failed without any
	// success since before t.
	FailingWebhooks(ctx context.Context, t time.Time) ([]Webhook, error)
	// NoticeFailing sets NoticedAt to at and records it, once in the period of
	// failures that began at since: it changes nothing and returns false when
	// NoticedAt is not before since, or the webhook is no longer enabled or no
	// longer fails since then.
	NoticeFailing(
		ctx context.Context, org OrgID, id WebhookID, since, at time.Time, entry AuditEntry,
	) (noticed bool, err error)
}

// An EventStore reads events; the Queue writes them.
type EventStore interface {
	// EventsByID returns the events that exist in org (0 for any), in no order.
	EventsByID(ctx context.Context, org OrgID, ids []EventID) ([]Event, error)
	// Events lists the newest first. Events of tests are left out.
	Events(ctx context.Context, org OrgID, f EventFilter, p Page) (Slice[Event], error)
	// EventsOfGroup returns up to limit of a group's events of one type, oldest
	// first.
	EventsOfGroup(ctx context.Context, org OrgID, g GroupID, t EventType, limit int) ([]Event, error)
	// CountOfGroup counts them, up to limit.
	CountOfGroup(ctx context.Context, org OrgID, g GroupID, t EventType, limit int) (int, error)
	// StoredByKey returns what is stored under each key that has an event.
	StoredByKey(ctx context.Context, org OrgID, keys []string) (map[string]Stored, error)
}

// A DeliveryStore reads deliveries, pending and finished ones as one list.
type DeliveryStore interface {
	// DeliveriesByID returns the deliveries that exist in org (0 for any), in no order.
	DeliveriesByID(ctx context.Context, org OrgID, ids []DeliveryID) ([]Delivery, error)
	// Deliveries lists the newest first, of org or (0) of all.
	Deliveries(ctx context.Context, org OrgID, f DeliveryFilter, p Page) (Slice[Delivery], error)
	// Entries returns the log entries of each delivery, oldest first.
	Entries(ctx context.Context, org OrgID, ids []DeliveryID) (map[DeliveryID][]LogEntry, error)
	// EntriesByID returns the entries that exist in org (0 for any), in no order.
	EntriesByID(ctx context.Context, org OrgID, ids []LogID) ([]LogEntry, error)
	// Pending counts the pending and the held deliveries of each webhook, each up
	// to limit.
	Pending(ctx context.Context, ids []WebhookID, limit int) (map[WebhookID]Backlog, error)
}

// A Vault gives access to all that is sealed, of every organization, for Rekey.
type Vault interface {
	// Record stores an entry of the audit log.
	Record(ctx context.Context, entries ...AuditEntry) error
	// SealedWebhooks returns at most limit webhooks, deleted ones too, in the
	// order of their ids, from the first after the given one on.
	SealedWebhooks(ctx context.Context, after WebhookID, limit int) ([]Webhook, error)
	// SealedVersions does the same with versions.
	SealedVersions(ctx context.Context, after VersionID, limit int) ([]WebhookVersion, error)
	// ReplaceSecrets replaces a webhook's secrets, if they are still the old
	// ones, and reports whether they were.
	ReplaceSecrets(ctx context.Context, id WebhookID, old, secrets []SealedSecret) (bool, error)
	// ReplaceSealed replaces what is sealed in a version: its headers, its
	// Target and Sealed. No other method writes them.
	ReplaceSealed(ctx context.Context, v WebhookVersion) error
}

// A CountStore reads the counts that Settle keeps by the hour. An entry is
// counted in the same transaction that writes it, once, however often its
// settlement is repeated.
type CountStore interface {
	// Counts returns the counts that pass the query, those of a stretch, webhook,
	// state and outcome added up, in no order. Org is not 0.
	Counts(ctx context.Context, org OrgID, q CountQuery) ([]Count, error)
	// DiscardCounts removes counts of hours before t, at most one bounded portion
	// of them, and reports whether more is left.
	DiscardCounts(ctx context.Context, t time.Time) (more bool, err error)
}

// A KeyStore keeps API keys.
type KeyStore interface {
	// CreateKey stores k. It returns Conflict when KeysPerName keys of the same
	// name and organization work at k's CreatedAt, naming the oldest of them, or
	// when another key has the prefix, and LimitExceeded when MaxKeys of the
	// organization work; also among several at once.
	CreateKey(ctx context.Context, k APIKey, record AuditEntry) error
	// KeyByPrefix returns NotFound when there is none. Revoked and expired keys
	// are returned: the caller judges.
	KeyByPrefix(ctx context.Context, prefix string) (APIKey, error)
	// KeyByID does the same by the key's id.
	KeyByID(ctx context.Context, id KeyID) (APIKey, error)
	// Keys lists the keys of org, 0 for every organization's: the keys that are valid at
	// the given time, and the latest MaxKeys of the others; newest first.
	Keys(ctx context.Context, org OrgID, at time.Time) ([]APIKey, error)
	// KeysMadeBy lists the keys of the makers that work at the given time, newest
	// first.
	KeysMadeBy(ctx context.Context, makers []string, at time.Time) ([]APIKey, error)
	// RevokeKey returns NotFound when there is none. Revoking twice is fine; only
	// the first time is recorded.
	RevokeKey(ctx context.Context, id KeyID, at time.Time, record AuditEntry) error
	TouchKey(ctx context.Context, id KeyID, at time.Time) error
}

// An AuditStore keeps the audit log, to which is only ever added. Where another
// method takes a record, it stores that in its own transaction: there is no
// change without its record, and no record of a change that was not made.
type AuditStore interface {
	// Record stores entries of what changes nothing in the store, or of what is
	// about to be changed in more than one transaction.
	Record(ctx context.Context, entries ...AuditEntry) error
	// AuditLog lists the entries of org, 0 for all, newest first.
	AuditLog(ctx context.Context, org OrgID, f AuditFilter, p Page) (Slice[AuditEntry], error)
	// DiscardAudit removes entries from before t, at most one bounded portion of
	// them, and reports whether more is left. None is removed that is younger
	// than MinAuditRetention.
	DiscardAudit(ctx context.Context, t time.Time) (more bool, err error)
}

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

// A Log reads the delivery log in the order in which it was written.
type Log interface {
	// Tail returns, for each slot that has any, the id of its latest entry.
	Tail(ctx context.Context) (map[int]LogID, error)
	// LatestID returns the greatest id that was made in a slot, of those from since
	// on: of events, pending deliveries and entries; 0 for none.
	LatestID(ctx context.Context, slot int, since time.Time) (int64, error)
	// Follow returns at most limit entries that are not in after yet: of each
	// slot, those with a greater id than after's, oldest first. Entries of
	// different slots are in the order of their ids within one result.
	Follow(ctx context.Context, after map[int]LogID, limit int) ([]LogEntry, error)
	// Horizon returns the time before which the log may have been discarded;
	// zero when it is whole.
	Horizon(ctx context.Context) (time.Time, error)
}

// Membership tells the servers that share a database apart.
type Membership interface {
	// Join leases the lowest free slot under a new epoch. A slot whose lease has
	// ended is free when its server has left, has died for certain or was reaped.
	Join(ctx context.Context, name string, ttl time.Duration) (Owner, error)
	// Heartbeat renews the lease, also one that has ended and was not reaped.
	// NotFound means that the slot was lost. With steady unset, because results
	// wait for the database, Claim requeues no delivery whose lease has ended for
	// another ttl; and none for JobLease when the lease had ended, as it does when
	// the database was away or its clock was set.
	Heartbeat(ctx context.Context, owner Owner, ttl time.Duration, steady bool) error
	// FollowClock moves what is in the queue with the database's clock when a
	// heartbeat has seen that it was set back, at most one bounded portion of it,
	// and reports whether there is more. The server with the lowest slot does it.
	FollowClock(ctx context.Context, self Owner) (more bool, err error)
	// Leave ends the lease.
	Leave(ctx context.Context, owner Owner) error
	// Reap requeues what servers held that left or died, and returns how many
	// deliveries that were. Where the database can tell that a server has died, its
	// lease ends at once. With steady set, because self has had no trouble with the
	// database for SlotTTL, a server whose lease has expired has died, too. Self,
	// the caller, is never reaped.
	Reap(ctx context.Context, self Owner, steady bool) (int, error)
	// Members lists the servers whose lease has not ended.
	Members(ctx context.Context) ([]Member, error)
}

// A Member is a running server.
type Member struct {
	Owner     Owner
	Name      string
	StartedAt time.Time
	SeenAt    time.Time
}

// Maintenance keeps the store small and fit.
type Maintenance interface {
	// Prepare makes the partitions that the next days need, where there are
	// any.
	Prepare(ctx context.Context, now time.Time) error
	// Discard removes events, keys and log entries from before t, at most one
	// bounded portion of them, and reports whether more is left. Events with a
	// pending delivery stay.
	Discard(ctx context.Context, t time.Time) (more bool, err error)
	// Wake returns a channel that gets a value when another server may have
	// written; nil where the database can't tell.
	Wake() <-chan struct{}
	// Notify tells the other servers, soon, that the log has grown. It is a
	// hint: it may be lost.
	Notify()
	// OldestTransaction returns how long the oldest transaction has been open
	// that keeps the database from removing what was deleted since; 0 where
	// there is none, or no such effect.
	OldestTransaction(ctx context.Context) (time.Duration, error)
	// Ping returns nil if the database answers and takes changes: it is a primary
	// and has not refused the latest write of some kind. Otherwise the error, with
	// the code UNAVAILABLE where a person can do something, says what is wrong.
	Ping(ctx context.Context) error
}
