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
		return nil, fmt.Errorf("store results: %w", sqldb.Unavailable(err))
	}
	if at := soonest(batch); at > 0 {
		q.low.admit(at)
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

// soonest returns when the first of the batch's retries is due; 0 for none.
func soonest(batch []delivery.Settlement) (at int64) {
	for i := range batch {
		if due := plannedAt(&batch[i]); due > 0 && (at == 0 || due < at) {
			at = due
		}
	}
	return at
}
