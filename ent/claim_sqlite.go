package ent

import (
	"context"

	"portalhooks/delivery"
)

const (
	sqliteClaim = `UPDATE queue SET owner_slot = $1, owner_epoch = $2, due_at = ` + sqliteClock + ` + $3
		WHERE id IN (
			SELECT id FROM queue WHERE webhook = $4 AND held = 0 AND NOT ordered AND due_at <= ` + sqliteClock + `
			ORDER BY due_at LIMIT $5
		) RETURNING ` + claimedColumns

	sqliteClaimOrdered = `UPDATE queue SET owner_slot = $1, owner_epoch = $2, due_at = ` + sqliteClock + ` + $3
		WHERE id IN (
			SELECT id FROM (
				SELECT id, min(due_at <= ` + sqliteClock + `) OVER (ORDER BY id) AS due FROM (
					SELECT id, due_at FROM queue WHERE webhook = $4 AND ordered AND NOT held ORDER BY id LIMIT $5
				)
			) WHERE due AND NOT EXISTS (
				SELECT 1 FROM queue WHERE webhook = $4 AND held = 0 AND due_at > ` + sqliteClock + `
					AND owner_slot IS NOT NULL
			)
		) RETURNING ` + claimedColumns
)

// claimSQLite runs a claim for one webhook after the other, in one transaction,
// until there are n jobs.
func (h *hot) claimSQLite(
	ctx context.Context, claim string, c delivery.ClaimRequest, list []share, n int,
) (jobs []delivery.Job, err error) {
	err = h.writer.do(ctx, func(ctx context.Context, t *writing) error {
		jobs = make([]delivery.Job, 0, n)
		return t.hot(func(s *session) error {
			for _, one := range list {
				if len(jobs) == n {
					return nil
				}
				claimed := func(row []int64) { jobs = append(jobs, jobOf(row, row[10] != 0, row[11] != 0)) }
				err := s.numbers(ctx, claim, claimed, int64(c.Owner.Slot), c.Owner.Epoch, c.Lease.Microseconds(),
					one.webhook, min(one.rows, int64(n-len(jobs))))
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	return jobs, err
}
