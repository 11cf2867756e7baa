package ent

import (
	"context"
	"fmt"
	"time"

	"portalhooks/delivery"
)

// slice is how many rows one Discard deletes at most.
const slice = 2000

const (
	// What waits is found by its event, and what is lent is never much.
	pendingEvents = `SELECT event FROM queue WHERE owner_slot IS NULL AND event >= $1 AND event < $2
		UNION ALL SELECT event FROM queue WHERE owner_slot IS NOT NULL AND event >= $1 AND event < $2`

	discardKeys = `DELETE FROM event_key WHERE (org, key) IN (SELECT org, key FROM event_key
		WHERE event >= $1 AND event < $2 AND event NOT IN (` + pendingEvents + `) ORDER BY event LIMIT $3)`

	discardEvents = `DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id >= $1 AND id < $2
		AND id NOT IN (` + pendingEvents + `) ORDER BY id LIMIT $3)`

	discardLog = `DELETE FROM log WHERE id IN (SELECT id FROM log
		WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3)`

	moveHorizon = `INSERT INTO horizon (id, at) VALUES (1, $1)
		ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE horizon.at < excluded.at`
)

// Discard implements [delivery.Maintenance]. SQLite deletes rows. PostgreSQL
// drops whole days that are over at t; of a day with pending deliveries it
// deletes the other events, and keeps the rest until they are finished.
func (h *hot) Discard(ctx context.Context, t time.Time) (more bool, err error) {
	if h.dialect == postgresDialect {
		t = dayOf(t)
	}
	if delivery.IDAt[int64](t) == 0 {
		return false, nil
	}
	if h.dialect == postgresDialect {
		more, err = h.discardDays(ctx, t)
	} else {
		more, err = h.discardRows(ctx, t)
	}
	if err != nil {
		return false, fmt.Errorf("discard what is old: %w", err)
	}
	return more, nil
}

// discardRows deletes a slice of each table. A key is part of its event.
func (h *hot) discardRows(ctx context.Context, t time.Time) (more bool, err error) {
	err = h.change(ctx, func(ctx context.Context, q querier) error {
		more = false
		for _, statement := range []string{discardEvents, discardLog} {
			n, err := affected(q.ExecContext(ctx, statement, 0, delivery.IDAt[int64](t), slice))
			if err != nil {
				return err
			}
			more = more || n == slice
			if statement == discardLog && n > 0 {
				if _, err := q.ExecContext(ctx, moveHorizon, micros(t)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return more, err
}
