package queue

import (
	"context"
	"fmt"
	"time"

	"portalhooks/ent/sqldb"

	"github.com/lib/pq"

	"portalhooks/delivery"
)

// One statement stores a batch. Keys are inserted in their order, so that two
// processes with the same keys wait for each other instead of deadlocking, and
// of equal keys in the batch the first wins. It returns, with kind 0, the groups
// whose webhooks have not changed, and with kind 1 the events that were stored.
// A plan that is made before the arrays are known takes each for ten rows, and
// would join thousands in loops; with subscripts made beside them it is a
// thousand.
var postgresIngest = postgresSyntax.Replace(`
WITH grp AS MATERIALIZED (
	SELECT g.n FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS g(org, version, n)
	JOIN organization o ON o.id = g.org AND o.config_version = g.version
), new AS MATERIALIZED (
	SELECT e.* FROM ROWS FROM (unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::bigint[]),
		unnest($6::bytea[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::bigint[]),
		unnest($10::bigint[]), unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::bigint[]),
		unnest($14::boolean[]), unnest($15::text[]), unnest($16::text[]), unnest($17::text[]),
		unnest($18::text[]), unnest($19::text[]), unnest($20::text[]), generate_subscripts($4::bigint[], 1))
		AS e(grp, id, org, key, fingerprint, deliveries, item, occurred_at, group_key, source_key, type, test,
			item_name, group_id, source_id, workspace_id, workspace, variables, n)
	WHERE e.grp IN (SELECT n FROM grp)
), fresh AS (
	INSERT INTO event_key (org, key, event, fingerprint, deliveries)
	SELECT org, key, id, fingerprint, deliveries FROM new ORDER BY org, key, n
	ON CONFLICT (org, key) DO NOTHING RETURNING event
), kept AS (
	INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test,
		item_name, group_id, source_id, workspace_id, workspace, variables)
	SELECT id, org, item, occurred_at, group_key, source_key, type, test,
		item_name, group_id, source_id, NULLIF(workspace_id, ''), NULLIF(workspace, ''), variables
	FROM new JOIN fresh ON fresh.event = new.id
), queued AS (
	INSERT INTO queue (id, org, webhook, version, event, item, redelivery_of, type, trigger, attempts, held,
		ordered, due_at, owner_slot, owner_epoch)
	SELECT d.id, d.org, d.webhook, d.version, d.event, d.item, NULLIF(d.redelivery_of, 0), d.type, d.trigger,
		d.attempts, d.held, d.ordered, @now + CASE WHEN d.lent THEN $32::bigint ELSE 0 END,
		CASE WHEN d.lent THEN $33::smallint END, CASE WHEN d.lent THEN $34::bigint END
	FROM ROWS FROM (unnest($21::bigint[]), unnest($22::bigint[]), unnest($23::bigint[]), unnest($24::bigint[]),
		unnest($25::bigint[]), unnest($26::bigint[]), unnest($27::bigint[]), unnest($28::bigint[]),
		unnest($29::bigint[]), unnest($30::bigint[]), unnest($31::boolean[]), unnest($35::boolean[]),
		unnest($36::boolean[]), generate_subscripts($21::bigint[], 1))
		AS d(id, org, webhook, version, event, item, redelivery_of, type, trigger, attempts, held, lent, ordered, n)
	JOIN fresh ON fresh.event = d.event
)
SELECT 0, n FROM grp UNION ALL SELECT 1, event FROM fresh`)

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
	err := p.persistRows(ctx, ids, func() (err error) {
		current, fresh, err = p.ingestOnce(ctx, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	results := make([]delivery.Ingested, len(batch))
	var known []*delivery.NewEvent // asked for once more
	var places []*delivery.Stored
	var orgs []delivery.OrgID
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
				continue
			}
			known, places, orgs = append(known, e), append(places, place), append(orgs, batch[i].Org)
		}
	}
	return results, p.fillKnown(ctx, known, places, orgs)
}

// ingestOnce runs the statement and sorts what it returns.
func (p *postgresQueue) ingestOnce(ctx context.Context, args []any) (map[int]bool, map[delivery.EventID]bool, error) {
	rows, err := p.Query(ctx, postgresIngest, args...)
	pairs, err := sqldb.Collect(rows, err, sqldb.ScanPair)
	if err != nil {
		return nil, nil, err
	}
	current, fresh := map[int]bool{}, make(map[delivery.EventID]bool, len(pairs))
	for _, p := range pairs {
		if p[0] == 0 {
			current[int(p[1])-1] = true
		} else {
			fresh[delivery.EventID(p[1])] = true
		}
	}
	return current, fresh, nil
}

// fillKnown looks up the events whose keys were there before. Those with our
// own ids were stored by an earlier try.
func (p *postgresQueue) fillKnown(
	ctx context.Context, events []*delivery.NewEvent, places []*delivery.Stored, orgs []delivery.OrgID,
) error {
	if len(events) == 0 {
		return nil
	}
	numbers, keys := make([]int64, len(events)), make([][]byte, len(events))
	for i, e := range events {
		numbers[i], keys[i] = int64(orgs[i]), []byte(e.Key)
	}
	return sqldb.Persist(ctx, func() error {
		rows, err := p.pool.QueryContext(ctx, postgresKeys, pq.Array(numbers), pq.Array(keys))
		if err != nil {
			return err
		}
		defer rows.Close()
		found := 0
		for ; rows.Next(); found++ {
			var n int
			var k keyed
			var fingerprint int64
			if err := rows.Scan(&n, &k.event, &fingerprint, &k.deliveries); err != nil {
				return err
			}
			k.fingerprint = uint64(fingerprint)
			*places[n] = stored(events[n], k)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if found < len(events) {
			return fmt.Errorf("%d of %d keys found: %w", found, len(events), errKeyGone)
		}
		return nil
	})
}
