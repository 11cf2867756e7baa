package queue

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
	"portalhooks/ent/sqldb"
)

// sqliteEvents are the columns of an event. Its key keeps it from being stored
// twice.
var (
	sqliteEvents     = slices.Concat(within(eventTable, (*keyedRow).base), keyColumns)
	sqliteDeliveries = slices.Concat(queueTable, leaseColumns)
)

// Each ? costs less than a numbered parameter, and NULL as a value less than a
// function that makes it: these statements run once for every row.
var (
	sqliteInsertEvent = "INSERT INTO event (" + sqliteEvents.names() +
		") VALUES (" + sqliteEvents.placeholders() + ") ON CONFLICT DO NOTHING"
	sqliteInsertQueue = "INSERT INTO queue (" + sqliteDeliveries.names() +
		") VALUES (" + sqliteDeliveries.placeholders() + ")"
)

const (
	sqliteNow           = "SELECT " + sqliteClock
	sqliteKeyed         = "SELECT key, id, fingerprint, deliveries FROM event WHERE key IN (@keys)"
	sqliteLaterEpoch    = "SELECT 1 FROM instance WHERE slot = ? AND epoch > ?"
	sqliteConfigVersion = "SELECT config_version FROM organization WHERE id = ?"
	sqliteSelectKey     = "SELECT id, fingerprint, deliveries FROM event WHERE key = ?"
)

// An inserter stores events and their deliveries in one change.
type inserter struct {
	*session

	owner   delivery.Owner
	now     int64 // of the database's clock
	lease   time.Duration
	current map[delivery.OrgID]int64 // versions of the organizations' configurations
}

func (s *sqliteQueue) ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) (results []delivery.Ingested, err error) {
	err = s.batch(ctx, func(ctx context.Context, s *session) error {
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		lost := false
		err = s.Numbers(ctx, sqliteLaterEpoch, func([]int64) { lost = true }, int64(owner.Slot), owner.Epoch)
		if err != nil || lost {
			return cmp.Or(err, errSlotLost)
		}
		in := inserter{
			session: s, owner: owner, now: now, lease: lease, current: map[delivery.OrgID]int64{},
		}
		results = make([]delivery.Ingested, len(batch))
		for i := range batch {
			if results[i], err = in.ingest(ctx, &batch[i]); err != nil {
				return err
			}
		}
		failpoint.Hit(failpoint.IngestBeforeCommit)
		return nil
	})
	return results, err
}

// now returns the time of the database's clock.
func (s *session) now(ctx context.Context) (now int64, err error) {
	err = s.Numbers(ctx, sqliteNow, func(row []int64) { now = row[0] })
	return now, err
}

func (i *inserter) ingest(ctx context.Context, in *delivery.Ingest) (out delivery.Ingested, err error) {
	if out.Stale, err = i.isStale(ctx, in); err != nil || out.Stale {
		return out, err
	}
	out.Events = make([]delivery.Stored, len(in.Events))
	for n := range in.Events {
		if out.Events[n], err = i.add(ctx, in.Org, &in.Events[n]); err != nil {
			return out, err
		}
	}
	return out, nil
}

// isStale reports whether the organization's webhooks have changed since the
// events were matched, or it is unknown. In this transaction they do not change.
func (i *inserter) isStale(ctx context.Context, in *delivery.Ingest) (bool, error) {
	version, known := i.current[in.Org]
	if !known {
		read := func(row []int64) { version, known = row[0], true }
		if err := i.Numbers(ctx, sqliteConfigVersion, read, int64(in.Org)); err != nil || !known {
			return true, err
		}
		i.current[in.Org] = version
	}
	return version != in.ConfigVersion, nil
}

// add stores one event with its deliveries unless its key is known.
func (i *inserter) add(
	ctx context.Context, org delivery.OrgID, e *delivery.NewEvent,
) (delivery.Stored, error) {
	key := ownKey(org, e.Key)
	fresh, err := i.insertEvent(ctx, e, key)
	if err != nil {
		return delivery.Stored{}, err
	}
	if fresh == 0 {
		return i.known(ctx, e, key)
	}
	for n := range e.Deliveries {
		if err := i.queue(ctx, &e.Deliveries[n], e.Event.ID); err != nil {
			return delivery.Stored{}, err
		}
	}
	return stored(e, keyed{e.Event.ID, e.Fingerprint, len(e.Deliveries)}), nil
}

// known returns the result for an event whose key is stored already.
func (i *inserter) known(
	ctx context.Context, e *delivery.NewEvent, key []byte,
) (s delivery.Stored, err error) {
	found := false
	err = i.Numbers(ctx, sqliteSelectKey, func(row []int64) {
		found = true
		s = stored(e, keyed{delivery.EventID(row[0]), uint64(row[1]), int(row[2])})
	}, key)
	if err == nil && !found {
		err = errKeyGone
	}
	return s, err
}

func (s *sqliteQueue) keyed(
	ctx context.Context, org delivery.OrgID, keys []string, found func(key string, k keyed),
) error {
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = ownKey(org, key)
	}
	query := strings.Replace(sqliteKeyed, "@keys", "?"+strings.Repeat(",?", len(keys)-1), 1)
	return sqldb.Persist(ctx, func() error {
		rows, err := s.read.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var own []byte
			var k keyed
			var fingerprint int64
			if err := rows.Scan(&own, &k.event, &fingerprint, &k.deliveries); err != nil {
				return err
			}
			k.fingerprint = uint64(fingerprint)
			found(string(own[len(ownKey(org, "")):]), k)
		}
		return rows.Err()
	})
}

// insertEvent stores an event unless its key or id is there. Tests of a webhook
// have no key.
func (s *session) insertEvent(ctx context.Context, e *delivery.NewEvent, key []byte) (int64, error) {
	s.event.setKeyed(e, key)
	s.args = sqliteEvents.values(s.args[:0], &s.event)
	return s.Exec(ctx, sqliteInsertEvent, s.args...)
}

// queue adds a delivery to the queue.
func (i *inserter) queue(ctx context.Context, d *delivery.Delivery, event delivery.EventID) error {
	row := &i.queued
	row.setQueued(d)
	row.event, row.dueAt, row.ownerSlot, row.ownerEpoch = int64(event), i.now, absent, absent
	if row.leased {
		row.dueAt += i.lease.Microseconds()
		row.ownerSlot, row.ownerEpoch = int64(i.owner.Slot), i.owner.Epoch
	}
	i.args = sqliteDeliveries.values(i.args[:0], row)
	_, err := i.Exec(ctx, sqliteInsertQueue, i.args...)
	return err
}
