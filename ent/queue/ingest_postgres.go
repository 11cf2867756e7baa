package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lib/pq"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// The columns of the events and deliveries of a batch.
var (
	ingestEvents = slices.Concat(
		columns[keyedRow]{{"batch", nil, func(r *keyedRow) any { return &r.batch }}},
		within(eventTable, (*keyedRow).base), keyColumns,
	)
	ingestDeliveries = slices.Concat(queueTable, columns[queueRow]{leasedColumn})
)

// The parameters of postgresIngest: the organizations and versions of the batch,
// the lease and its owner, then the columns of the events and deliveries.
const firstIngestEvent = 6

var firstIngestDelivery = firstIngestEvent + len(ingestEvents)

// One statement stores a batch. Keys are inserted in their order, so that two
// servers with the same keys wait for each other instead of deadlocking, and of
// equal keys in the batch the first wins. It returns, with kind 0, the parts
// whose webhooks have not changed, with kind 1 the events that were stored, and
// with kind 2 that another server has the slot, which can't be taken meanwhile.
// The locks of the organizations keep the webhooks as they are until the batch is
// stored, and show a change that was stored after the statement began.
// A plan that is made before the arrays are known takes each for ten rows, and
// would join thousands in loops; with subscripts made beside them it is a
// thousand.
var postgresIngest = postgresSyntax.Replace(`
WITH slot AS MATERIALIZED (
	SELECT epoch FROM instance WHERE slot = $4 FOR KEY SHARE
), current AS MATERIALIZED (
	SELECT b.n FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS b(org, version, n)
	JOIN organization o ON o.id = b.org AND o.config_version = b.version
	WHERE NOT EXISTS (SELECT 1 FROM slot WHERE epoch > $5) FOR SHARE OF o
), new AS MATERIALIZED (
	SELECT e.* FROM ROWS FROM (` + ingestEvents.unnested(firstIngestEvent) + `,
		generate_subscripts(` + ingestEvents[0].array(firstIngestEvent) + `, 1))
		AS e(` + ingestEvents.names() + `, n)
	WHERE e.batch IN (SELECT n FROM current)
), fresh AS (
	INSERT INTO event_key (org, key, event, fingerprint, deliveries)
	SELECT org, key, id, fingerprint, deliveries FROM new ORDER BY org, key, n
	ON CONFLICT (org, key) DO NOTHING RETURNING event
), kept AS (
	INSERT INTO event (` + eventTable.names() + `)
	SELECT ` + eventTable.stored("new", nil) + ` FROM new JOIN fresh ON fresh.event = new.id
), queued AS (
	INSERT INTO queue (` + queueTable.names() + `, due_at, owner_slot, owner_epoch)
	SELECT ` + queueTable.stored("d", nil) + `, @now + CASE WHEN d.leased THEN $3::bigint ELSE 0 END,
		CASE WHEN d.leased THEN $4::smallint END, CASE WHEN d.leased THEN $5::bigint END
	FROM ROWS FROM (` + ingestDeliveries.unnested(firstIngestDelivery) + `,
		generate_subscripts(` + ingestDeliveries[0].array(firstIngestDelivery) + `, 1))
		AS d(` + ingestDeliveries.names() + `, n)
	JOIN fresh ON fresh.event = d.event
)
SELECT 0, n FROM current UNION ALL SELECT 1, event FROM fresh
	UNION ALL SELECT 2, 0 FROM slot WHERE epoch > $5`)

const postgresKeys = `
SELECT k.n - 1, e.event, e.fingerprint, e.deliveries
FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS k(org, key, n)
JOIN event_key e ON e.org = k.org AND e.key = k.key`

func (p *postgresQueue) ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) ([]delivery.Ingested, error) {
	args, ids := ingestArgs(owner, lease, batch)
	var fresh map[delivery.EventID]bool
	var current map[int]bool
	err := p.persistInserts(ctx, ids, func() (err error) {
		current, fresh, err = p.ingestOnce(ctx, args)
		return err
	})
	p.Note("ingest", err)
	if err != nil {
		return nil, err
	}
	results := make([]delivery.Ingested, len(batch))
	var known knownEvents
	for i := range batch {
		if !current[i] {
			results[i].Stale = true
			continue
		}
		results[i].Events = make([]delivery.Stored, len(batch[i].Events))
		for j := range batch[i].Events {
			e, place := &batch[i].Events[j], &results[i].Events[j]
			if fresh[e.Event.ID] {
				*place = stored(e, keyed{e.Event.ID, e.Fingerprint, len(e.Deliveries)})
			} else {
				known.add(batch[i].Org, e, place)
			}
		}
	}
	return results, p.fillKnown(ctx, &known)
}

// ingestArgs are the arguments of postgresIngest; ids are those of the events.
func ingestArgs(
	owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) (args []any, ids []int64) {
	var orgs, versions []int64
	var events []keyedRow
	var deliveries []queueRow
	for i := range batch {
		in := &batch[i]
		orgs, versions = append(orgs, int64(in.Org)), append(versions, in.ConfigVersion)
		for j := range in.Events {
			e := &in.Events[j]
			row := keyedRow{batch: int64(i + 1)}
			row.setKeyed(e, []byte(e.Key))
			row.org = int64(in.Org)
			events, ids = append(events, row), append(ids, row.id)
			for k := range e.Deliveries {
				var queued queueRow
				queued.setQueued(&e.Deliveries[k])
				queued.event = row.id
				deliveries = append(deliveries, queued)
			}
		}
	}
	args = append(args, sqldb.Array(&orgs), sqldb.Array(&versions),
		lease.Microseconds(), owner.Slot, owner.Epoch)
	return ingestDeliveries.gather(ingestEvents.gather(args, events), deliveries), ids
}

// ingestOnce runs the statement and sorts what it returns.
func (p *postgresQueue) ingestOnce(
	ctx context.Context, args []any,
) (map[int]bool, map[delivery.EventID]bool, error) {
	rows, err := p.Query(ctx, postgresIngest, args...)
	pairs, err := sqldb.Collect(rows, err, sqldb.ScanPair)
	if err != nil {
		return nil, nil, err
	}
	current, fresh := map[int]bool{}, make(map[delivery.EventID]bool, len(pairs))
	for _, p := range pairs {
		switch p[0] {
		case 0:
			current[int(p[1])-1] = true
		case 1:
			fresh[delivery.EventID(p[1])] = true
		default:
			return nil, nil, errSlotLost
		}
	}
	return current, fresh, nil
}

// A knownEvents are the events of a batch whose keys were there before, with the
// places of their results.
type knownEvents struct {
	orgs   []int64
	keys   [][]byte
	events []*delivery.NewEvent
	places []*delivery.Stored
}

func (k *knownEvents) add(org delivery.OrgID, e *delivery.NewEvent, place *delivery.Stored) {
	k.orgs, k.keys = append(k.orgs, int64(org)), append(k.keys, []byte(e.Key))
	k.events, k.places = append(k.events, e), append(k.places, place)
}

// fillKnown looks up the events that have the keys. Those with our own ids were
// stored by an earlier run of the statement.
func (p *postgresQueue) fillKnown(ctx context.Context, known *knownEvents) error {
	if len(known.events) == 0 {
		return nil
	}
	return sqldb.Persist(ctx, func() error {
		found := 0
		err := p.readKeys(ctx, known.orgs, known.keys, func(n int, k keyed) {
			*known.places[n] = stored(known.events[n], k)
			found++
		})
		if err == nil && found < len(known.events) {
			return fmt.Errorf("%d of %d keys found: %w", found, len(known.events), errKeyGone)
		}
		return err
	})
}

// readKeys calls found for each key, by its place in the list, that has an event.
func (p *postgresQueue) readKeys(
	ctx context.Context, orgs []int64, keys [][]byte, found func(n int, k keyed),
) error {
	rows, err := p.pool.QueryContext(ctx, postgresKeys, pq.Array(orgs), pq.Array(keys))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var k keyed
		var fingerprint int64
		if err := rows.Scan(&n, &k.event, &fingerprint, &k.deliveries); err != nil {
			return err
		}
		k.fingerprint = uint64(fingerprint)
		found(n, k)
	}
	return rows.Err()
}

func (p *postgresQueue) keyed(
	ctx context.Context, org delivery.OrgID, keys []string, found func(key string, k keyed),
) error {
	orgs, list := make([]int64, len(keys)), make([][]byte, len(keys))
	for i, key := range keys {
		orgs[i], list[i] = int64(org), []byte(key)
	}
	return sqldb.Persist(ctx, func() error {
		return p.readKeys(ctx, orgs, list, func(n int, k keyed) { found(keys[n], k) })
	})
}
