package queue

import (
	"context"
	"fmt"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
	"portalhooks/ent/sqldb"
)

// Settle implements [delivery.Queue]. The fence and the entry's id make it safe
// to store a batch again whose commit got lost.
func (q *Queue) Settle(ctx context.Context, batch []delivery.Settlement) (held []bool, err error) {
	if len(batch) == 0 {
		return nil, nil
	}
	if held, err = q.db.settle(ctx, batch); err != nil {
		if sqldb.IsUnstorable(err) && !lacksPartition(err) {
			err = fmt.Errorf("%w (%w)", delivery.ErrUnstorable, err)
		}
		return nil, fmt.Errorf("store results: %w", sqldb.Unavailable(err))
	}
	failpoint.Hit(failpoint.SettleAfterCommit)
	return held, nil
}

// hitBeforeCommit passes the failpoints before a batch is durable.
func hitBeforeCommit(batch []delivery.Settlement) {
	failpoint.Hit(failpoint.SettleBeforeCommit)
	for i := range batch {
		if batch[i].Entry.Delivery.State == delivery.Retrying {
			failpoint.Hit(failpoint.RetryBeforeCommit)
			return
		}
	}
}
