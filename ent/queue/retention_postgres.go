package queue

import (
	"context"
	"errors"
	"time"

	"github.com/lib/pq"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// discard deletes up to discardLimit keys or drops one day, of the days that are
// over at t.
func (p *postgresQueue) discard(ctx context.Context, t time.Time) (bool, error) {
	t = dayOf(t)
	if delivery.IDAt[int64](t) == 0 {
		return false, nil
	}
	n, err := p.deleteSlice(ctx, discardKeys, 0, delivery.IDAt[int64](t))
	if err != nil || n == discardLimit {
		return n == discardLimit, err
	}
	if more, err := p.discardLogDay(ctx, t); more || err != nil {
		return more, err
	}
	return p.discardEventDay(ctx, t)
}

func (p *postgresQueue) deleteSlice(
	ctx context.Context, statement string, from, to int64,
) (n int, err error) {
	err = p.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		n, err = sqldb.Affected(tx.ExecContext(ctx, statement, from, to, discardLimit))
		return err
	})
	return n, err
}

// discardLogDay drops the oldest day of the log that is over at t. The horizon
// moves first, so that readers know of the loss.
func (p *postgresQueue) discardLogDay(ctx context.Context, t time.Time) (more bool, err error) {
	days, err := p.partitions(ctx, "log")
	if err != nil || len(days) == 0 || !days[0].Before(t) {
		return false, err
	}
	end := days[0].AddDate(0, 0, 1)
	err = p.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		_, err := tx.ExecContext(ctx, moveHorizon, sqldb.Micros(end))
		return err
	})
	if err != nil {
		return false, err
	}
	return p.drop(ctx, "log", days[0])
}

// discardEventDay drops a day that is over at t, or deletes up to discardLimit
// events of a day that has pending deliveries.
func (p *postgresQueue) discardEventDay(ctx context.Context, t time.Time) (bool, error) {
	days, err := p.partitions(ctx, "event")
	if err != nil {
		return false, err
	}
	for _, day := range days {
		if !day.Before(t) {
			break
		}
		from, to := delivery.IDAt[int64](day), delivery.IDAt[int64](day.AddDate(0, 0, 1))
		pending, err := numbers(ctx, p.pool, pendingEvents+" LIMIT 1", from, to)
		if err != nil {
			return false, err
		}
		if len(pending) == 0 {
			more, err := p.drop(ctx, "event", day)
			if !errors.Is(err, errDayNeeded) {
				return more, err
			}
		}
		if n, err := p.deleteEvents(ctx, from, to); n == discardLimit || err != nil {
			return n == discardLimit, err
		}
	}
	return false, nil
}

const discardLocked = `DELETE FROM event WHERE id = ANY($3) AND id >= $1 AND id < $2
	AND id NOT IN (` + pendingEvents + `)`

// deleteEvents deletes up to discardLimit events without a pending delivery. A
// redelivery keeps its events until it is stored, so what is pending is looked
// for once the events are locked, in a statement of its own.
func (p *postgresQueue) deleteEvents(ctx context.Context, from, to int64) (n int, err error) {
	err = p.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		n = 0
		rows, err := tx.QueryContext(ctx, eventsToDiscard+" FOR UPDATE SKIP LOCKED", from, to, discardLimit)
		ids, err := sqldb.Collect(rows, err, sqldb.ScanInt64)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, discardLocked, from, to, pq.Array(ids)); err != nil {
			return err
		}
		n = len(ids)
		return nil
	})
	return n, err
}

// How long drop waits for readers of the table, and how often it tries.
const (
	dropWait  = "100ms"
	dropTries = 7
)

// errDayNeeded says that a delivery needs an event of a day that was about to be
// dropped.
var errDayNeeded = errors.New("the day has a pending delivery")

// drop removes a partition; errDayNeeded for one of events with a pending
// delivery. It waits only a moment for readers of the table,
// because all other statements wait behind it, and tries again a little later; a
// table that stays in use is left for the next run of retention.
func (p *postgresQueue) drop(ctx context.Context, table string, day time.Time) (more bool, err error) {
	pause := sqldb.Pauses()
	for range dropTries {
		err = p.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '"+dropWait+"'"); err != nil {
				return err
			}
			if table == "event" {
				if err := lockUnneeded(ctx, tx, day); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+partitionName(table, day))
			return err
		})
		e, ok := errors.AsType[*pq.Error](err)
		switch {
		case ok && e.Code == "42P01":
			return true, nil // another server has dropped it
		case !ok || e.Code != "55P03":
			return err == nil, err
		}
		if !pause.Sleep(ctx) {
			return false, ctx.Err()
		}
	}
	p.logger.InfoContext(ctx, "a day could not be dropped now: its table is being read", "table", table,
		"day", day.Format(time.DateOnly))
	return false, nil
}

// lockUnneeded locks a day of events, unless one of them has a pending delivery.
// A redelivery reads its events in the transaction that stores it: it is stored
// before the lock is given, or finds the day gone.
func lockUnneeded(ctx context.Context, tx sqldb.Querier, day time.Time) error {
	lock := "LOCK TABLE ONLY event, " + partitionName("event", day) + " IN ACCESS EXCLUSIVE MODE"
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return err
	}
	from, to := delivery.IDAt[int64](day), delivery.IDAt[int64](day.AddDate(0, 0, 1))
	rows, err := tx.QueryContext(ctx, pendingEvents+" LIMIT 1", from, to)
	pending, err := sqldb.Collect(rows, err, sqldb.ScanInt64)
	if err == nil && len(pending) > 0 {
		return errDayNeeded
	}
	return err
}
