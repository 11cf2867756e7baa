package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
)

// minJump is what a heartbeat that takes its time can't explain.
const minJump = 5 * time.Second

// When the database's clock is set back, what was due is due in the future, and
// so is the end of each lease. They move with the clock. The living process with
// the lowest slot does it, for all.
const moveDue = `UPDATE queue SET due_at = due_at - $1 WHERE due_at > @now
	AND $2 = (SELECT min(slot) FROM instance WHERE until > @now)`

// A clock compares the database's clock with this process's steady one, which
// no one sets.
type clock struct {
	mu    sync.Mutex
	last  reading   // zero before the first one
	ahead time.Time // when it was found to have jumped ahead last; zero for never
}

// A reading is what the database's clock said, in microseconds, at some moment
// while it was asked: a database that is slow to answer has a clock that goes
// right.
type reading struct {
	database     int64
	began, ended time.Time
}

// behind returns by how much the database's clock was set back since it was
// read last, at the least; 0 for not at all.
func (c *clock) behind(now reading) time.Duration {
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

// read takes note of what the database's clock says.
func (c *clock) read(now reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leapt(now) {
		c.ahead = now.ended
	}
	c.last = now
}

// leapt reports whether the clock has jumped ahead since it was read last. It
// needs the lock.
func (c *clock) leapt(now reading) bool {
	passed := now.ended.Sub(c.last.began)
	return c.last.database > 0 && time.Duration(now.database-c.last.database)*time.Microsecond-passed >= minJump
}

// astray reports whether the clock has jumped ahead so lately that not every
// process can have prolonged its lease since.
func (c *clock) astray(now reading) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leapt(now) || !c.ahead.IsZero() && now.ended.Sub(c.ahead) < delivery.SlotTTL
}

// follow moves what waits for the database's clock when that was set back.
func (q *Queue) follow(ctx context.Context, owner delivery.Owner, now reading) error {
	if by := q.clock.behind(now); by > 0 {
		moved := 0
		err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) (err error) {
			moved, err = sqldb.Affected(tx.ExecContext(ctx, q.db.sql(moveDue), by.Microseconds(), owner.Slot))
			return err
		})
		if err != nil {
			return fmt.Errorf("follow the database's clock, which was set back: %w", err)
		}
		q.low.admit(0)
		q.logger.WarnContext(ctx, "the database's clock was set back", "by", by, "deliveries", moved)
	}
	q.clock.read(now)
	return nil
}
