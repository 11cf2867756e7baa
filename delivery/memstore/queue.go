package memstore

import (
	"cmp"
	"slices"
	"time"

	"portalhooks/delivery"
)

// A row is a pending delivery.
type row struct {
	delivery delivery.Delivery // its State and NextAttemptAt follow from the other fields
	owner    delivery.Owner    // of the lease; zero when there is none
	due      time.Time         // with a lease: when that ends
	held     bool
	cancel   bool
	since    int // the number of its webhook's version since which it is pending
}

// leased reports whether the row has a lease that lasts.
func (r *row) leased(now time.Time) bool { return r.owner != delivery.Owner{} && r.due.After(now) }

// view returns the delivery as a reader sees it.
func (r *row) view(now time.Time) delivery.Delivery {
	d := r.delivery
	switch {
	case r.held:
		d.State = delivery.Held
	case r.leased(now):
		d.State = delivery.Sending
	case d.Attempts > 0:
		d.State, d.NextAttemptAt = delivery.Retrying, r.due
	default:
		d.State, d.NextAttemptAt = delivery.Queued, r.due
	}
	return d
}

// A queue holds the pending deliveries. Its maps have the same rows.
type queue struct {
	rows      map[delivery.DeliveryID]*row
	byWebhook map[delivery.WebhookID][]*row // oldest first
	leases    map[delivery.DeliveryID]*row  // those with an owner
	turns     map[delivery.WebhookID]int    // when each webhook was last claimed from
	turn      int                           // counts the claims
}

func newQueue() queue {
	return queue{
		rows:      make(map[delivery.DeliveryID]*row),
		byWebhook: make(map[delivery.WebhookID][]*row),
		leases:    make(map[delivery.DeliveryID]*row),
		turns:     make(map[delivery.WebhookID]int),
	}
}

// add puts a delivery into the queue, due at the given time. One that is in the
// queue already stays as it is.
func (q *queue) add(d delivery.Delivery, due time.Time) *row {
	if r := q.rows[d.ID]; r != nil {
		return r
	}
	r := &row{delivery: d, due: due, held: d.State == delivery.Held}
	r.delivery.NextAttemptAt = time.Time{}
	q.rows[d.ID] = r
	line := q.byWebhook[d.Webhook]
	q.byWebhook[d.Webhook] = slices.Insert(line, place(line, d.ID), r)
	return r
}

func (q *queue) remove(r *row) {
	d := &r.delivery
	delete(q.rows, d.ID)
	delete(q.leases, d.ID)
	line := q.byWebhook[d.Webhook]
	at := place(line, d.ID)
	if line = slices.Delete(line, at, at+1); len(line) > 0 {
		q.byWebhook[d.Webhook] = line
		return
	}
	delete(q.byWebhook, d.Webhook)
	delete(q.turns, d.Webhook)
}

// place returns where a delivery is, or would be, in a line.
func place(line []*row, id delivery.DeliveryID) int {
	if n := len(line); n == 0 || line[n-1].delivery.ID < id {
		return n // new deliveries are the youngest
	}
	at, _ := slices.BinarySearchFunc(line, id, func(r *row, id delivery.DeliveryID) int {
		return cmp.Compare(r.delivery.ID, id)
	})
	return at
}

func (q *queue) lease(r *row, owner delivery.Owner, until time.Time) {
	r.owner, r.due = owner, until
	q.leases[r.delivery.ID] = r
}

func (q *queue) release(r *row, due time.Time) {
	r.owner, r.due = delivery.Owner{}, due
	delete(q.leases, r.delivery.ID)
}

// releaseAll releases the leases that are to end, and returns how many.
func (q *queue) releaseAll(due time.Time, ends func(*row) bool) (n int) {
	for _, r := range q.leases {
		if ends(r) {
			q.release(r, due)
			n++
		}
	}
	return n
}
