package queue

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
)

const (
	claimedColumns = `id, org, webhook, version, event, item, COALESCE(redelivery_of, 0),
		type, trigger, attempts, cancel, ordered`
)

// Claim implements [delivery.Queue]. A lent row's due time is the end of its
// lease; rows whose lease has ended are given back before candidates are chosen.
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
	if len(plain) > 0 && len(jobs) < c.N {
		more, err := q.db.claim(ctx, c, plain, c.N-len(jobs))
		if err != nil {
			return nil, claimError(err)
		}
		jobs = append(jobs, more...)
	}
	if len(jobs) < c.N/2 {
		q.webhooks.drop() // some of its webhooks have nothing left
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

func scanJob(rows *sql.Rows) (delivery.Job, error) {
	var n [10]int64
	var cancel, ordered bool
	err := rows.Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], &cancel, &ordered)
	return jobOf(n[:], cancel, ordered), err
}

// jobOf makes a job of the claimed columns.
func jobOf(n []int64, cancel, ordered bool) delivery.Job {
	return delivery.Job{
		Cancel: cancel,
		Delivery: delivery.Delivery{
			ID: delivery.DeliveryID(n[0]), Org: delivery.OrgID(n[1]), Webhook: delivery.WebhookID(n[2]),
			Version: delivery.VersionID(n[3]), Event: delivery.EventID(n[4]), Item: delivery.ItemID(n[5]),
			RedeliveryOf: delivery.DeliveryID(n[6]), Type: typeWords.word(n[7]),
			Trigger: triggerWords.word(n[8]), Attempts: int(n[9]), State: delivery.Sending, Ordered: ordered,
		},
	}
}

// withEvents completes jobs, oldest first. A delivery whose event is no longer
// there can't be sent: it leaves the queue.
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
	return jobs, q.removeOrphans(ctx, orphans)
}

func (q *Queue) removeOrphans(ctx context.Context, ids []delivery.DeliveryID) error {
	if len(ids) == 0 {
		return nil
	}
	q.logger.WarnContext(ctx, "removed deliveries whose events were discarded",
		"count", len(ids), "first", ids[0])
	return q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM queue WHERE id"+sqldb.InList(ids))
		return err
	})
}
