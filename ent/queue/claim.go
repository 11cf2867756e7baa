package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// Claim implements [delivery.Queue]. The due time of a leased row is the end of
// its lease; rows whose lease has ended are requeued before candidates are
// chosen.
func (q *Queue) Claim(ctx context.Context, c delivery.ClaimRequest) ([]delivery.Job, error) {
	if c.N < 1 || c.PerWebhook < 1 {
		return nil, nil
	}
	found, err := q.candidates(ctx, c)
	if err != nil {
		return nil, claimError(err)
	}
	inOrder, plain := shares(found, c)
	var jobs []delivery.Job
	if len(inOrder) > 0 {
		if jobs, err = q.db.claimOrdered(ctx, c, inOrder); err != nil {
			return nil, claimError(err)
		}
	}
	if plain = lessClaimed(plain, jobs, c); len(plain) > 0 && len(jobs) < c.N {
		more, err := q.db.claim(ctx, c, plain, c.N-len(jobs))
		if err != nil {
			return nil, claimError(err)
		}
		jobs = append(jobs, more...)
	}
	if len(jobs) < c.N/2 {
		q.webhooks.drop() // some of its webhooks have no rows left
	}
	for i := range jobs {
		jobs[i].Owner = c.Owner
	}
	jobs, err = q.withEvents(ctx, jobs)
	return jobs, claimError(err)
}

func claimError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("claim deliveries: %w", sqldb.Unavailable(err))
}

// distinct keeps the first of equal numbers.
func distinct(numbers []int64) []int64 {
	seen := make(map[int64]bool, len(numbers))
	return slices.DeleteFunc(numbers, func(n int64) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// withEvents completes jobs, oldest first. A delivery whose event was discarded
// can't be sent: it leaves the queue.
func (q *Queue) withEvents(ctx context.Context, jobs []delivery.Job) ([]delivery.Job, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ids := make([]delivery.EventID, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].Delivery.Event
	}
	events, err := q.db.events(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[delivery.EventID]*delivery.Event, len(events))
	for i := range events {
		byID[events[i].ID] = &events[i]
	}
	var orphans []delivery.DeliveryID
	jobs = slices.DeleteFunc(jobs, func(j delivery.Job) bool {
		orphan := byID[j.Delivery.Event] == nil
		if orphan {
			orphans = append(orphans, j.Delivery.ID)
		}
		return orphan
	})
	for i := range jobs {
		jobs[i].Event = *byID[jobs[i].Delivery.Event]
	}
	slices.SortFunc(jobs, func(a, b delivery.Job) int { return cmp.Compare(a.Delivery.ID, b.Delivery.ID) })
	q.removeOrphans(ctx, orphans)
	return jobs, nil
}

// removeOrphans removes deliveries whose events are gone. Where that fails they
// are found again when their leases end.
func (q *Queue) removeOrphans(ctx context.Context, ids []delivery.DeliveryID) {
	if len(ids) == 0 {
		return
	}
	q.logger.WarnContext(ctx, "removed deliveries whose events were discarded",
		"count", len(ids), "first", ids[0])
	err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM queue WHERE id"+sqldb.InList(ids))
		return err
	})
	if err != nil {
		q.logger.WarnContext(ctx, "remove deliveries whose events were discarded", "err", err)
	}
}
