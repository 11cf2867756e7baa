package queue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
)

const (
	requeueLeased = `UPDATE queue SET owner_slot = NULL, owner_epoch = NULL, due_at = @now + $2
		WHERE owner_slot = $1 `

	// Rows that are being settled or requeued right now are skipped, not waited for.
	requeueExpired = `UPDATE queue SET owner_slot = NULL, owner_epoch = NULL, due_at = @now
		WHERE id IN (SELECT id FROM queue WHERE owner_slot IS NOT NULL AND due_at <= @now @skip_locked)`

	recallWaiting = `UPDATE queue SET held = FALSE, cancel = cancel OR $2, due_at = @now
		WHERE webhook = $1 AND (NOT held OR $3) AND owner_slot IS NULL`

	recallLeased = `UPDATE queue SET held = FALSE, cancel = cancel OR $2
		WHERE webhook = $1 AND (NOT held OR $3) AND owner_slot IS NOT NULL`

	// Counting ends here: a longer queue is reported as this long.
	maxDepth = 1_000_000
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
			n, err = sqldb.Affected(tx.ExecContext(ctx, q.db.sql(requeueLeased+"AND owner_epoch <= $3"),
				owner.Slot, pause.Microseconds(), owner.Epoch))
			return err
		}
		for some := range slices.Chunk(ids, idsPerStatement) {
			released, err := sqldb.Affected(tx.ExecContext(ctx,
				q.db.sql(requeueLeased+"AND owner_epoch = $3 AND id"+sqldb.InList(some)),
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

// requeueExpired requeues what is leased although its lease has expired.
func (q *Queue) requeueExpired(ctx context.Context) error {
	return q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		_, err := tx.ExecContext(ctx, q.db.sql(requeueExpired))
		return err
	})
}

// Recall implements [delivery.Queue]. Deliveries that are being sent keep their
// lease; they hear of a cancellation when it ends or when they are settled.
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

// Requeue implements [delivery.Queue]. It returns NotFound when an event is not
// there, and then adds nothing. Adding a delivery twice is adding it once.
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

// A queueDepth counts rows and finds the oldest that is due, class by class.
var queueDepth = named(`SELECT
	COALESCE(sum(CASE WHEN NOT held AND NOT leased THEN 1 ELSE 0 END), 0),
	COALESCE(sum(CASE WHEN NOT held AND leased THEN 1 ELSE 0 END), 0),
	COALESCE(sum(CASE WHEN held THEN 1 ELSE 0 END), 0),
	COALESCE((SELECT min(first) FROM (
		SELECT min(due_at) AS first FROM queue
			WHERE owner_slot IS NULL AND NOT held AND type = @type.ACTIVE_ALERT AND due_at <= @now UNION ALL
		SELECT min(due_at) FROM queue
			WHERE owner_slot IS NULL AND NOT held AND type <> @type.ACTIVE_ALERT AND due_at <= @now UNION ALL
		SELECT min(due_at) FROM queue WHERE owner_slot IS NOT NULL AND due_at <= @now
	) m), 0)
	FROM (SELECT held, owner_slot IS NOT NULL AND due_at > @now AS leased FROM queue LIMIT $1) q`)

// Depth implements [delivery.Queue]. It counts up to a million rows; Pending are
// those that are neither leased nor held.
func (q *Queue) Depth(ctx context.Context) (delivery.QueueDepth, error) {
	var depth delivery.QueueDepth
	var oldest int64
	err := sqldb.Persist(ctx, func() error {
		return q.read.QueryRowContext(ctx, q.db.sql(queueDepth), maxDepth).
			Scan(&depth.Pending, &depth.Leased, &depth.Held, &oldest)
	})
	if err != nil {
		return delivery.QueueDepth{}, fmt.Errorf("measure the queue: %w", err)
	}
	depth.OldestDue = sqldb.TimeOf(oldest)
	return depth, nil
}

// Pending implements [delivery.DeliveryStore].
func (q *Queue) Pending(
	ctx context.Context, ids []delivery.WebhookID, limit int,
) (map[delivery.WebhookID]delivery.Backlog, error) {
	backlogs := make(map[delivery.WebhookID]delivery.Backlog, len(ids))
	if len(ids) == 0 {
		return backlogs, nil
	}
	err := sqldb.Persist(ctx, func() error {
		rows, err := q.read.QueryContext(ctx, `WITH w(id) AS (VALUES `+valueList(ids)+`), lent(id, rows) AS (
				SELECT webhook, count(*) FROM queue WHERE owner_slot IS NOT NULL GROUP BY webhook
			) SELECT w.id, COALESCE((SELECT rows FROM lent WHERE lent.id = w.id), 0) +
			(SELECT count(*) FROM (SELECT 1 FROM queue
				WHERE webhook = w.id AND held = FALSE AND owner_slot IS NULL LIMIT $1) p),
			(SELECT count(*) FROM (SELECT 1 FROM queue
				WHERE webhook = w.id AND held = TRUE AND owner_slot IS NULL LIMIT $1) h)
			FROM w`, limit)
		counts, err := sqldb.Collect(rows, err, scanCounts)
		for _, c := range counts {
			backlogs[delivery.WebhookID(c[0])] = delivery.Backlog{Pending: int(c[1]), Held: int(c[2])}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count pending deliveries: %w", err)
	}
	return backlogs, nil
}

func scanCounts(rows *sql.Rows) (c [3]int64, err error) {
	err = rows.Scan(&c[0], &c[1], &c[2])
	return c, err
}

// valueList writes the rows for "VALUES (…), (…)".
func valueList[T ~int64](ids []T) string {
	rows := make([]string, len(ids))
	for i, id := range ids {
		rows[i] = fmt.Sprintf("(%d)", int64(id))
	}
	return strings.Join(rows, ", ")
}
