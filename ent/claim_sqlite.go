package ent

import (
	"context"
	"time"

	"portalhooks/delivery"
)

// claimSQLite takes from one webhook after the other, in one transaction.
func (h *hot) claimSQLite(
	ctx context.Context, owner delivery.Owner, lease time.Duration, webhooks []int64, share, n int,
) (jobs []delivery.Job, err error) {
	err = h.writer.do(ctx, func(ctx context.Context, q querier) error {
		jobs = nil
		for _, w := range webhooks {
			if len(jobs) == n {
				break
			}
			rows, err := q.QueryContext(ctx, h.dialect.sql(sqliteClaim),
				owner.Slot, owner.Epoch, lease.Microseconds(), w, min(share, n-len(jobs)))
			some, err := rowsOf(rows, err, scanJob)
			if err != nil {
				return err
			}
			jobs = append(jobs, some...)
		}
		return nil
	})
	for i := range jobs {
		jobs[i].Owner = owner
	}
	return jobs, err
}
