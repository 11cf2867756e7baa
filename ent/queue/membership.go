package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// errSlotTaken means that another server took the slot first.
var errSlotTaken = errors.New("the slot was taken meanwhile")

const (
	// freeSlot is the lowest slot that no server leases: one whose lease has ended,
	// or the one after the highest.
	freeSlot = `SELECT min(slot) FROM (
		SELECT slot FROM instance WHERE until <= @now
		UNION ALL SELECT COALESCE(max(slot) + 1, 0) FROM instance) free`

	takeSlot = `INSERT INTO instance (slot, epoch, buried, name, started_at, seen_at, until)
		VALUES ($1, 1, 0, $2, @now, @now, @now + $3)
		ON CONFLICT (slot) DO UPDATE SET epoch = instance.epoch + 1, name = excluded.name,
			started_at = excluded.started_at, seen_at = excluded.seen_at, until = excluded.until
		WHERE instance.until <= @now
		RETURNING epoch`

	// renewLease also renews a lease that has ended but was not reaped: a machine
	// that slept continues.
	renewLease = `UPDATE instance SET seen_at = @now, until = @now + $3
		WHERE slot = $1 AND epoch = $2 AND (until > @now OR buried < epoch) RETURNING @now`

	endLease = `UPDATE instance SET until = @now WHERE slot = $1 AND epoch = $2 AND until > @now`

	// expiredSlots are the slots with an epoch that has ended and was not reaped.
	// The epoch of a lease that lasts is alive; those before it are not.
	expiredSlots = `SELECT slot, CASE WHEN until > @now THEN epoch - 1 ELSE epoch END FROM instance
		WHERE slot <> $1 AND buried < CASE WHEN until > @now THEN epoch - 1 ELSE epoch END ORDER BY slot`

	markReaped = `UPDATE instance SET buried = $2 WHERE slot = $1 AND buried < $2`
)

// Join implements [delivery.Membership]. It returns Unavailable when every slot
// is taken.
func (q *Queue) Join(ctx context.Context, name string, ttl time.Duration) (owner delivery.Owner, err error) {
	joining := q.db.joining()
	for try := 1; try <= delivery.MaxSlot; try++ {
		err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) (err error) {
			if err := joining(ctx, tx); err != nil {
				return err
			}
			owner, err = q.lease(ctx, tx, name, ttl)
			return err
		})
		if !errors.Is(err, errSlotTaken) {
			break
		}
	}
	if err != nil {
		return delivery.Owner{}, fmt.Errorf("join the servers of the database: %w", err)
	}
	q.db.joined(owner)
	return owner, nil
}

// lease leases the lowest free slot.
func (q *Queue) lease(
	ctx context.Context, tx sqldb.Querier, name string, ttl time.Duration,
) (owner delivery.Owner, err error) {
	rows, err := tx.QueryContext(ctx, q.db.sql(freeSlot))
	free, err := sqldb.Collect(rows, err, sqldb.ScanInt64)
	if err != nil {
		return owner, err
	}
	if free[0] > delivery.MaxSlot {
		return owner, delivery.Errorf(delivery.Unavailable, "",
			"%d servers share the database already; that is the limit.", delivery.MaxSlot+1)
	}
	rows, err = tx.QueryContext(ctx, q.db.sql(takeSlot), free[0], sqldb.Clean(name), ttl.Microseconds())
	epoch, err := sqldb.Collect(rows, err, sqldb.ScanInt64)
	if err == nil && len(epoch) == 0 {
		err = errSlotTaken
	}
	if err != nil {
		return owner, err
	}
	return delivery.Owner{Slot: int(free[0]), Epoch: epoch[0]}, nil
}

// Heartbeat implements [delivery.Membership].
func (q *Queue) Heartbeat(ctx context.Context, owner delivery.Owner, ttl time.Duration) error {
	var database []int64
	began := time.Now()
	err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		rows, err := tx.QueryContext(ctx, q.db.sql(renewLease), owner.Slot, owner.Epoch, ttl.Microseconds())
		database, err = sqldb.Collect(rows, err, sqldb.ScanInt64)
		return err
	})
	if err != nil {
		return fmt.Errorf("renew the lease of this server: %w", err)
	}
	if len(database) == 0 {
		return delivery.Errorf(delivery.NotFound, "",
			"The lease of this server has ended. Another server may have taken its slot.")
	}
	return q.followClock(ctx, owner, reading{database[0], began, time.Now()})
}

// Leave implements [delivery.Membership]. Leaving twice is fine.
func (q *Queue) Leave(ctx context.Context, owner delivery.Owner) error {
	err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		_, err := tx.ExecContext(ctx, q.db.sql(endLease), owner.Slot, owner.Epoch)
		return err
	})
	if err != nil {
		return fmt.Errorf("end the lease of this server: %w", err)
	}
	q.db.left(owner)
	return nil
}

// Reap implements [delivery.Membership]. The queue is searched only when a
// server has died since the last time.
func (q *Queue) Reap(ctx context.Context, self delivery.Owner) (released int, err error) {
	dead := q.db.endDeadLeases(ctx)
	released, err = q.reapExpired(ctx, self)
	return released, errors.Join(dead, err)
}

// reapExpired requeues what is leased under epochs that have ended.
func (q *Queue) reapExpired(ctx context.Context, self delivery.Owner) (released int, err error) {
	dead, err := q.expiredEpochs(ctx, q.read, self)
	if err != nil || len(dead) == 0 {
		return 0, err
	}
	// When the clock jumps ahead all leases end at once, although no server is dead.
	began := time.Now()
	now, err := q.numbers(ctx, "SELECT @now")
	if err != nil || q.clock.jumpedAhead(reading{now[0], began, time.Now()}) {
		return 0, err
	}
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		released = 0
		dead, err := q.expiredEpochs(ctx, tx, self) // again: a lease may have been renewed
		if err != nil {
			return err
		}
		for _, d := range dead {
			n, err := sqldb.Affected(tx.ExecContext(ctx,
				q.db.sql(requeueOwned+"AND owner_epoch <= $3"), d[0], 0, d[1]))
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, markReaped, d[0], d[1]); err != nil {
				return err
			}
			released += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("release what dead servers held: %w", err)
	}
	return released, nil
}

// expiredEpochs returns slots other than self's, each with the latest epoch that
// has ended.
func (q *Queue) expiredEpochs(
	ctx context.Context, tx sqldb.Querier, self delivery.Owner,
) (all [][2]int64, err error) {
	rows, err := tx.QueryContext(ctx, q.db.sql(expiredSlots), self.Slot)
	if all, err = sqldb.Collect(rows, err, sqldb.ScanPair); err != nil {
		return nil, fmt.Errorf("find dead servers: %w", err)
	}
	return all, nil
}

// Members implements [delivery.Membership].
func (q *Queue) Members(ctx context.Context) (all []delivery.Member, err error) {
	err = sqldb.Persist(ctx, func() error {
		rows, err := q.read.QueryContext(ctx, q.db.sql(
			"SELECT slot, epoch, name, started_at, seen_at FROM instance WHERE until > @now ORDER BY slot"))
		all, err = sqldb.Collect(rows, err, scanMember)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the servers: %w", err)
	}
	return all, nil
}

func scanMember(rows *sql.Rows) (m delivery.Member, err error) {
	var started, seen int64
	err = rows.Scan(&m.Owner.Slot, &m.Owner.Epoch, &m.Name, &started, &seen)
	m.StartedAt, m.SeenAt = sqldb.TimeOf(started), sqldb.TimeOf(seen)
	return m, err
}
