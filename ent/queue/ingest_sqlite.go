package queue

import (
	"context"
	"time"

	"portalhooks/ent/sqldb"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
)

// Each ? costs less than a numbered parameter, and NULL as a value less than a
// function that makes it: these statements run once for every row.
const (
	sqliteNow = `SELECT ` + sqliteClock

	sqliteConfigVersion = `SELECT config_version FROM organization WHERE id = ?`

	// The key is what keeps an event from being stored twice.
	sqliteInsertEvent = `INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test,
		item_name, group_id, source_id, workspace_id, workspace, variables, key, fingerprint, deliveries)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

	sqliteSelectKey = `SELECT id, fingerprint, deliveries FROM event WHERE key = ?`

	sqliteInsertQueue = `INSERT INTO queue (id, org, webhook, version, event, item, redelivery_of, type, trigger,
		attempts, held, due_at, owner_slot, owner_epoch, ordered)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
)

// An inserter stores events and their deliveries in one change.
type inserter struct {
	session

	owner   delivery.Owner
	now     int64 // by the clock of the database
	lease   time.Duration
	current map[delivery.OrgID]int64 // the organizations' configurations
}

func (s *sqliteQueue) ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) (results []delivery.Ingested, err error) {
	err = s.batch(ctx, func(ctx context.Context, s session) error {
		now, err := s.now(ctx)
		if err != nil {
			return err
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

// now returns the time by the database's clock.
func (s session) now(ctx context.Context) (now int64, err error) {
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
// events were matched, or it is unknown. Nobody changes them meanwhile.
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

// known tells of the event that has the key already.
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

// insertEvent stores an event unless its key or id is there. Tests of a webhook
// have no key.
func (s session) insertEvent(
	ctx context.Context, n *delivery.NewEvent, key []byte,
) (int64, error) {
	e := &n.Event
	return s.Exec(ctx, sqliteInsertEvent, int64(e.ID), int64(e.Org), int64(e.Item), sqldb.Micros(e.OccurredAt),
		shortHash(e.Org, string(e.Group)), sourceHash(e, n.BySource), typeWords.code(e.Type), e.Test,
		sqldb.Clean(e.ItemName), sqldb.Clean(string(e.Group)), sqldb.Clean(e.SourceEventID), textOrNull(sqldb.Clean(e.WorkspaceID)),
		textOrNull(sqldb.Clean(e.WorkspaceName)), sqldb.Clean(string(e.Variables)), blobOrNull(key),
		int64(n.Fingerprint), int64(len(n.Deliveries)))
}

// queue adds a delivery to the queue.
func (i *inserter) queue(ctx context.Context, d *delivery.Delivery, event delivery.EventID) error {
	due, slot, epoch := i.now, any(nil), any(nil)
	if isLent(d) {
		due, slot, epoch = due+i.lease.Microseconds(), int64(i.owner.Slot), i.owner.Epoch
	}
	_, err := i.Exec(ctx, sqliteInsertQueue, int64(d.ID), int64(d.Org), int64(d.Webhook), int64(d.Version),
		int64(event), int64(d.Item), numberOrNull(int64(d.RedeliveryOf), 0), typeWords.code(d.Type),
		triggerWords.code(d.Trigger), int64(d.Attempts), d.State == delivery.Held, due, slot, epoch, d.Ordered)
	return err
}

// numberOrNull returns nil in the place of none.
func numberOrNull(n, none int64) any {
	if n == none {
		return nil
	}
	return n
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func blobOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func trueOrNull(b bool) any {
	if !b {
		return nil
	}
	return true
}
