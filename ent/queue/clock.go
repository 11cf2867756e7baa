package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// minJump is what a slow heartbeat can't explain.
const minJump = 5 * time.Second

// moveQueue moves due times, and the ends of leases, with the database's clock
// that was set back. Otherwise they would be in the future. The living server
// with the lowest slot does it, for all.
const moveQueue = `UPDATE queue SET due_at = due_at - $1 WHERE due_at > @now
	AND $2 = (SELECT min(slot) FROM instance WHERE until > @now)`

// A clock compares the database's clock with this server's monotonic one, which
// is never set.
type clock struct {
	mu    sync.Mutex
	last  reading   // zero before the first one
	ahead time.Time // when it last jumped ahead; zero for never
}

// A reading is what the database's clock said, in microseconds, at some moment
// between two others: a database that is slow to answer has a correct clock.
type reading struct {
	database     int64
	began, ended time.Time
}

// setBackBy returns by how much the database's clock was set back since the last
// reading, at least; 0 for not at all.
func (c *clock) setBackBy(now reading) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.database == 0 {
		return 0
	}
	by := now.began.Sub(c.last.ended) - time.Duration(now.database-c.last.database)*time.Microsecond
	if by < minJump {
		return 0
	}
	return by
}

// note remembers a reading.
func (c *clock) note(now reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasJumped(now) {
		c.ahead = now.ended
	}
	c.last = now
}

// hasJumped reports whether the clock has jumped ahead since the last reading.
// It needs the lock.
func (c *clock) hasJumped(now reading) bool {
	passed := now.ended.Sub(c.last.began)
	return c.last.database > 0 && time.Duration(now.database-c.last.database)*time.Microsecond-passed >= minJump
}

// jumpedAhead reports whether the clock has jumped ahead so recently that not
// every server can have renewed its lease since.
func (c *clock) jumpedAhead(now reading) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hasJumped(now) || !c.ahead.IsZero() && now.ended.Sub(c.ahead) < delivery.SlotTTL
}

// followClock moves the queue with the database's clock when that was set back.
func (q *Queue) followClock(ctx context.Context, owner delivery.Owner, now reading) error {
	if by := q.clock.setBackBy(now); by > 0 {
		moved := 0
		err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) (err error) {
			moved, err = sqldb.Affected(tx.ExecContext(ctx, q.db.sql(moveQueue), by.Microseconds(), owner.Slot))
			return err
		})
		if err != nil {
			return fmt.Errorf("follow the database's clock, which was set back: %w", err)
		}
		q.low.admit(0)
		q.logger.WarnContext(ctx, "the database's clock was set back", "by", by, "deliveries", moved)
	}
	q.clock.note(now)
	return nil
}
