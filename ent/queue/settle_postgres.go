package queue

import (
	"context"
	"fmt"
	"slices"

	"github.com/lib/pq"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
	"portalhooks/ent/sqldb"
)

// A settledRow is an entry of the log with what moves its delivery on.
type settledRow struct {
	logRow

	before, slot, epoch int64 // the fence
	pause               int64 // until the next attempt; absent for none
	unqueued            bool
}

func (r *settledRow) base() *logRow { return &r.logRow }

var settledColumns = slices.Concat(within(logTable, (*settledRow).base), columns[settledRow]{
	{"before", nil, func(r *settledRow) any { return &r.before }},
	{"slot", nil, func(r *settledRow) any { return &r.slot }},
	{"epoch", nil, func(r *settledRow) any { return &r.epoch }},
	{"pause", nil, func(r *settledRow) any { return &r.pause }},
	{"unqueued", nil, func(r *settledRow) any { return &r.unqueued }},
})

// One statement settles a batch: it moves the queue's rows whose fence holds,
// writes the entries of those and of the tests, and counts the former. It
// returns the entries. Rows carry what is to be logged of them along, so that
// nothing is joined but the queue. The slot is compared so that no index of
// slots is of use: rows are found by their ids. An entry without an attempt
// repeats the outcome of the latest one. The webhooks of what is to be held, in
// the last parameter, do not change until it is: what they do not hold is
// requeued instead, without an entry.
var postgresSettle = postgresSyntax.Replace(named(`
WITH s AS MATERIALIZED (
	SELECT * FROM unnest(` + settledColumns.arrays(1) + `) AS s(` + settledColumns.names() + `)
), holder AS MATERIALIZED (
	SELECT w.id, w.holding AND w.deleted_at = 0 AS holds, w.cancel_before FROM webhook w
	WHERE w.id = ANY(` + fmt.Sprintf("$%d", len(settledColumns)+1) + `::bigint[]) ORDER BY w.id FOR SHARE
), finished AS (
	DELETE FROM queue q USING s
	WHERE q.id = s.delivery AND q.attempts = s.before
		AND q.owner_slot IS NOT DISTINCT FROM s.slot AND q.owner_epoch = s.epoch
		AND s.state >= @state.DELIVERED AND NOT s.unqueued
	RETURNING s.*, q.outcome AS last_outcome, q.status AS last_status
), kept AS (
	UPDATE queue q SET attempts = s.attempts, held = s.state = @state.HELD AND ` + stillHeld + `,
		due_at = @now + CASE WHEN q.cancel OR s.state = @state.HELD AND NOT ` + stillHeld + ` THEN 0
			ELSE GREATEST(s.pause, 0) END,
		outcome = COALESCE(NULLIF(s.outcome, 0), q.outcome),
		status = CASE WHEN s.outcome = 0 THEN q.status ELSE NULLIF(s.status, 0) END,
		owner_slot = NULL, owner_epoch = NULL
	FROM s
	WHERE q.id = s.delivery AND q.attempts = s.before
		AND q.owner_slot IS NOT DISTINCT FROM s.slot AND q.owner_epoch = s.epoch
		AND s.state < @state.DELIVERED AND NOT s.unqueued
	RETURNING s.*, q.outcome AS last_outcome, q.status AS last_status, s.state <> @state.HELD OR q.held AS logged
), moved AS (
	SELECT * FROM finished
	UNION ALL SELECT ` + settledColumns.names() + `, last_outcome, last_status FROM kept WHERE logged
	UNION ALL SELECT s.*, NULL, NULL FROM s WHERE s.unqueued
), logged AS (
	INSERT INTO log (` + logTable.names() + `)
	SELECT ` + logTable.stored("moved", map[string]string{
	"due_at":  "@now + NULLIF(pause, -1)",
	"outcome": "CASE WHEN number = 0 THEN last_outcome ELSE NULLIF(outcome, 0) END",
	"status":  "CASE WHEN number = 0 THEN last_status ELSE NULLIF(status, 0) END",
}) + ` FROM moved ORDER BY id
	ON CONFLICT DO NOTHING RETURNING id, org, webhook, at, duration, type, trigger, state, number, outcome
), counted AS (
	` + countPostgres + `
)
SELECT id FROM logged`))

// stillHeld reports whether the webhook of a row holds it. A webhook that is not
// stored does not refuse to.
const stillHeld = `COALESCE((SELECT h.holds AND (h.cancel_before = 0
		OR COALESCE(` + pendingSince + `, h.cancel_before) >= h.cancel_before)
	FROM holder h WHERE h.id = q.webhook), TRUE)`

var postgresInsertEvents = postgresSyntax.Replace(`INSERT INTO event (` + eventTable.names() + `)
	SELECT ` + eventTable.stored("e", nil) + ` FROM unnest(` + eventTable.arrays(1) + `)
		AS e(` + eventTable.names() + `)
	ON CONFLICT DO NOTHING`)

func (p *postgresQueue) settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error) {
	rows := make([]settledRow, len(batch))
	var events []eventRow
	var ids, holders []int64
	for i := range batch {
		s := &batch[i]
		rows[i].setSettlement(s)
		ids = append(ids, rows[i].id)
		if s.Entry.Delivery.State == delivery.Held {
			holders = append(holders, int64(s.Entry.Delivery.Webhook))
		}
		if s.Unqueued && s.Event != nil {
			var event eventRow
			event.setEvent(s.Event, false)
			events, ids = append(events, event), append(ids, event.id)
		}
	}
	holders = distinct(holders)
	args := append(settledColumns.gather(nil, rows), sqldb.Array(&holders))
	var written []int64
	if failpoint.Enabled {
		hitBeforeCommit(batch)
	}
	err := p.persistInserts(ctx, ids, func() (err error) {
		written, err = p.settleOnce(ctx, args, events)
		return err
	})
	p.Note("settle", err)
	if err != nil {
		return nil, err
	}
	return p.confirm(ctx, batch, written)
}

func (r *settledRow) setSettlement(s *delivery.Settlement) {
	r.setEntry(s)
	r.before, r.slot, r.epoch = int64(s.Before), int64(s.Owner.Slot), s.Owner.Epoch
	r.pause, r.unqueued = pauseOf(s), s.Unqueued
}

// settleOnce writes one batch. Only tests of webhooks, which are rare, bring
// events and so need a transaction of two statements.
func (p *postgresQueue) settleOnce(
	ctx context.Context, args []any, events []eventRow,
) (written []int64, err error) {
	if len(events) == 0 {
		found, err := p.Query(ctx, postgresSettle, args...)
		return sqldb.Collect(found, err, sqldb.ScanInt64)
	}
	tx, err := p.pool.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	if _, err = tx.ExecContext(ctx, postgresInsertEvents, eventTable.gather(nil, events)...); err == nil {
		found, failed := tx.QueryContext(ctx, postgresSettle, args...)
		written, err = sqldb.Collect(found, failed, sqldb.ScanInt64)
	}
	if err != nil {
		_ = tx.Rollback() // the first error is the one to tell
		return nil, err
	}
	return written, tx.Commit()
}

// confirm reports which settlements are in the log. Those that this run did not
// write may have been written by an earlier one.
func (p *postgresQueue) confirm(
	ctx context.Context, batch []delivery.Settlement, written []int64,
) ([]bool, error) {
	there := make(map[delivery.LogID]delivery.DeliveryID, len(batch))
	if len(written) < len(batch) {
		missing := make([]int64, 0, len(batch))
		for i := range batch {
			missing = append(missing, int64(batch[i].Entry.ID))
		}
		err := sqldb.Persist(ctx, func() error {
			rows, err := p.pool.QueryContext(ctx, `SELECT id, delivery FROM log
				WHERE ((id >> 12) & 1023) IN (SELECT DISTINCT (i >> 12) & 1023 FROM unnest($1::bigint[]) i)
					AND id = ANY($1::bigint[])`, pq.Array(missing))
			pairs, err := sqldb.Collect(rows, err, sqldb.ScanPair)
			for _, p := range pairs {
				there[delivery.LogID(p[0])] = delivery.DeliveryID(p[1])
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, id := range written {
		there[delivery.LogID(id)] = 0
	}
	held := make([]bool, len(batch))
	for i := range batch {
		d, found := there[batch[i].Entry.ID]
		held[i] = found && (d == 0 || d == batch[i].Entry.Delivery.ID)
	}
	return held, nil
}
