package queue

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
)

// sqliteFence is the fence of every statement that settles: the delivery is as
// its owner leased it.
const sqliteFence = ` WHERE id = $1 AND attempts = $2 AND owner_slot = $3 AND owner_epoch = $4`

const (
	// An entry without an attempt repeats the outcome of the latest one.
	sqliteLatest = `SELECT COALESCE(outcome, 0), COALESCE(status, 0) FROM queue` + sqliteFence

	sqliteFinish = `DELETE FROM queue` + sqliteFence

	// A delivery that is to be canceled does not wait for its next attempt.
	sqliteKeep = `UPDATE queue SET attempts = $5, held = $6,
		due_at = CASE WHEN cancel THEN ` + sqliteClock + ` ELSE $7 END,
		outcome = COALESCE(NULLIF($8, 0), outcome), status = CASE WHEN $8 = 0 THEN status ELSE NULLIF($9, 0) END,
		owner_slot = NULL, owner_epoch = NULL` + sqliteFence

	// sqliteStillHeld reads whether the webhook holds a delivery; nothing when it is
	// not stored.
	sqliteStillHeld = `SELECT w.holding AND w.deleted_at = 0 AND (w.cancel_before = 0
			OR COALESCE(` + pendingSince + `, w.cancel_before) >= w.cancel_before)
		FROM queue q JOIN webhook w ON w.id = q.webhook WHERE q.id = $1`

	sqliteRefuse = `UPDATE queue SET due_at = ` + sqliteClock +
		`, owner_slot = NULL, owner_epoch = NULL` + sqliteFence

	sqliteHasEntry = `SELECT id FROM log WHERE id = $1 AND delivery = $2`
)

var sqliteInsertLog = "INSERT INTO log (" + logTable.names() + ") VALUES (" + logTable.placeholders() +
	") ON CONFLICT DO NOTHING"

// countSQLite adds to the counts of one key.
var countSQLite = `INSERT INTO tally AS t (` + countKeyColumns + `, type, entries, attempts,
	` + durationColumns + `)
	VALUES (?` + strings.Repeat(", ?", 8+len(delivery.Durations{})) + `)
	ON CONFLICT (` + countKeyColumns + `) DO UPDATE SET ` + addCounts

func (s *sqliteQueue) settle(ctx context.Context, batch []delivery.Settlement) (held []bool, err error) {
	err = s.batch(ctx, func(ctx context.Context, s *session) error {
		held = make([]bool, len(batch))
		counts := batchCounts{}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		for i := range batch {
			if held[i], err = s.settle(ctx, &batch[i], now, counts); err != nil {
				return err
			}
		}
		if failpoint.Enabled {
			hitBeforeCommit(batch)
		}
		return counts.store(ctx, s)
	})
	return held, err
}

// settle reports whether the fence held. If it did not, the entry may be there
// from an earlier run. What it writes it adds to the counts. Now is the time of the
// database's clock.
func (s *session) settle(
	ctx context.Context, one *delivery.Settlement, now int64, counts batchCounts,
) (bool, error) {
	row := &s.entry
	row.setEntry(one)
	if pause := pauseOf(one); pause != absent {
		row.dueAt = now + pause
	}
	if one.Unqueued {
		if one.Event != nil {
			if _, err := s.insertEvent(ctx, &delivery.NewEvent{Event: *one.Event}, nil); err != nil {
				return false, err
			}
		}
		_, err := s.insertEntry(ctx, row)
		return true, err
	}
	moved, err := s.move(ctx, one, row)
	if err != nil {
		return false, err
	}
	if moved > 0 {
		written, err := s.insertEntry(ctx, row)
		if written > 0 {
			counts.add(&one.Entry, row)
		}
		return true, err
	}
	there := false
	err = s.Numbers(ctx, sqliteHasEntry, func([]int64) { there = true }, row.id, row.delivery.id)
	return there, err
}

// move takes the delivery out of the queue or requeues it, if the fence holds.
// An entry without an attempt gets the outcome of the latest one. What is to be
// held by a webhook that does not hold it is due at once and counts as not moved.
func (s *session) move(ctx context.Context, one *delivery.Settlement, row *logRow) (int64, error) {
	d := &one.Entry.Delivery
	id, before := row.delivery.id, int64(one.Before)
	slot, epoch := int64(one.Owner.Slot), one.Owner.Epoch
	if d.State == delivery.Held {
		holds := true
		err := s.Numbers(ctx, sqliteStillHeld, func(found []int64) { holds = found[0] != 0 }, id)
		if err == nil && !holds {
			_, err = s.Exec(ctx, sqliteRefuse, id, before, slot, epoch)
		}
		if err != nil || !holds {
			return 0, err
		}
	}
	outcome, status := row.outcome, row.status
	if one.Entry.Attempt == nil {
		latest := func(found []int64) { row.outcome, row.status = found[0], found[1] }
		if err := s.Numbers(ctx, sqliteLatest, latest, id, before, slot, epoch); err != nil {
			return 0, err
		}
	}
	if d.State.Final() {
		return s.Exec(ctx, sqliteFinish, id, before, slot, epoch)
	}
	return s.Exec(ctx, sqliteKeep, id, before, slot, epoch, row.delivery.attempts,
		d.State == delivery.Held, row.dueAt, outcome, status)
}

func (s *session) insertEntry(ctx context.Context, row *logRow) (written int64, err error) {
	s.args = logTable.values(s.args[:0], row)
	return s.Exec(ctx, sqliteInsertLog, s.args...)
}

// A countKey is the key of a row of counts.
type countKey struct {
	org, hour, webhook, slot, state, outcome, kind int64
}

func (k countKey) compare(other countKey) int {
	return cmp.Or(cmp.Compare(k.org, other.org), cmp.Compare(k.hour, other.hour),
		cmp.Compare(k.webhook, other.webhook), cmp.Compare(k.slot, other.slot),
		cmp.Compare(k.state, other.state), cmp.Compare(k.outcome, other.outcome))
}

// A batchCounts is what a batch on SQLite adds to the counts.
type batchCounts map[countKey]*delivery.Count

// add counts an entry that was written just now, with its row's outcome.
func (t batchCounts) add(e *delivery.LogEntry, row *logRow) {
	d := &e.Delivery
	if d.Trigger == delivery.ByTest {
		return
	}
	key := countKey{
		int64(d.Org), hourOf(e.At), int64(d.Webhook), int64(delivery.IDSlot(e.ID)),
		stateWords.code(d.State), row.outcome, typeWords.code(d.Type),
	}
	one := t[key]
	if one == nil {
		one = &delivery.Count{}
		t[key] = one
	}
	one.Entries++
	if e.Attempt != nil {
		one.Attempts++
		one.Durations[delivery.PlaceOf(phaseOf(max(0, row.duration)))]++
	}
}

// store adds what was gathered to the rows.
func (t batchCounts) store(ctx context.Context, s *session) error {
	keys := make([]countKey, 0, len(t))
	for key := range t {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, countKey.compare)
	for _, k := range keys {
		one := t[k]
		args := []any{
			k.org, k.hour, k.webhook, k.slot, k.state, k.outcome, k.kind, one.Entries, one.Attempts,
		}
		for _, n := range one.Durations {
			args = append(args, n)
		}
		if _, err := s.Exec(ctx, countSQLite, args...); err != nil {
			return err
		}
	}
	return nil
}
