package ent

import (
	"context"
	"time"

	"github.com/lib/pq"

	"portalhooks/delivery"
)

// claimPostgres is one statement. Rows that another process is claiming are
// skipped, not waited for. If its commit gets lost, the rows come back when
// their lease ends.
func (h *hot) claimPostgres(
	ctx context.Context, owner delivery.Owner, lease time.Duration, webhooks []int64, share, n int,
) (jobs []delivery.Job, err error) {
	err = persist(ctx, func() error {
		rows, err := h.write.QueryContext(ctx, h.dialect.sql(postgresClaim),
			owner.Slot, owner.Epoch, lease.Microseconds(), pq.Array(webhooks), share, n)
		jobs, err = rowsOf(rows, err, scanJob)
		return err
	})
	for i := range jobs {
		jobs[i].Owner = owner
	}
	return jobs, err
}
