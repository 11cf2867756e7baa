package queue

import (
	"context"
	"encoding/json"

	"portalhooks/delivery"
)

// Rows are chosen first and leased one by one, by key: SQLite has one writer,
// and makes a temporary table for what one statement changes and returns. Many
// statements of one column and one of many columns cost less than many of many
// columns: the driver inspects each column of each statement. What is added to
// parameters hides them from the planner, which would otherwise plan again for
// each value of a limit, and of others once ANALYZE has run.
var (
	sqliteClaim = `SELECT id FROM queue
		WHERE webhook = ?2 + 0 AND held = 0 AND ordered = 0 AND owner_slot IS NULL AND due_at <= ?1 + 0
			AND NOT EXISTS (SELECT 1 FROM webhook h WHERE h.id = ?2 + 0 AND ` + intoOrder + `)
		ORDER BY due_at LIMIT ?3 + 0`

	sqliteClaimOrdered = `SELECT id FROM (
			SELECT id, min(due_at <= ?1) OVER (ORDER BY id) AS due FROM (
				SELECT id, due_at FROM queue WHERE webhook = ?2 + 0 AND ordered AND NOT held ORDER BY id LIMIT ?3 + 0
			)
		) WHERE due AND id < COALESCE((SELECT id FROM queue WHERE webhook = ?2 + 0 AND held AND ordered
			AND EXISTS (SELECT 1 FROM webhook WHERE id = ?2 + 0 AND status = 'ENABLED' AND deleted_at = 0)
			ORDER BY id LIMIT 1), 9223372036854775807
		) AND NOT EXISTS (
			SELECT 1 FROM queue WHERE webhook = ?2 + 0 AND ordered AND owner_slot IS NOT NULL
		) AND NOT EXISTS (SELECT 1 FROM webhook h WHERE h.id = ?2 + 0 AND ` + intoOrder + `)`

	sqliteLease = `UPDATE queue SET owner_slot = ?, owner_epoch = ?, due_at = ? WHERE id = ?`
)

var sqliteClaimed = "SELECT " + claimedColumns +
	" FROM queue q WHERE q.id IN (SELECT value FROM json_each(?))"

// claimWith runs a claim for one webhook after the other, in one transaction,
// until there are n jobs.
func (s *sqliteQueue) claimWith(
	ctx context.Context, claim string, c delivery.ClaimRequest, list []share, n int,
) (jobs []delivery.Job, err error) {
	err = s.batch(ctx, func(ctx context.Context, s *session) error {
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		ids := make([]int64, 0, n)
		for _, one := range list {
			room := min(one.rows, int64(n-len(ids)))
			found := func(row []int64) { ids = append(ids, row[0]) }
			if err := s.Numbers(ctx, claim, found, now, one.webhook, room); err != nil {
				return err
			}
		}
		jobs, err = s.lease(ctx, ids, c.Owner, now+c.Lease.Microseconds())
		return err
	})
	return jobs, err
}

// lease leases deliveries to the owner until end.
func (s *session) lease(
	ctx context.Context, ids []int64, owner delivery.Owner, end int64,
) (jobs []delivery.Job, err error) {
	for _, id := range ids {
		if _, err := s.Exec(ctx, sqliteLease, int64(owner.Slot), owner.Epoch, end, id); err != nil {
			return nil, err
		}
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	jobs = make([]delivery.Job, 0, len(ids))
	var row queueRow
	found := func(numbers []int64) {
		claimedReads.fill(&row, numbers)
		jobs = append(jobs, row.job())
	}
	err = s.Numbers(ctx, sqliteClaimed, found, string(list))
	return jobs, err
}

func (s *sqliteQueue) claim(
	ctx context.Context, c delivery.ClaimRequest, list []share, n int,
) ([]delivery.Job, error) {
	return s.claimWith(ctx, sqliteClaim, c, list, n)
}

func (s *sqliteQueue) claimOrdered(
	ctx context.Context, c delivery.ClaimRequest, list []share,
) ([]delivery.Job, error) {
	return s.claimWith(ctx, sqliteClaimOrdered, c, list, c.N)
}
