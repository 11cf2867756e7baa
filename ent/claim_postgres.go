package ent

import (
	"context"

	"portalhooks/delivery"
)

// claimPostgres is one statement. Rows that another process is claiming are
// skipped, not waited for. If its commit gets lost, the rows come back when
// their lease ends.
func (h *hot) claimPostgres(
	ctx context.Context, c delivery.ClaimRequest, list []share, n int,
) (jobs []delivery.Job, err error) {
	webhooks, rows := columnsOf(list)
	err = persist(ctx, func() error {
		found, err := h.ask(ctx, postgresClaim,
			c.Owner.Slot, c.Owner.Epoch, c.Lease.Microseconds(), array{&webhooks}, array{&rows}, n)
		jobs, err = rowsOf(found, err, scanJob)
		return err
	})
	return jobs, err
}

func columnsOf(list []share) (webhooks, rows []int64) {
	for _, one := range list {
		webhooks, rows = append(webhooks, one.webhook), append(rows, one.rows)
	}
	return webhooks, rows
}
