package queue

import (
	"context"
	"fmt"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
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

// settling passes the points before a batch is durable.
func settling(batch []delivery.Settlement) {
	if !failpoint.Enabled {
		return
	}
	failpoint.Hit(failpoint.SettleBeforeCommit)
	for i := range batch {
		if batch[i].Entry.Delivery.State == delivery.Retrying {
			failpoint.Hit(failpoint.RetryBeforeCommit)
			return
		}
	}
}

// An attemptRow holds what the log stores about an attempt; zero and absent
// values become NULL.
type attemptRow struct {
	number, started, responseBytes int64
	outcome, status                int64
	duration                       int64
	phases                         [5]int64 // DNS, connect, TLS, first byte, body
	reused, truncated              bool
	remote, fault                  string
	headers, response              string
}

func attemptRowOf(a *delivery.Attempt) attemptRow {
	if a == nil {
		return attemptRow{duration: absent, phases: [5]int64{absent, absent, absent, absent, absent}}
	}
	t := a.Timing
	return attemptRow{
		number:        int64(max(1, a.Number)),
		started:       sqldb.Micros(a.StartedAt),
		responseBytes: a.ResponseBytes,
		outcome:       outcomeWords.code(a.Outcome),
		status:        int64(a.HTTPStatus),
		duration:      phase(a.Duration),
		phases:        [5]int64{phase(t.DNS), phase(t.Connect), phase(t.TLS), phase(t.FirstByte), phase(t.Body)},
		reused:        t.Reused,
		truncated:     a.ResponseTruncated,
		remote:        sqldb.Clean(a.RemoteAddress),
		fault:         sqldb.Clean(a.Error),
		headers:       headersText(a.ResponseHeaders),
		response:      sqldb.Clean(a.ResponseBody),
	}
}

// plannedAt returns when the next attempt of a settled delivery is due; 0 for
// none.
func plannedAt(s *delivery.Settlement) int64 {
	if state := s.Entry.Delivery.State; state.Final() || state == delivery.Held {
		return 0
	}
	return sqldb.Micros(s.DueAt)
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
