package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

const (
	requeueOwned = `UPDATE queue SET owner_slot = NULL, owner_epoch = NULL, due_at = @now + $2
		WHERE owner_slot = $1 `

	// mayCome is a server that may live and settle what it holds: its lease has
	// ended but was not reaped, or it has had trouble with the database lately.
	mayCome = `SELECT 1 FROM instance WHERE until > ` + certain + ` AND buried < epoch
		AND (until <= @now OR expiry_from > @now)`

	// Rows that another transaction settles or requeues are skipped, not waited
	// for.
	requeueExpired = `UPDATE queue SET owner_slot = NULL, owner_epoch = NULL, due_at = @now
		WHERE NOT EXISTS (` + mayCome + `)
			AND id IN (SELECT id FROM queue WHERE owner_slot IS NOT NULL AND due_at <= @now @skip_locked)`
)

var (
	requeuedColumns = append(slices.Clone(queueTable), sinceColumn)
	insertRequeued  = "INSERT INTO queue (" + requeuedColumns.names() + ", due_at) VALUES (" +
		requeuedColumns.numbered() + ", @now) ON CONFLICT DO NOTHING"
)

// idsPerStatement bounds the text of statements that list ids.
const idsPerStatement = 1000

// Release implements [delivery.Queue].
func (q *Queue) Release(
	ctx context.Context, owner delivery.Owner, ids []delivery.DeliveryID, pause time.Duration,
) (n int, err error) {
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		n = 0
		if ids == nil {
			n, err = sqldb.Affected(tx.ExecContext(ctx, q.db.sql(requeueOwned+"AND owner_epoch <= $3"),
				owner.Slot, pause.Microseconds(), owner.Epoch))
			return err
		}
		for some := range slices.Chunk(ids, idsPerStatement) {
			released, err := sqldb.Affected(tx.ExecContext(ctx,
				q.db.sql(requeueOwned+"AND owner_epoch = $3 AND id"+sqldb.InList(some)),
				owner.Slot, pause.Microseconds(), owner.Epoch))
			if err != nil {
				return err
			}
			n += released
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("release deliveries: %w", sqldb.Unavailable(err))
	}
	return n, nil
}

// requeueExpired requeues rows whose lease has ended, unless a server may come back
// that could settle them, and reports whether there were any.
func (q *Queue) requeueExpired(ctx context.Context) (requeued bool, err error) {
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		n, err := sqldb.Affected(tx.ExecContext(ctx, q.db.sql(requeueExpired)))
		requeued = n > 0
		return err
	})
	return requeued, err
}

// Requeue implements [delivery.Queue]. Adding a delivery again changes nothing.
func (q *Queue) Requeue(
	ctx context.Context, deliveries []delivery.Delivery, records []delivery.AuditEntry,
) error {
	if len(deliveries) == 0 {
		return nil
	}
	err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		if err := q.mustHaveEvents(ctx, tx, deliveries); err != nil {
			return err
		}
		for i := range deliveries {
			w, err := q.readWebhook(ctx, tx, deliveries[i].Webhook)
			if err != nil {
				return err
			}
			var row queueRow
			row.setQueued(&deliveries[i])
			if w != nil {
				if w.Disposition(w.Version.Number) == delivery.ToCancel {
					return delivery.ErrNotEnabled
				}
				row.held = row.held && w.Holding
				row.ordered, row.since = w.Version.Policy.Ordered, int64(w.Version.Number)
			}
			values := requeuedColumns.values(nil, &row)
			if _, err := tx.ExecContext(ctx, q.db.sql(insertRequeued), values...); err != nil {
				return err
			}
		}
		return q.record(ctx, tx, records...)
	})
	if err != nil {
		return fmt.Errorf("queue deliveries: %w", err)
	}
	return nil
}

// mustHaveEvents keeps the events from being discarded before the transaction
// ends.
func (q *Queue) mustHaveEvents(
	ctx context.Context, tx sqldb.Querier, deliveries []delivery.Delivery,
) error {
	wanted := make([]int64, len(deliveries))
	for i := range deliveries {
		wanted[i] = int64(deliveries[i].Event)
	}
	wanted = distinct(wanted)
	for some := range slices.Chunk(wanted, idsPerStatement) {
		rows, err := tx.QueryContext(ctx, q.db.sql("SELECT id FROM event WHERE id"+sqldb.InList(some)+" @keep"))
		found, err := sqldb.Collect(rows, err, sqldb.ScanInt64)
		if err != nil {
			return err
		}
		if len(found) < len(some) {
			return delivery.Errorf(delivery.NotFound, "",
				"The event is no longer kept, so it can't be delivered again.")
		}
	}
	return nil
}
