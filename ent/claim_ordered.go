package ent

import (
	"context"
	"slices"

	"github.com/lib/pq"

	"portalhooks/delivery"
)

// The oldest rows of an ordered webhook, up to the first that is not due, and
// none at all while any is lent: so the leases of the rows are the lease of the
// webhook, and only one process at a time has any of them.
const (
	postgresClaimOrdered = `UPDATE queue SET owner_slot = $1, owner_epoch = $2, due_at = @now + $3
		WHERE id = ANY(ARRAY(
			SELECT oldest.id FROM unnest($4::bigint[], $5::bigint[]) AS w(webhook, share), LATERAL (
				SELECT q.id, bool_and(q.due_at <= @now) OVER (ORDER BY q.id) AS due FROM (
					SELECT f.id, f.due_at FROM queue f WHERE f.webhook = w.webhook AND f.ordered AND NOT f.held
					ORDER BY f.id LIMIT w.share
				) q
			) oldest WHERE oldest.due AND NOT EXISTS (
				SELECT 1 FROM queue l WHERE l.webhook = w.webhook AND l.ordered AND l.owner_slot IS NOT NULL
			)
		)) RETURNING ` + claimedColumns

	// Whoever claims from ordered webhooks holds their rows for a moment. A
	// webhook that somebody else holds is left for the next time.
	lockOrdered = `SELECT id FROM webhook WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED`
)

// maxInOrder bounds what is lent of one ordered webhook: they are sent one after
// the other, and all within one lease.
const maxInOrder = 100

// claimOrdered claims from webhooks whose deliveries go out in order.
func (h *hot) claimOrdered(
	ctx context.Context, c delivery.ClaimRequest, list []share,
) (jobs []delivery.Job, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	for i := range list {
		list[i].rows = min(list[i].rows, maxInOrder)
	}
	if h.dialect == sqliteDialect { // there is one writer
		return h.claimSQLite(ctx, sqliteClaimOrdered, c, list, c.N)
	}
	err = h.change(ctx, func(ctx context.Context, q querier) error {
		jobs, err = h.claimLocked(ctx, q, c, list)
		return err
	})
	return jobs, err
}

// claimLocked claims after the rows of the webhooks are locked, in a statement
// of its own: it has to see what the claim before it has done.
func (h *hot) claimLocked(
	ctx context.Context, q querier, c delivery.ClaimRequest, list []share,
) ([]delivery.Job, error) {
	webhooks, _ := columnsOf(list)
	found, err := q.QueryContext(ctx, lockOrdered, pq.Array(webhooks))
	locked, err := rowsOf(found, err, scanInt64)
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
	found, err = q.QueryContext(ctx, h.dialect.sql(postgresClaimOrdered),
		c.Owner.Slot, c.Owner.Epoch, c.Lease.Microseconds(), pq.Array(webhooks), pq.Array(rows))
	return rowsOf(found, err, scanJob)
}
