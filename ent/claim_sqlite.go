package ent

import (
	"context"

	"portalhooks/delivery"
)

// What is to be lent is read first and lent row by row, by its key: SQLite has
// one writer, and makes a table for whatever one statement changes and returns.
const (
	sqliteClaim = `SELECT ` + claimedColumns + ` FROM queue
		WHERE webhook = ?2 AND held = 0 AND NOT ordered AND owner_slot IS NULL AND due_at <= ?1
		ORDER BY due_at LIMIT ?3`

	sqliteClaimOrdered = `SELECT ` + claimedColumns + ` FROM (
			SELECT *, min(due_at <= ?1) OVER (ORDER BY id) AS due FROM (
				SELECT * FROM queue WHERE webhook = ?2 AND ordered AND NOT held ORDER BY id LIMIT ?3
			)
		) WHERE due AND NOT EXISTS (
			SELECT 1 FROM queue WHERE webhook = ?2 AND ordered AND owner_slot IS NOT NULL
		)`

	sqliteLend = `UPDATE queue SET owner_slot = ?, owner_epoch = ?, due_at = ? WHERE id = ?`
)

// claimSQLite runs a claim for one webhook after the other, in one transaction,
// until there are n jobs.
func (h *hot) claimSQLite(
	ctx context.Context, claim string, c delivery.ClaimRequest, list []share, n int,
) (jobs []delivery.Job, err error) {
	err = h.writer.do(ctx, func(ctx context.Context, t *writing) error {
		jobs = make([]delivery.Job, 0, n)
		return t.hot(func(s *session) error {
			now, err := s.now(ctx)
			if err != nil {
				return err
			}
			for _, one := range list {
				room := min(one.rows, int64(n-len(jobs)))
				found := func(row []int64) { jobs = append(jobs, jobOf(row, row[10] != 0, row[11] != 0)) }
				if err := s.numbers(ctx, claim, found, now, one.webhook, room); err != nil {
					return err
				}
			}
			return s.lend(ctx, jobs, c.Owner, now+c.Lease.Microseconds())
		})
	})
	return jobs, err
}

// lend gives the jobs' deliveries to the owner until the lease ends.
func (s *session) lend(ctx context.Context, jobs []delivery.Job, owner delivery.Owner, end int64) error {
	for i := range jobs {
		_, err := s.exec(ctx, sqliteLend, int64(owner.Slot), owner.Epoch, end, int64(jobs[i].Delivery.ID))
		if err != nil {
			return err
		}
	}
	return nil
}
