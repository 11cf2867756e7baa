package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// deadAfter is how long the lock of a server must be free for the server to be
// dead: one that has lost its listen connection takes its lock again, or
// retracts it, sooner.
const deadAfter = 900 * time.Millisecond

// lockName is the second number of a server's lock, as LockOf has it.
const lockName = "(slot::int << 20) | (epoch % 1048576)::int"

var (
	// lockIsFree takes the lock shared until the end of its statement or
	// transaction, so it may run on a connection of a pool, and at the same time
	// on several.
	lockIsFree = fmt.Sprintf("pg_try_advisory_xact_lock_shared(%d, %s)", sqldb.LockSpace, lockName)

	// isDead leaves out servers that announced no lock, or hold nothing any more.
	isDead = `CASE WHEN until > ` + certain + ` AND buried < epoch AND locked = epoch THEN ` + lockIsFree +
		` ELSE FALSE END`

	deadServers = `SELECT slot, epoch FROM instance WHERE ` + isDead

	endDeadLease = `UPDATE instance SET until = ` + certain + ` WHERE slot = $1 AND epoch = $2 AND ` + isDead
)

const (
	markLocked   = `UPDATE instance SET locked = epoch WHERE slot = $1 AND epoch = $2 AND until > @now`
	markUnlocked = `UPDATE instance SET locked = 0 WHERE slot = $1 AND epoch = $2`
)

// A freeLocks remembers since when locks were found free.
type freeLocks struct {
	mu    sync.Mutex
	since map[[2]int64]time.Time // by slot and epoch
}

// note takes the locks that are free now and returns those that have been free
// for deadAfter.
func (m *freeLocks) note(free [][2]int64, now time.Time) (long [][2]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := make(map[[2]int64]time.Time, len(free))
	for _, one := range free {
		first, known := m.since[one]
		if !known {
			first = now
		}
		since[one] = first
		if now.Sub(first) >= deadAfter {
			long = append(long, one)
		}
	}
	m.since = since
	return long
}

// endDeadLeases ends the leases of servers whose lock is free although they
// announced that they hold it. Such a server, should it live after all, finds
// out at its next heartbeat.
func (p *postgresQueue) endDeadLeases(ctx context.Context) error {
	if p.listener == nil || !p.listener.Steady() {
		p.freeLocks.note(nil, time.Time{})
		return nil
	}
	rows, err := p.pool.QueryContext(ctx, p.sql(deadServers))
	free, err := sqldb.Collect(rows, err, sqldb.ScanPair)
	if err != nil {
		return fmt.Errorf("look for dead servers: %w", sqldb.Unavailable(err))
	}
	for _, one := range p.freeLocks.note(free, time.Now()) {
		if !p.listener.Steady() {
			return nil
		}
		err := p.Change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
			n, err := sqldb.Affected(tx.ExecContext(ctx, p.sql(endDeadLease), one[0], one[1]))
			if n > 0 {
				p.logger.InfoContext(ctx, "a server has died: its lock is free", "slot", one[0], "epoch", one[1])
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("end the lease of a dead server: %w", err)
		}
	}
	return nil
}

// markLocked announces that an owner holds its lock, or that it does not.
func (p *postgresQueue) markLocked(ctx context.Context, o delivery.Owner, held bool) error {
	statement := markLocked
	if !held {
		statement = markUnlocked
	}
	_, err := p.pool.ExecContext(ctx, p.sql(statement), o.Slot, o.Epoch)
	return err
}

// joining does nothing: the lock of a server is taken when it has its slot.
func (p *postgresQueue) joining() func(context.Context, sqldb.Querier) error {
	return func(context.Context, sqldb.Querier) error { return nil }
}

func (p *postgresQueue) joined(owner delivery.Owner) {
	if p.listener != nil {
		p.listener.Hold(owner)
	}
}

func (p *postgresQueue) left(owner delivery.Owner) {
	if p.listener != nil {
		p.listener.Release(owner)
	}
}
