package queue

import (
	"context"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// discard deletes up to discardLimit rows of each table. A key is part of its
// event.
func (s *sqliteQueue) discard(ctx context.Context, t time.Time) (more bool, err error) {
	before := delivery.IDAt[int64](t)
	if before == 0 {
		return false, nil
	}
	err = s.writer.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		events, err := sqldb.Affected(tx.ExecContext(ctx, discardEvents, 0, before, discardLimit))
		if err != nil {
			return err
		}
		entries, err := sqldb.Affected(tx.ExecContext(ctx, discardLog, 0, before, discardLimit))
		if err == nil && entries > 0 {
			_, err = tx.ExecContext(ctx, moveHorizon, sqldb.Micros(t))
		}
		more = events == discardLimit || entries == discardLimit
		return err
	})
	return more, err
}
