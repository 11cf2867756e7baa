package queue

import (
	"context"
	"slices"

	"github.com/lib/pq"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

var (
	// The list of ids is made first and the rows are found by key: as a join the
	// planner would read the whole queue. The webhooks come in their order, so
	// alerts do.
	postgresClaim = postgresSyntax.Replace(`UPDATE queue q
		SET owner_slot = $1, owner_epoch = $2, due_at = @now + $3
		WHERE q.id = ANY(ARRAY(
			SELECT due.id FROM unnest($4::bigint[], $5::bigint[]) AS w(webhook, share), LATERAL (
				SELECT q.id FROM queue q
				WHERE q.webhook = w.webhook AND NOT q.held AND NOT q.ordered AND q.owner_slot IS NULL AND q.due_at <= @now
				ORDER BY q.due_at LIMIT w.share FOR UPDATE SKIP LOCKED
			) due WHERE NOT EXISTS (SELECT 1 FROM webhook h WHERE h.id = w.webhook AND ` + intoOrder + `) LIMIT $6
		)) RETURNING ` + claimedColumns)

	// The oldest rows of an ordered webhook, up to the first that is not due, or
	// still held although the webhook makes calls, and none at all while any is
	// leased: so the leases of the rows are the lease of the webhook, and only one
	// server at a time has any of them. The first held row is found once for each
	// webhook. An equality of the webhooks would let the planner read the key of the
	// table instead of the index of the webhook, over all rows of the others.
	postgresClaimOrdered = postgresSyntax.Replace(`WITH line AS MATERIALIZED (
			SELECT w.webhook, w.share, COALESCE((
				SELECT f.id FROM queue f WHERE f.webhook >= w.webhook AND f.webhook <= w.webhook AND f.held AND f.ordered
					AND h.status = 'ENABLED' AND h.deleted_at = 0 ORDER BY f.webhook, f.id LIMIT 1
			), 9223372036854775807) AS held
			FROM unnest($4::bigint[], $5::bigint[]) AS w(webhook, share) LEFT JOIN webhook h ON h.id = w.webhook
			WHERE (h.id IS NULL OR NOT ` + intoOrder + `) AND NOT EXISTS (
				SELECT 1 FROM queue l WHERE l.webhook = w.webhook AND l.ordered AND l.owner_slot IS NOT NULL
			)
		) UPDATE queue q
		SET owner_slot = $1, owner_epoch = $2, due_at = @now + $3
		WHERE q.id = ANY(ARRAY(
			SELECT oldest.id FROM line, LATERAL (
				SELECT q.id, bool_and(q.due_at <= @now) OVER (ORDER BY q.id) AS due FROM (
					SELECT f.id, f.due_at FROM queue f WHERE f.webhook >= line.webhook AND f.webhook <= line.webhook
						AND f.ordered AND NOT f.held AND f.id < line.held ORDER BY f.webhook, f.id LIMIT line.share
				) q
			) oldest WHERE oldest.due
		)) RETURNING ` + claimedColumns)
)

const (
	// A claim from ordered webhooks locks their rows for a moment. A webhook that
	// another claim has locked is left for the next time.
	lockOrdered = `SELECT id FROM webhook WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED`
)

// The bounds tell PostgreSQL the partitions that have the events.
var postgresEvents = `SELECT ` + eventColumns + ` FROM event e
	WHERE e.id = ANY($1::bigint[]) AND e.id >= $2 AND e.id <= $3`

// claim is one statement. Rows that another server is claiming are skipped, not
// waited for. If its commit gets lost, the rows are due again when their lease
// ends.
func (p *postgresQueue) claim(
	ctx context.Context, c delivery.ClaimRequest, list []share, n int,
) (jobs []delivery.Job, err error) {
	webhooks, rows := columnsOf(list)
	err = sqldb.Persist(ctx, func() error {
		found, err := p.Query(ctx, postgresClaim,
			c.Owner.Slot, c.Owner.Epoch, c.Lease.Microseconds(), sqldb.Array(&webhooks), sqldb.Array(&rows), n)
		jobs, err = sqldb.Collect(found, err, scanning(claimedReads, (*queueRow).job))
		return err
	})
	p.Note("claim", err)
	return jobs, err
}

func columnsOf(list []share) (webhooks, rows []int64) {
	for _, one := range list {
		webhooks, rows = append(webhooks, one.webhook), append(rows, one.rows)
	}
	return webhooks, rows
}

func (p *postgresQueue) claimOrdered(
	ctx context.Context, c delivery.ClaimRequest, list []share,
) (jobs []delivery.Job, err error) {
	err = p.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		jobs, err = claimLocked(ctx, tx, c, list)
		return err
	})
	return jobs, err
}

// claimLocked claims after the rows of the webhooks are locked, in a statement
// of its own: it has to see what the claim before it has done.
func claimLocked(
	ctx context.Context, tx sqldb.Querier, c delivery.ClaimRequest, list []share,
) ([]delivery.Job, error) {
	webhooks, _ := columnsOf(list)
	found, err := tx.QueryContext(ctx, lockOrdered, pq.Array(webhooks))
	locked, err := sqldb.Collect(found, err, sqldb.ScanInt64)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(one share) bool {
		return !slices.Contains(locked, one.webhook)
	})
	webhooks, rows := columnsOf(list)
	if len(list) == 0 {
		return nil, nil
	}
	found, err = tx.QueryContext(ctx, postgresClaimOrdered,
		c.Owner.Slot, c.Owner.Epoch, c.Lease.Microseconds(), pq.Array(webhooks), pq.Array(rows))
	return sqldb.Collect(found, err, scanning(claimedReads, (*queueRow).job))
}

// events reads the events of claimed rows by one statement.
func (p *postgresQueue) events(
	ctx context.Context, ids []delivery.EventID,
) (all []delivery.Event, err error) {
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		numbers[i] = int64(id)
	}
	numbers = distinct(numbers)
	err = sqldb.Persist(ctx, func() error {
		rows, err := p.Query(ctx, postgresEvents, sqldb.Array(&numbers), slices.Min(numbers), slices.Max(numbers))
		all, err = sqldb.Collect(rows, err, scanning(eventReads, (*eventRow).event))
		return err
	})
	return all, err
}
