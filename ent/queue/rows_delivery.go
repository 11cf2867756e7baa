package queue

import (
	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A deliveryRow is what rows of the queue and of the log have in common: which
// delivery they are about.
type deliveryRow struct {
	id, org, webhook, version, event, item, redeliveryOf, kind, trigger, attempts int64
}

var deliveryTable = columns[deliveryRow]{
	{"id", nil, func(r *deliveryRow) any { return &r.id }},
	{"org", nil, func(r *deliveryRow) any { return &r.org }},
	{"webhook", nil, func(r *deliveryRow) any { return &r.webhook }},
	{"version", nil, func(r *deliveryRow) any { return &r.version }},
	{"event", nil, func(r *deliveryRow) any { return &r.event }},
	{"item", nil, func(r *deliveryRow) any { return &r.item }},
	{"redelivery_of", none, func(r *deliveryRow) any { return &r.redeliveryOf }},
	{"type", nil, func(r *deliveryRow) any { return &r.kind }},
	{"trigger", nil, func(r *deliveryRow) any { return &r.trigger }},
	{"attempts", nil, func(r *deliveryRow) any { return &r.attempts }},
}

// What stands for NULL in columns of numbers.
const (
	none   = int64(0)
	absent = int64(-1)
)

func (r *deliveryRow) set(d *delivery.Delivery) {
	*r = deliveryRow{
		id: int64(d.ID), org: int64(d.Org), webhook: int64(d.Webhook), version: int64(d.Version),
		event: int64(d.Event), item: int64(d.Item), redeliveryOf: int64(d.RedeliveryOf),
		kind: typeWords.code(d.Type), trigger: triggerWords.code(d.Trigger), attempts: int64(d.Attempts),
	}
}

func (r *deliveryRow) delivery() delivery.Delivery {
	return delivery.Delivery{
		ID: delivery.DeliveryID(r.id), Org: delivery.OrgID(r.org), Webhook: delivery.WebhookID(r.webhook),
		Version: delivery.VersionID(r.version), Event: delivery.EventID(r.event), Item: delivery.ItemID(r.item),
		RedeliveryOf: delivery.DeliveryID(r.redeliveryOf), Type: typeWords.word(r.kind),
		Trigger: triggerWords.word(r.trigger), Attempts: int(r.attempts),
	}
}

// A queueRow is a row of the table queue.
type queueRow struct {
	deliveryRow

	held, ordered, cancel        bool
	leased                       bool // PostgreSQL makes the lease of this
	dueAt, ownerSlot, ownerEpoch int64
	since                        int64 // the webhook's version since which it is pending
	number                       int64 // of the webhook's version
}

func (r *queueRow) base() *deliveryRow { return &r.deliveryRow }

var (
	heldColumn    = column[queueRow]{"held", nil, func(r *queueRow) any { return &r.held }}
	orderedColumn = column[queueRow]{"ordered", nil, func(r *queueRow) any { return &r.ordered }}
	cancelColumn  = column[queueRow]{"cancel", nil, func(r *queueRow) any { return &r.cancel }}

	// queueTable are the columns that a new row is made of, without its lease.
	queueTable = append(within(deliveryTable, (*queueRow).base), heldColumn, orderedColumn)
	// sinceColumn is NULL in rows that are pending since the version that they have.
	sinceColumn = column[queueRow]{"since_version", none, func(r *queueRow) any { return &r.since }}

	// leaseColumns are who has a row until when, or when it is due.
	leaseColumns = columns[queueRow]{
		{"due_at", nil, func(r *queueRow) any { return &r.dueAt }},
		{"owner_slot", absent, func(r *queueRow) any { return &r.ownerSlot }},
		{"owner_epoch", absent, func(r *queueRow) any { return &r.ownerEpoch }},
	}
	leasedColumn = column[queueRow]{"leased", nil, func(r *queueRow) any { return &r.leased }}
)

func (r *queueRow) setQueued(d *delivery.Delivery) {
	r.set(d)
	r.held, r.ordered, r.leased = d.State == delivery.Held, d.Ordered, isLeased(d)
}

// claimedReads are the columns that a job is made of. What the webhook decides
// is read with the row.
var (
	claimedReads = append(within(deliveryTable, (*queueRow).base), cancelColumn, heldColumn, orderedColumn,
		column[queueRow]{"number", nil, func(r *queueRow) any { return &r.number }})
	claimedColumns = claimedReads.selectedAs("q", map[string]string{
		"cancel": rowCanceled, "held": rowHeld, "number": rowNumber,
	})
)

// job returns the job of a row of claimedColumns.
func (r *queueRow) job() delivery.Job {
	d := r.delivery()
	d.State, d.Ordered = delivery.Sending, r.ordered
	return delivery.Job{Delivery: d, Cancel: r.cancel, Hold: r.held && !r.cancel, WebhookVersion: int(r.number)}
}

// A listedRow is a delivery, made of a row of the queue or of a final entry of
// the log.
type listedRow struct {
	deliveryRow

	state, dueAt, finishedAt int64
	ordered                  bool
}

func (r *listedRow) base() *deliveryRow { return &r.deliveryRow }

var listedReads = append(within(deliveryTable, (*listedRow).base), columns[listedRow]{
	{"state", nil, func(r *listedRow) any { return &r.state }},
	{"due_at", nil, func(r *listedRow) any { return &r.dueAt }},
	{"at", nil, func(r *listedRow) any { return &r.finishedAt }},
	{"ordered", nil, func(r *listedRow) any { return &r.ordered }},
}...)

// How a row of the queue and a final entry of the log look as a delivery. A
// leased row is being sent as long as its lease lasts.
var (
	pendingColumns = named(listedReads.selectedAs("q", map[string]string{
		"state": `CASE WHEN q.held THEN @state.HELD WHEN q.owner_slot IS NOT NULL AND q.due_at > @now
			THEN @state.SENDING WHEN q.attempts > 0 THEN @state.RETRYING ELSE @state.QUEUED END`,
		"due_at": "CASE WHEN q.held OR q.owner_slot IS NOT NULL AND q.due_at > @now THEN 0 ELSE q.due_at END",
		"at":     "0",
	}))
	finalColumns = listedReads.selectedAs("l", map[string]string{
		"id": "l.delivery", "due_at": "0", "ordered": "FALSE",
	})
)

// pendingStates says what rows are in a state, as pendingColumns does.
var pendingStates = map[delivery.State]string{
	delivery.Held:     "q.held",
	delivery.Sending:  "NOT q.held AND q.owner_slot IS NOT NULL AND q.due_at > @now",
	delivery.Retrying: "NOT q.held AND q.attempts > 0 AND (q.owner_slot IS NULL OR q.due_at <= @now)",
	delivery.Queued:   "NOT q.held AND q.attempts = 0 AND (q.owner_slot IS NULL OR q.due_at <= @now)",
}

// listed returns the delivery of a row of pendingColumns or finalColumns.
func (r *listedRow) listed() delivery.Delivery {
	d := r.delivery()
	d.State, d.Ordered = stateWords.word(r.state), r.ordered
	d.NextAttemptAt, d.FinishedAt = sqldb.TimeOf(r.dueAt), sqldb.TimeOf(r.finishedAt)
	return d
}
