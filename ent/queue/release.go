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

	// Rows that another transaction settles or requeues are skipped, not waited
	// for.
	requeueExpired = `UPDATE queue SET owner_slot = NULL, owner_epoch = NULL, due_at = @now
		WHERE id IN (SELECT id FROM queue WHERE owner_slot IS NOT NULL AND due_at <= @now @skip_locked)`

	recallWaiting = `UPDATE queue SET held = FALSE, cancel = cancel OR $2, due_at = @now
		WHERE webhook = $1 AND (NOT held OR $3) AND owner_slot IS NULL`

	recallLeased = `UPDATE queue SET held = FALSE, cancel = cancel OR $2
		WHERE webhook = $1 AND (NOT held OR $3) AND owner_slot IS NOT NULL`
)

var insertRequeued = "INSERT INTO queue (" + queueTable.names() + ", due_at) VALUES (" +
	queueTable.numbered() + ", @now) ON CONFLICT DO NOTHING"

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
		return 0, fmt.Errorf("release deliveries: %w", err)
	}
	return n, nil
}

// requeueExpired requeues rows whose lease has ended.
func (q *Queue) requeueExpired(ctx context.Context) error {
	return q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		_, err := tx.ExecContext(ctx, q.db.sql(requeueExpired))
		return err
	})
}

// Recall implements [delivery.Queue]. Deliveries that are being sent keep their
// lease; a cancellation takes effect when it ends or when they are settled.
func (q *Queue) Recall(ctx context.Context, id delivery.WebhookID, cancel, held bool) (n int, err error) {
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		n = 0
		for _, statement := range []string{recallLeased, recallWaiting} {
			recalled, err := sqldb.Affected(tx.ExecContext(ctx, q.db.sql(statement), int64(id), cancel, held))
			if err != nil {
				return err
			}
			n += recalled
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("recall deliveries: %w", err)
	}
	return n, nil
}

// Requeue implements [delivery.Queue]. It returns NOT_FOUND when an event is not
// stored, and then adds nothing. Adding a delivery again changes nothing.
func (q *Queue) Requeue(
	ctx context.Context, deliveries []delivery.Delivery, records []delivery.AuditEntry,
) error {
	if len(deliveries) == 0 {
		return nil
	}
	err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		if err := mustHaveEvents(ctx, tx, deliveries); err != nil {
			return err
		}
		for i := range deliveries {
			var row queueRow
			row.setQueued(&deliveries[i])
			if _, err := tx.ExecContext(ctx, q.db.sql(insertRequeued), queueTable.values(nil, &row)...); err != nil {
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

func mustHaveEvents(ctx context.Context, tx sqldb.Querier, deliveries []delivery.Delivery) error {
	wanted := make([]int64, len(deliveries))
	for i := range deliveries {
		wanted[i] = int64(deliveries[i].Event)
	}
	wanted = distinct(wanted)
	for some := range slices.Chunk(wanted, idsPerStatement) {
		rows, err := tx.QueryContext(ctx, "SELECT id FROM event WHERE id"+sqldb.InList(some))
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
