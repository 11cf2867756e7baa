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
			return p.drop(ctx, "event", day)
		}
		if n, err := p.deleteSlice(ctx, discardEvents, from, to); n == discardLimit || err != nil {
			return n == discardLimit, err
		}
	}
	return false, nil
}

// How long drop waits for readers of the table, and how often it tries.
const (
	dropWait  = "100ms"
	dropTries = 7
)

// drop removes a partition. It waits only a moment for readers of the table,
// because all other statements wait behind it, and tries again a little later; a
// table that stays in use is left for the next run of retention.
func (p *postgresQueue) drop(ctx context.Context, table string, day time.Time) (more bool, err error) {
	pause := sqldb.Pauses()
	for range dropTries {
		err = p.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '"+dropWait+"'"); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+partitionName(table, day))
			return err
		})
		e, ok := errors.AsType[*pq.Error](err)
		if !ok || e.Code != "55P03" {
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
