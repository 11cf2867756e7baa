package ent

import (
	"context"

	"portalhooks/delivery"
)

// The fence of every statement that settles: the delivery is where its owner
// left it.
const sqliteFence = ` WHERE id = $1 AND attempts = $2 AND owner_slot = $3 AND owner_epoch = $4`

const (
	// An entry without an attempt repeats the outcome of the latest one.
	sqliteLatest = `SELECT COALESCE(outcome, 0), COALESCE(status, 0) FROM queue` + sqliteFence

	sqliteFinish = `DELETE FROM queue` + sqliteFence

	// A delivery that is to be canceled does not wait for its next attempt.
	sqliteKeep = `UPDATE queue SET attempts = $5, held = $6, due_at = CASE WHEN cancel THEN @now ELSE $7 END,
		outcome = COALESCE(NULLIF($8, 0), outcome), status = CASE WHEN $8 = 0 THEN status ELSE NULLIF($9, 0) END,
		owner_slot = NULL, owner_epoch = NULL` + sqliteFence

	sqliteInsertLog = `INSERT INTO log (id, delivery, org, webhook, version, event, item, at, started_at, due_at,
		redelivery_of, response_bytes, duration, dns, connect, tls, first_byte, body, type, trigger, state,
		attempts, number, outcome, status, reused, truncated, remote, error, headers, response)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULLIF($9, 0), NULLIF($10, 0), NULLIF($11, 0), NULLIF($12, 0),
		NULLIF($13, -1), NULLIF($14, -1), NULLIF($15, -1), NULLIF($16, -1), NULLIF($17, -1), NULLIF($18, -1),
		$19, $20, $21, $22, NULLIF($23, 0), NULLIF($24, 0), NULLIF($25, 0), NULLIF($26, FALSE), NULLIF($27, FALSE),
		NULLIF($28, ''), NULLIF($29, ''), NULLIF($30, ''), NULLIF($31, '')) ON CONFLICT DO NOTHING`

	sqliteHasEntry = `SELECT id FROM log WHERE id = $1 AND delivery = $2`
)

// hotStatements are those that SQLite's writer prepares.
func hotStatements(d dialect) []string {
	return []string{
		sqliteConfigVersion, sqliteInsertKey, sqliteSelectKey, sqliteInsertEvent, d.sql(sqliteInsertQueue),
		sqliteLatest, sqliteFinish, d.sql(sqliteKeep), sqliteInsertLog, sqliteHasEntry,
		d.sql(sqliteClaim),
	}
}

func (h *hot) settleSQLite(ctx context.Context, batch []delivery.Settlement) (held []bool, err error) {
	err = h.writer.do(ctx, func(ctx context.Context, q querier) error {
		held = make([]bool, len(batch))
		for i := range batch {
			if held[i], err = h.settleOne(ctx, q, &batch[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return held, err
}

// settleOne reports whether the fence held. If it did not, the entry may be
// there from an earlier try.
func (h *hot) settleOne(ctx context.Context, q querier, s *delivery.Settlement) (bool, error) {
	row := attemptRowOf(s.Entry.Attempt)
	if s.Unqueued {
		if s.Event != nil {
			if err := insertEvent(ctx, q, s.Event); err != nil {
				return false, err
			}
		}
		return true, insertEntry(ctx, q, s, &row)
	}
	d := &s.Entry.Delivery
	fence := []any{int64(d.ID), s.Before, s.Owner.Slot, s.Owner.Epoch}
	var moved int
	latest := row
	err := fillLatest(ctx, q, s, fence, &latest)
	if err == nil && d.State.Final() {
		moved, err = affected(q.ExecContext(ctx, sqliteFinish, fence...))
	} else if err == nil {
		moved, err = affected(q.ExecContext(ctx, h.dialect.sql(sqliteKeep), append(fence, d.Attempts,
			d.State == delivery.Held, micros(s.DueAt), row.outcome, row.status)...))
	}
	if err != nil {
		return false, err
	}
	if moved > 0 {
		return true, insertEntry(ctx, q, s, &latest)
	}
	rows, err := q.QueryContext(ctx, sqliteHasEntry, int64(s.Entry.ID), int64(d.ID))
	there, err := rowsOf(rows, err, scanInt64)
	return len(there) > 0, err
}

// fillLatest gives an entry without an attempt the outcome of the latest one.
func fillLatest(ctx context.Context, q querier, s *delivery.Settlement, fence []any, row *attemptRow) error {
	if s.Entry.Attempt != nil {
		return nil
	}
	rows, err := q.QueryContext(ctx, sqliteLatest, fence...)
	pairs, err := rowsOf(rows, err, scanPair)
	if err == nil && len(pairs) > 0 {
		row.outcome, row.status = pairs[0][0], pairs[0][1]
	}
	return err
}

func insertEntry(ctx context.Context, q querier, s *delivery.Settlement, a *attemptRow) error {
	e, d := &s.Entry, &s.Entry.Delivery
	_, err := q.ExecContext(ctx, sqliteInsertLog, int64(e.ID), int64(d.ID), int64(d.Org), int64(d.Webhook),
		int64(d.Version), int64(d.Event), int64(d.Item), micros(e.At), a.started, plannedAt(s),
		int64(d.RedeliveryOf), a.responseBytes, a.duration,
		a.phases[0], a.phases[1], a.phases[2], a.phases[3], a.phases[4],
		typeWords.code(d.Type), triggerWords.code(d.Trigger), stateWords.code(d.State), d.Attempts,
		a.number, a.outcome, a.status, a.reused, a.truncated, a.remote, a.fault, a.headers, a.response)
	return err
}
