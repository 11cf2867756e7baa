package delivery

import (
	"context"
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
	// SyncItems does the same but takes Enabled, Attributes and an empty ViewURL
	// too. With complete set, items of the kind that are not in the list become
	// Missing.
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
