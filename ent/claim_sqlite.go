package ent

import (
	"context"

	"portalhooks/delivery"
)

// claimSQLite takes from one webhook after the other, in one transaction.
func (h *hot) claimSQLite(
	ctx context.Context, c delivery.ClaimRequest, list []share, n int,
) (jobs []delivery.Job, err error) {
	err = h.writer.do(ctx, func(ctx context.Context, q querier) error {
		jobs, err = h.claimEach(ctx, q, sqliteClaim, c, list, n)
		return err
	})
	return jobs, err
}

// claimEach runs a claim for one webhook after the other until there are n
// jobs.
func (h *hot) claimEach(
	ctx context.Context, q querier, claim string, c delivery.ClaimRequest, list []share, n int,
) (jobs []delivery.Job, err error) {
	for _, one := range list {
		if len(jobs) == n {
			break
		}
		rows, err := q.QueryContext(ctx, h.dialect.sql(claim), c.Owner.Slot, c.Owner.Epoch,
			c.Lease.Microseconds(), one.webhook, min(int(one.rows), n-len(jobs)))
		some, err := rowsOf(rows, err, scanJob)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, some...)
	}
	return jobs, nil
}
