package queue

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// The stages of a recall. Each finds rows through one range of one index.
const (
	stageLeased    = iota // all at once: they are few
	stageHeld             // by id
	stageUnordered        // those that wait and are not ordered, by due time and id
	stageOrdered          // those that wait and are ordered
	stages
)

const (
	// Rows that another transaction settles or requeues are not waited for: they
	// are looked at again.
	updateLeased = ` WHERE owner_slot IS NOT NULL AND id IN (SELECT id FROM queue WHERE id%s @skip_locked)`
	// Rows that a claim is taking are waited for.
	updateWaiting = ` WHERE owner_slot IS NULL AND id%s`
	updateAny     = ` WHERE id%s`

	leasedToRecall = `FROM @leased_rows WHERE q.webhook = $1 AND q.owner_slot IS NOT NULL AND NOT q.cancel`
	heldToRecall   = `FROM queue q WHERE q.webhook = $1 AND q.held AND q.id > $2 ORDER BY q.id LIMIT $3`
	waitingRecall  = `FROM queue q WHERE q.webhook = $1 AND q.held = FALSE AND q.ordered = $2
		AND q.owner_slot IS NULL AND q.due_at >= $3 AND (q.due_at > $3 OR q.id > $4)
		ORDER BY q.due_at, q.id LIMIT $5`

	// A change that came meanwhile is to be recalled again.
	endRecall = `UPDATE webhook SET recalling = 0
		WHERE id = $1 AND recalling <> 0 AND version_number = $2 AND deleted_at = $3`
)

// A recallUpdate is what a recall changes about a row; "" for nothing.
type recallUpdate string

const (
	cancelLeased  recallUpdate = "UPDATE queue SET cancel = TRUE" + updateLeased
	cancelWaiting recallUpdate = "UPDATE queue SET held = FALSE, cancel = TRUE, ordered = FALSE, due_at = @now" +
		updateWaiting
	releaseHeld recallUpdate = "UPDATE queue SET held = FALSE, ordered = @ordered, due_at = @now" +
		updateWaiting
	hasten        recallUpdate = "UPDATE queue SET ordered = @ordered, due_at = @now" + updateWaiting
	reorderLeased recallUpdate = "UPDATE queue SET ordered = @ordered" + updateLeased
	reorder       recallUpdate = "UPDATE queue SET ordered = @ordered" + updateAny
)

// A recalledRow is a row that a recall looks at.
type recalledRow struct {
	id, due int64
	ordered bool
	since   int // the webhook's version since which it is pending
}

const recalledColumns = `SELECT q.id, q.due_at, q.ordered, COALESCE(` + pendingSince + `, 2147483647) `

func scanRecalledRow(rows *sql.Rows) (r recalledRow, err error) {
	err = rows.Scan(&r.id, &r.due, &r.ordered, &r.since)
	return r, err
}

// A recall is one portion of the recall of a webhook's rows.
type recall struct {
	q     *Queue
	tx    sqldb.Querier
	w     *webhookState
	at    delivery.RecallPosition
	limit int // of rows that are still to be looked at
	done  int // rows that were changed
}

// Recall implements [delivery.Queue]. The webhook does not change while a
// portion is brought in line with it.
func (q *Queue) Recall(
	ctx context.Context, id delivery.WebhookID, at delivery.RecallPosition, limit int,
) (result delivery.Recalled, err error) {
	var w *webhookState
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) (err error) {
		if w, err = q.readWebhook(ctx, tx, id); err != nil || w == nil {
			result = delivery.Recalled{Done: true}
			return err
		}
		if at.Change != w.change() {
			at = delivery.RecallPosition{Change: w.change()}
		}
		r := recall{q: q, tx: tx, w: w, at: at, limit: limit}
		err = r.run(ctx)
		result = delivery.Recalled{Next: r.at, Changed: r.done, Done: r.at.Stage == stages}
		return err
	})
	if err == nil && result.Done && w != nil && w.recalling != NoRecall {
		err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
			_, err := tx.ExecContext(ctx, endRecall, int64(id), w.Version.Number, w.deletedAt)
			return err
		})
	}
	if err != nil {
		return delivery.Recalled{}, fmt.Errorf("recall deliveries: %w", err)
	}
	return result, nil
}

// run goes through the stages until it has looked at as many rows as it may.
func (r *recall) run(ctx context.Context) error {
	for r.at.Stage < stages && r.limit > 0 {
		rows, err := r.find(ctx)
		if err != nil {
			return err
		}
		whole, err := r.update(ctx, rows)
		if err != nil {
			return err
		}
		full := len(rows) == r.limit && r.at.Stage != stageLeased
		r.limit -= len(rows)
		switch {
		case !whole:
			return nil // some were locked: they are looked at again
		case full:
			last := rows[len(rows)-1]
			r.at.Due, r.at.ID = last.due, delivery.DeliveryID(last.id)
		default:
			r.at = delivery.RecallPosition{Change: r.at.Change, Stage: r.at.Stage + 1}
		}
	}
	return nil
}

// find reads the next rows of the stage.
func (r *recall) find(ctx context.Context) ([]recalledRow, error) {
	id := int64(r.w.ID)
	from, ok := r.w.recalls(r.at.Stage)
	switch {
	case !ok:
		return nil, nil
	case r.at.Stage == stageLeased:
		return r.read(ctx, leasedToRecall, id)
	case r.at.Stage == stageHeld:
		return r.read(ctx, heldToRecall, id, int64(r.at.ID), r.limit)
	}
	due, after := from, int64(0)
	if r.at.Due >= from {
		due, after = r.at.Due, int64(r.at.ID)
	}
	return r.read(ctx, waitingRecall, id, r.at.Stage == stageOrdered, due, after, r.limit)
}

func (r *recall) read(ctx context.Context, which string, args ...any) ([]recalledRow, error) {
	rows, err := r.tx.QueryContext(ctx, r.q.db.sql(recalledColumns+which), args...)
	return sqldb.Collect(rows, err, scanRecalledRow)
}

// recalls reports whether the rows of a stage may contradict the webhook, and
// from which due time on those that wait do.
func (w *webhookState) recalls(stage int) (from int64, ok bool) {
	cancels := w.Disposition(0) == delivery.ToCancel
	switch stage {
	case stageLeased:
		return 0, cancels || w.reordering()
	case stageHeld:
		return 0, cancels || !w.Holding || w.reordering()
	}
	ordered := stage == stageOrdered
	if w.reordering() && ordered != w.Version.Policy.Ordered || ordered && cancels {
		return 0, true
	}
	return w.now, cancels || w.Holding
}

// contradicts returns what a row of a stage needs to be in line with the webhook.
func (w *webhookState) contradicts(stage int, row recalledRow) recallUpdate {
	later := row.due > w.now
	misplaced := w.reordering() && row.ordered != w.Version.Policy.Ordered
	switch d := w.Disposition(row.since); {
	case stage == stageLeased && d == delivery.ToCancel:
		return cancelLeased
	case stage == stageLeased && misplaced:
		return reorderLeased
	case stage == stageLeased:
		return ""
	case d == delivery.ToCancel && (stage == stageHeld || later || row.ordered):
		return cancelWaiting
	case d == delivery.ToSend && stage == stageHeld:
		return releaseHeld
	case d == delivery.ToHold && stage != stageHeld && later:
		return hasten
	case d != delivery.ToCancel && misplaced:
		return reorder
	}
	return ""
}

// update brings rows in line and reports whether none was passed over.
func (r *recall) update(ctx context.Context, rows []recalledRow) (whole bool, err error) {
	byUpdate := map[recallUpdate][]int64{}
	for _, row := range rows {
		if update := r.w.contradicts(r.at.Stage, row); update != "" {
			byUpdate[update] = append(byUpdate[update], row.id)
		}
	}
	whole = true
	for update, ids := range byUpdate {
		for some := range slices.Chunk(ids, idsPerStatement) {
			statement := r.q.db.sql(fmt.Sprintf(string(update), sqldb.InList(some)))
			n, err := sqldb.Affected(r.tx.ExecContext(ctx, r.w.ordering(statement)))
			if err != nil {
				return false, err
			}
			r.done += n
			whole = whole && (r.at.Stage != stageLeased || n == len(some))
		}
	}
	return whole, nil
}

// unrecalledWebhooks steps through the webhooks that have waiting rows, and tells
// of each whether one of them contradicts it: it is held although the webhook
// does not hold, or waits for a retry although the webhook makes no calls.
var unrecalledWebhooks = webhookSteps + `SELECT webhook, COALESCE((SELECT
		(w.deleted_at <> 0 OR NOT w.holding) AND EXISTS (
			SELECT 1 FROM queue q WHERE q.webhook = step.webhook AND q.held)
		OR (w.deleted_at <> 0 OR w.status = 'DISABLED' AND NOT w.holding) AND (
			EXISTS (SELECT 1 FROM queue q WHERE q.webhook = step.webhook AND q.held = FALSE AND q.ordered = FALSE
				AND q.owner_slot IS NULL AND q.due_at > @now)
			OR EXISTS (SELECT 1 FROM queue q WHERE q.webhook = step.webhook AND q.held = FALSE AND q.ordered = TRUE
				AND q.owner_slot IS NULL AND q.due_at > @now))
		FROM webhook w WHERE w.id = step.webhook), FALSE)
	FROM step WHERE webhook IS NOT NULL`

const changedWebhooks = `SELECT id FROM webhook WHERE recalling <> 0 AND id > $1 ORDER BY id LIMIT $2`

// Unrecalled implements [delivery.Queue].
func (q *Queue) Unrecalled(
	ctx context.Context, after delivery.WebhookID, limit int,
) (found []delivery.WebhookID, next delivery.WebhookID, err error) {
	changed, err := q.numbers(ctx, changedWebhooks, int64(after), limit)
	if err != nil {
		return nil, 0, fmt.Errorf("find webhooks to recall: %w", err)
	}
	var steps []webhookStep
	err = sqldb.Persist(ctx, func() error {
		rows, err := q.db.query(ctx, unrecalledWebhooks, int64(after), limit)
		steps, err = sqldb.Collect(rows, err, scanWebhookStep)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("find webhooks to recall: %w", err)
	}
	if len(changed) == limit {
		next = delivery.WebhookID(changed[limit-1])
	}
	if len(steps) == limit {
		last := delivery.WebhookID(steps[limit-1].webhook)
		next = min(cmp.Or(next, last), last)
	}
	for _, step := range steps {
		if step.contradicted {
			changed = append(changed, step.webhook)
		}
	}
	slices.Sort(changed)
	for _, id := range slices.Compact(changed) {
		if id := delivery.WebhookID(id); next == 0 || id <= next {
			found = append(found, id)
		}
	}
	return found, next, nil
}

// A webhookStep is a webhook that has waiting rows.
type webhookStep struct {
	webhook      int64
	contradicted bool
}

func scanWebhookStep(rows *sql.Rows) (s webhookStep, err error) {
	err = rows.Scan(&s.webhook, &s.contradicted)
	return s, err
}
