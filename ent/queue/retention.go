package queue

import (
	"context"
	"fmt"
	"time"
)

// discardLimit is how many rows one Discard deletes at most.
const discardLimit = 2000

const (
	// Waiting rows are found by their event; leased rows are always few.
	pendingEvents = `SELECT event FROM queue WHERE owner_slot IS NULL AND event >= $1 AND event < $2
		UNION ALL SELECT event FROM queue WHERE owner_slot IS NOT NULL AND event >= $1 AND event < $2`

	discardKeys = `DELETE FROM event_key WHERE (org, key) IN (SELECT org, key FROM event_key
		WHERE event >= $1 AND event < $2 AND event NOT IN (` + pendingEvents + `) ORDER BY event LIMIT $3)`

	eventsToDiscard = `SELECT id FROM event WHERE id >= $1 AND id < $2
		AND id NOT IN (` + pendingEvents + `) ORDER BY id LIMIT $3`

	discardEvents = `DELETE FROM event WHERE id IN (` + eventsToDiscard + `)`

	discardLog = `DELETE FROM log WHERE id IN (SELECT id FROM log
		WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3)`

	moveHorizon = `INSERT INTO horizon (id, at) VALUES (1, $1)
		ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE horizon.at < excluded.at`
)

// Discard implements [delivery.Maintenance]. SQLite deletes rows. PostgreSQL
// drops whole days that are over at t; of a day with pending deliveries it
// deletes the other events, and keeps the rest until they are finished.
func (q *Queue) Discard(ctx context.Context, t time.Time) (more bool, err error) {
	if more, err = q.db.discard(ctx, t); err != nil {
		return false, fmt.Errorf("discard what is old: %w", err)
	}
	return more, nil
}

// Prepare implements [delivery.Maintenance].
func (q *Queue) Prepare(ctx context.Context, now time.Time) error { return q.db.prepare(ctx, now) }

// OldestTransaction implements [delivery.Maintenance].
func (q *Queue) OldestTransaction(ctx context.Context) (time.Duration, error) {
	return q.db.oldestTransaction(ctx)
}

// Wake implements [delivery.Maintenance].
func (q *Queue) Wake() <-chan struct{} { return q.db.wake() }

// Notify implements [delivery.Maintenance].
func (q *Queue) Notify() { q.db.notify() }

// Ping implements [delivery.Maintenance]. A database that takes no changes is no
// better than one that does not answer.
func (q *Queue) Ping(ctx context.Context) error { return q.db.ping(ctx) }
