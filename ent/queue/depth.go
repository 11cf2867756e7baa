package queue

import (
	"context"
	"fmt"
	"strings"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// maxDepth is where counting ends: a longer queue is reported as this long.
const maxDepth = 1_000_000

// queueDepth counts rows and finds the oldest that is due, class by class.
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
		rows, err := q.read.QueryContext(ctx, `WITH w(id) AS (VALUES `+valueList(ids)+`), leased(id, rows) AS (
				SELECT webhook, count(*) FROM queue WHERE owner_slot IS NOT NULL GROUP BY webhook
			) SELECT w.id, COALESCE((SELECT rows FROM leased WHERE leased.id = w.id), 0) +
			(SELECT count(*) FROM (SELECT 1 FROM queue
				WHERE webhook = w.id AND held = FALSE AND owner_slot IS NULL LIMIT $1) p),
			(SELECT count(*) FROM (SELECT 1 FROM queue
				WHERE webhook = w.id AND held = TRUE AND owner_slot IS NULL LIMIT $1) h)
			FROM w`, limit)
		counts, err := sqldb.Collect(rows, err, sqldb.ScanTriple)
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

// valueList writes the rows for "VALUES (…), (…)".
func valueList[T ~int64](ids []T) string {
	rows := make([]string, len(ids))
	for i, id := range ids {
		rows[i] = fmt.Sprintf("(%d)", int64(id))
	}
	return strings.Join(rows, ", ")
}
