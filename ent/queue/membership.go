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
	// certain is the end of the lease of a server that has left, or has died for
	// certain. Other leases expire.
	certain = `0`

	// isFree says that no server has a slot: one whose lease has expired may come
	// back until it is reaped.
	isFree = `until <= @now AND (until = ` + certain + ` OR buried >= epoch)`

	// freeSlot is the lowest slot that no server has, or the one after the highest.
	freeSlot = `SELECT min(slot) FROM (
		SELECT slot FROM instance WHERE ` + isFree + `
		UNION ALL SELECT COALESCE(max(slot) + 1, 0) FROM instance) free`

	// lockSlot waits for the events that the server before in the slot stores: what
	// comes after sees their ids. Its heartbeats don't wait for that.
	lockSlot = `SELECT slot FROM instance WHERE slot = $1 @for_update`

	takeSlot = `INSERT INTO instance AS i (slot, epoch, buried, name, started_at, seen_at, until)
		VALUES ($1, 1, 0, $2, @now, @now, @now + $3)
		ON CONFLICT (slot) DO UPDATE SET epoch = i.epoch + 1, name = excluded.name,
			started_at = excluded.started_at, seen_at = excluded.seen_at, until = excluded.until, expiry_from = 0
		WHERE i.until <= @now AND (i.until = ` + certain + ` OR i.buried >= i.epoch)
		RETURNING epoch`

	// renewLease also renews a lease that has ended but was not reaped: a machine
	// that slept continues. Ended leases of deliveries count from expiry_from on: $4
	// later for a server in trouble, $3 after the lease of its slot had ended, and $5
	// when the clock, which was expected to say $6, was set. Without an expectation
	// the latter two look the same.
	renewLease = `UPDATE instance SET seen_at = @now, until = @now + $3,
			expiry_from = CASE
				WHEN CASE WHEN @now - $6 BETWEEN -5000000 AND 5000000 THEN FALSE
					WHEN $6 = 0 THEN until <= @now OR seen_at > @now ELSE TRUE END THEN @now + $5
				WHEN until <= @now AND expiry_from < @now + $3 THEN @now + $3
				WHEN expiry_from < @now + $4 THEN @now + $4
				ELSE expiry_from END
		WHERE slot = $1 AND epoch = $2 AND (until > @now OR buried < epoch) RETURNING @now`

	endLease = `UPDATE instance SET until = ` + certain + ` WHERE slot = $1 AND epoch = $2 AND until > @now`

	// endedEpoch is the latest epoch of a slot that has ended. The epoch of a lease
	// that lasts is alive, and so may be the one of a lease that has expired.
	endedEpoch = `CASE WHEN until = ` + certain + ` OR until <= @now AND $2 THEN epoch ELSE epoch - 1 END`

	// endedSlots are the slots with an epoch that has ended and was not reaped.
	endedSlots = `SELECT slot, ` + endedEpoch + ` FROM instance
		WHERE slot <> $1 AND buried < ` + endedEpoch + ` ORDER BY slot`

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
	rows, err = tx.QueryContext(ctx, q.db.sql(lockSlot), free[0])
	if _, err = sqldb.Collect(rows, err, sqldb.ScanInt64); err != nil {
		return owner, err
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
func (q *Queue) Heartbeat(ctx context.Context, owner delivery.Owner, ttl time.Duration, steady bool) error {
	var wait time.Duration
	if !steady {
		wait = ttl
	}
	var database []int64
	began := time.Now()
	err := q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		rows, err := tx.QueryContext(ctx, q.db.sql(renewLease), owner.Slot, owner.Epoch, ttl.Microseconds(),
			wait.Microseconds(), delivery.JobLease.Microseconds(), q.clock.expected(time.Now()))
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
	if back := q.clock.note(reading{database[0], began, time.Now()}); back > 0 {
		q.logger.WarnContext(ctx, "the database's clock was set back: the deliveries follow it", "by", back)
	}
	return nil
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
func (q *Queue) Reap(ctx context.Context, self delivery.Owner, steady bool) (released int, err error) {
	dead := q.db.endDeadLeases(ctx)
	released, err = q.reapEnded(ctx, self, steady)
	return released, errors.Join(dead, err)
}

// reapEnded requeues what is leased under epochs that have ended.
func (q *Queue) reapEnded(ctx context.Context, self delivery.Owner, steady bool) (released int, err error) {
	dead, err := q.endedEpochs(ctx, q.read, self, steady)
	if err != nil || len(dead) == 0 {
		return 0, err
	}
	// When the clock jumps ahead all leases end at once, although no server is dead.
	began := time.Now()
	now, err := q.numbers(ctx, "SELECT @now")
	if err != nil {
		return 0, err
	}
	steady = steady && !q.clock.jumpedAhead(reading{now[0], began, time.Now()})
	err = q.db.change(ctx, func(ctx context.Context, tx sqldb.Querier) error {
		released = 0
		dead, err := q.endedEpochs(ctx, tx, self, steady) // again: a lease may have been renewed
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

// endedEpochs returns slots other than self's, each with the latest epoch that has
// ended.
func (q *Queue) endedEpochs(
	ctx context.Context, tx sqldb.Querier, self delivery.Owner, steady bool,
) (all [][2]int64, err error) {
	rows, err := tx.QueryContext(ctx, q.db.sql(endedSlots), self.Slot, steady)
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
