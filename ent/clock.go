package ent

import (
	"context"
	"fmt"
	"sync"
	"time"

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
// nobody sets.
type clock struct {
	mu       sync.Mutex
	database int64 // in microseconds, as it was read last; 0 before that
	steady   time.Time
	ahead    time.Time // when it was found to have jumped ahead last; zero for never
}

// behind returns by how much the database's clock was set back since it was
// read last; 0 for not at all.
func (c *clock) behind(database int64, steady time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.database == 0 {
		return 0
	}
	passed := steady.Sub(c.steady)
	by := passed - time.Duration(database-c.database)*time.Microsecond
	if by < minJump {
		return 0
	}
	return by
}

// read takes note of what the database's clock says.
func (c *clock) read(database int64, steady time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leapt(database, steady) {
		c.ahead = steady
	}
	c.database, c.steady = database, steady
}

// leapt reports whether the clock has jumped ahead since it was read last. It
// needs the lock.
func (c *clock) leapt(database int64, steady time.Time) bool {
	passed := steady.Sub(c.steady)
	return c.database > 0 && time.Duration(database-c.database)*time.Microsecond-passed >= minJump
}

// astray reports whether the clock has jumped ahead so lately that not every
// process can have prolonged its lease since.
func (c *clock) astray(database int64, steady time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leapt(database, steady) || !c.ahead.IsZero() && steady.Sub(c.ahead) < delivery.SlotTTL
}

// follow moves what waits for the database's clock when that was set back.
func (h *hot) follow(ctx context.Context, owner delivery.Owner, database int64, steady time.Time) error {
	if by := h.clock.behind(database, steady); by > 0 {
		moved := 0
		err := h.change(ctx, func(ctx context.Context, q querier) (err error) {
			moved, err = affected(q.ExecContext(ctx, h.dialect.sql(moveDue), by.Microseconds(), owner.Slot))
			return err
		})
		if err != nil {
			return fmt.Errorf("follow the database's clock, which was set back: %w", err)
		}
		h.low.admit(0)
		h.logger.WarnContext(ctx, "the database's clock was set back", "by", by, "deliveries", moved)
	}
	h.clock.read(database, steady)
	return nil
}
