package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// minJump is what a slow heartbeat can't explain; renewLease has it in microseconds.
const minJump = 5 * time.Second

// A clock compares the database's clock with this server's monotonic one, which
// is never set.
type clock struct {
	mu    sync.Mutex
	last  reading   // zero before the first one
	ahead time.Time // when it last jumped ahead; zero for never
	moves []move    // that the queue has to make, the first one first
}

// A reading is what the database's clock said, in microseconds, at some moment
// between two others: a database that is slow to answer has a correct clock.
type reading struct {
	database     int64
	began, ended time.Time
}

// A move is what the queue has to do because the clock was set back: due times,
// and the ends of leases, would otherwise be in the future.
type move struct {
	by    time.Duration // by which the clock was set back, at least
	after int64         // the last delivery that was moved, in the order of ids
	moved int           // how many were
}

// setBackBy returns by how much the database's clock was set back since the last
// reading, at least; 0 for not at all. It needs the lock.
func (c *clock) setBackBy(now reading) time.Duration {
	if c.last.database == 0 {
		return 0
	}
	by := now.began.Sub(c.last.ended) - time.Duration(now.database-c.last.database)*time.Microsecond
	if by < minJump {
		return 0
	}
	return by
}

// expected returns what the database's clock says at a time unless it was set; 0
// before the first reading.
func (c *clock) expected(at time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.database == 0 {
		return 0
	}
	return c.last.database + at.Sub(c.last.ended).Microseconds()
}

// note remembers a reading, and the move that it makes necessary. It returns by
// how much the clock was set back.
func (c *clock) note(now reading) (back time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasJumped(now) {
		// What was not moved yet is where it belongs again.
		c.ahead, c.moves = now.ended, nil
	}
	if back = c.setBackBy(now); back > 0 {
		c.moves = append(c.moves, move{by: back})
	}
	c.last = now
	return back
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

// nextMove returns the move that is to be made now, if there is one.
func (c *clock) nextMove() (m move, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.moves) == 0 {
		return move{}, false
	}
	return c.moves[0], true
}

// advance remembers how far a move has come; done that it is complete. It reports
// whether there is more to move. A clock that was set ahead meanwhile has ended
// the move.
func (c *clock) advance(m move, done bool) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.moves) > 0 && c.moves[0].by == m.by {
		c.moves[0] = m
		if done {
			c.moves = c.moves[1:]
		}
	}
	return len(c.moves) > 0
}

// movePortion is how many deliveries one transaction moves at most.
const movePortion = 1000

// waitingAfter are the next rows in the order of ids, with the clock. The living
// server with the lowest slot moves them, for all.
const waitingAfter = `SELECT id, due_at, @now FROM queue
	WHERE id > $1 AND $2 = (SELECT min(slot) FROM instance WHERE until > @now) ORDER BY id LIMIT $3`

// moveDue moves rows to where they belong, unless they have moved: it may be
// repeated. The list has their ids, due times and new due times.
const moveDue = `UPDATE queue SET due_at = m.column3 FROM (VALUES %s) AS m
	WHERE queue.id = m.column1 AND queue.due_at = m.column2`

// FollowClock implements [delivery.Membership]. A heartbeat has seen that the clock
// was set back. What becomes due meanwhile, by the clock that is right now, is
// moved as well and comes early.
func (q *Queue) FollowClock(ctx context.Context, self delivery.Owner) (more bool, err error) {
	m, ok := q.clock.nextMove()
	if !ok {
		return false, nil
	}
	var rows [][3]int64
	err = sqldb.Persist(ctx, func() error {
		found, err := q.read.QueryContext(ctx, q.db.sql(waitingAfter), m.after, self.Slot, movePortion)
		rows, err = sqldb.Collect(found, err, sqldb.ScanTriple)
		return err
	})
	if err == nil {
		m.moved, err = q.moveRows(ctx, rows, m)
	}
	if err != nil {
		return false, fmt.Errorf("follow the database's clock, which was set back: %w", err)
	}
	if len(rows) > 0 {
		m.after = rows[len(rows)-1][0]
	}
	q.low.admit(0)
	done := len(rows) < movePortion
	if done && m.moved > 0 {
		q.logger.InfoContext(ctx, "the deliveries follow the database's clock", "by", m.by, "deliveries", m.moved)
	}
	return q.clock.advance(m, done), nil
}

// moveRows moves those of the rows that are not due, and returns how many the move
// has moved in all.
func (q *Queue) moveRows(ctx context.Context, rows [][3]int64, m move) (moved int, err error) {
	var list strings.Builder
	for _, r := range rows {
		if id, due, now := r[0], r[1], r[2]; due > now {
			if list.Len() > 0 {
				list.WriteString(", ")
			}
			fmt.Fprintf(&list, "(%d, %d, %d)", id, due, due-m.by.Microseconds())
		}
	}
	if list.Len() == 0 {
		return m.moved, nil
	}
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		n, err := sqldb.Affected(tx.ExecContext(ctx, fmt.Sprintf(moveDue, list.String())))
		moved = m.moved + n
		return err
	})
	return moved, err
}
