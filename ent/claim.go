package ent

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"portalhooks/delivery"
)

const (
	claimedColumns = `id, org, webhook, version, event, item, COALESCE(redelivery_of, 0),
		type, trigger, attempts, cancel, ordered`

	// The list of ids is made first and the rows are found by key: as a join the
	// planner would read the whole queue. The webhooks come in their order, so
	// alerts do.
	postgresClaim = `UPDATE queue SET owner_slot = $1, owner_epoch = $2, due_at = @now + $3
		WHERE id = ANY(ARRAY(
			SELECT due.id FROM unnest($4::bigint[], $5::bigint[]) AS w(webhook, share), LATERAL (
				SELECT q.id FROM queue q
				WHERE q.webhook = w.webhook AND NOT q.held AND NOT q.ordered AND q.owner_slot IS NULL AND q.due_at <= @now
				ORDER BY q.due_at LIMIT w.share FOR UPDATE SKIP LOCKED
			) due LIMIT $6
		)) RETURNING ` + claimedColumns
	postgresEvents = `SELECT ` + eventColumns + ` FROM event e
		WHERE e.id = ANY($1::bigint[]) AND e.id >= $2 AND e.id <= $3`
)

// Claim implements [delivery.Queue]. A lent row's due time is the end of its
// lease; rows whose lease has ended are given back before candidates are chosen.
func (h *hot) Claim(ctx context.Context, c delivery.ClaimRequest) ([]delivery.Job, error) {
	if c.N < 1 || c.PerWebhook < 1 {
		return nil, nil
	}
	found, err := h.candidates(ctx, c)
	if err != nil {
		return nil, claimError(err)
	}
	inOrder, plain := shares(found, c)
	jobs, err := h.claimOrdered(ctx, c, inOrder)
	if err != nil {
		return nil, claimError(err)
	}
	if len(plain) > 0 && len(jobs) < c.N {
		more, err := h.claimPlain(ctx, c, plain, c.N-len(jobs))
		if err != nil {
			return nil, claimError(err)
		}
		jobs = append(jobs, more...)
	}
	if len(jobs) < c.N/2 {
		h.circle.doubt() // some of its webhooks have nothing left
	}
	for i := range jobs {
		jobs[i].Owner = c.Owner
	}
	jobs, err = h.withEvents(ctx, jobs)
	return jobs, claimError(err)
}

func (h *hot) claimPlain(
	ctx context.Context, c delivery.ClaimRequest, list []share, n int,
) ([]delivery.Job, error) {
	if h.dialect == sqliteDialect {
		return h.claimSQLite(ctx, sqliteClaim, c, list, n)
	}
	return h.claimPostgres(ctx, c, list, n)
}

func claimError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("claim deliveries: %w", unavailable(err))
}

func (h *hot) numbers(ctx context.Context, query string, args ...any) (all []int64, err error) {
	err = persist(ctx, func() error {
		rows, err := h.read.QueryContext(ctx, h.dialect.sql(query), args...)
		all, err = rowsOf(rows, err, scanInt64)
		return err
	})
	return all, err
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
func (h *hot) withEvents(ctx context.Context, jobs []delivery.Job) ([]delivery.Job, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ids := make([]delivery.EventID, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].Delivery.Event
	}
	events, err := h.eventsOfJobs(ctx, ids)
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
	return jobs, h.removeOrphans(ctx, orphans)
}

// eventsOfJobs reads many events by one statement. Its bounds tell PostgreSQL
// the days that they are of.
func (h *hot) eventsOfJobs(ctx context.Context, ids []delivery.EventID) (all []delivery.Event, err error) {
	if h.dialect == sqliteDialect {
		return h.EventsByID(ctx, 0, ids)
	}
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		numbers[i] = int64(id)
	}
	numbers = distinct(numbers)
	err = persist(ctx, func() error {
		rows, err := h.ask(ctx, postgresEvents, array{&numbers}, slices.Min(numbers), slices.Max(numbers))
		all, err = rowsOf(rows, err, scanEvent)
		return err
	})
	return all, err
}

func (h *hot) removeOrphans(ctx context.Context, ids []delivery.DeliveryID) error {
	if len(ids) == 0 {
		return nil
	}
	h.logger.WarnContext(ctx, "removed deliveries whose events were discarded",
		"count", len(ids), "first", ids[0])
	return h.change(ctx, func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, "DELETE FROM queue WHERE id"+inList(ids))
		return err
	})
}
