package queue

import (
	"context"

	"portalhooks/ent/sqldb"

	"github.com/lib/pq"

	"portalhooks/delivery"
)

// One statement settles a batch: it moves the queue's rows whose fence holds,
// writes the entries of those and of the tests, and counts the former. It
// returns the entries. Rows carry what is to be logged of them along, so that
// nothing is joined but the queue. The slot is compared so that no index of
// slots is of use: rows are found by their ids.
var postgresSettle = postgresSyntax.Replace(`
WITH s AS MATERIALIZED (
	SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
		$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
		$14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[],
		$20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[],
		$26::boolean[], $27::boolean[], $28::text[], $29::text[], $30::text[], $31::text[],
		$32::bigint[], $33::bigint[], $34::bigint[], $35::bigint[], $36::boolean[])
		AS s(id, delivery, org, webhook, version, event, item, at, started_at, planned_at,
			redelivery_of, response_bytes, duration, dns, connect, tls, first_byte, body,
			type, trigger, state, attempts, number, outcome, status, reused, truncated, remote, error, headers,
			response, before, slot, epoch, due_at, unqueued)
), finished AS (
	DELETE FROM queue q USING s
	WHERE q.id = s.delivery AND q.attempts = s.before
		AND q.owner_slot IS NOT DISTINCT FROM s.slot AND q.owner_epoch = s.epoch
		AND s.state >= 5 AND NOT s.unqueued
	RETURNING s.*, q.outcome AS last_outcome, q.status AS last_status
), kept AS (
	UPDATE queue q SET attempts = s.attempts, held = s.state = 4,
		due_at = CASE WHEN q.cancel THEN @now ELSE s.due_at END,
		outcome = COALESCE(NULLIF(s.outcome, 0), q.outcome),
		status = CASE WHEN s.outcome = 0 THEN q.status ELSE NULLIF(s.status, 0) END,
		owner_slot = NULL, owner_epoch = NULL
	FROM s
	WHERE q.id = s.delivery AND q.attempts = s.before
		AND q.owner_slot IS NOT DISTINCT FROM s.slot AND q.owner_epoch = s.epoch
		AND s.state < 5 AND NOT s.unqueued
	RETURNING s.*, q.outcome AS last_outcome, q.status AS last_status
), moved AS (
	SELECT * FROM finished UNION ALL SELECT * FROM kept
	UNION ALL SELECT s.*, NULL, NULL FROM s WHERE s.unqueued
), logged AS (
INSERT INTO log (id, delivery, org, webhook, version, event, item, at, started_at, due_at,
	redelivery_of, response_bytes, duration, dns, connect, tls, first_byte, body, type, trigger, state, attempts,
	number, outcome, status, reused, truncated, remote, error, headers, response)
SELECT id, delivery, org, webhook, version, event, item, at, NULLIF(started_at, 0),
	NULLIF(planned_at, 0), NULLIF(redelivery_of, 0), NULLIF(response_bytes, 0), NULLIF(duration, -1),
	NULLIF(dns, -1), NULLIF(connect, -1), NULLIF(tls, -1), NULLIF(first_byte, -1), NULLIF(body, -1),
	type, trigger, state, attempts, NULLIF(number, 0),
	CASE WHEN number = 0 THEN last_outcome ELSE NULLIF(outcome, 0) END,
	CASE WHEN number = 0 THEN last_status ELSE NULLIF(status, 0) END,
	NULLIF(reused, false), NULLIF(truncated, false), NULLIF(remote, ''), NULLIF(error, ''),
	NULLIF(headers, ''), NULLIF(response, '')
FROM moved
ORDER BY id
ON CONFLICT DO NOTHING RETURNING id, org, webhook, at, duration, type, trigger, state, number, outcome
), counted AS (
	` + countPostgres + `
)
SELECT id FROM logged`)

const postgresInsertEvents = `
INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test,
	item_name, group_id, source_id, workspace_id, workspace, variables)
SELECT id, org, item, occurred_at, group_key, source_key, type, test,
	item_name, group_id, source_id, NULLIF(workspace_id, ''), NULLIF(workspace, ''), variables
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
	$7::bigint[], $8::boolean[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
	AS e(id, org, item, occurred_at, group_key, source_key, type, test,
		item_name, group_id, source_id, workspace_id, workspace, variables)
ON CONFLICT DO NOTHING`

func (p *postgresQueue) settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error) {
	var rows, events arrays
	var ids []int64
	for i := range batch {
		s := &batch[i]
		addSettlement(&rows, s)
		ids = append(ids, int64(s.Entry.ID))
		if s.Unqueued && s.Event != nil {
			events.next()
			events.ints(int64(s.Event.ID), int64(s.Event.Org))
			addFacts(&events, s.Event, false)
			ids = append(ids, int64(s.Event.ID))
		}
	}
	var written []int64
	settling(batch)
	err := p.persistRows(ctx, ids, func() (err error) {
		written, err = p.settleOnce(ctx, &rows, &events)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.confirm(ctx, batch, written)
}

// settleOnce writes one batch. Only tests of webhooks, which are rare, bring
// events and so need a transaction of two statements.
func (p *postgresQueue) settleOnce(ctx context.Context, rows, events *arrays) (written []int64, err error) {
	if len(events.columns) == 0 {
		found, err := p.Query(ctx, postgresSettle, rows.args(36)...)
		return sqldb.Collect(found, err, sqldb.ScanInt64)
	}
	tx, err := p.pool.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	if _, err = tx.ExecContext(ctx, postgresInsertEvents, events.args(14)...); err == nil {
		found, failed := tx.QueryContext(ctx, postgresSettle, rows.args(36)...)
		written, err = sqldb.Collect(found, failed, sqldb.ScanInt64)
	}
	if err != nil {
		_ = tx.Rollback() // the first error is the one to tell
		return nil, err
	}
	return written, tx.Commit()
}

// confirm reports which settlements are in the log. Those that this try did not
// write may have been written by an earlier one.
func (p *postgresQueue) confirm(ctx context.Context, batch []delivery.Settlement, written []int64) ([]bool, error) {
	there := make(map[delivery.LogID]delivery.DeliveryID, len(batch))
	if len(written) < len(batch) {
		missing := make([]int64, 0, len(batch))
		for i := range batch {
			missing = append(missing, int64(batch[i].Entry.ID))
		}
		err := sqldb.Persist(ctx, func() error {
			rows, err := p.pool.QueryContext(ctx, `SELECT id, delivery FROM log
				WHERE ((id >> 12) & 1023) IN (SELECT DISTINCT (i >> 12) & 1023 FROM unnest($1::bigint[]) i)
					AND id = ANY($1::bigint[])`, pq.Array(missing))
			pairs, err := sqldb.Collect(rows, err, sqldb.ScanPair)
			for _, p := range pairs {
				there[delivery.LogID(p[0])] = delivery.DeliveryID(p[1])
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, id := range written {
		there[delivery.LogID(id)] = 0
	}
	held := make([]bool, len(batch))
	for i := range batch {
		d, found := there[batch[i].Entry.ID]
		held[i] = found && (d == 0 || d == batch[i].Entry.Delivery.ID)
	}
	return held, nil
}

func addSettlement(a *arrays, s *delivery.Settlement) {
	e, d := &s.Entry, &s.Entry.Delivery
	row := attemptRowOf(e.Attempt)
	a.next()
	a.ints(int64(e.ID), int64(d.ID), int64(d.Org), int64(d.Webhook), int64(d.Version), int64(d.Event),
		int64(d.Item), sqldb.Micros(e.At), row.started, plannedAt(s), int64(d.RedeliveryOf), row.responseBytes,
		row.duration)
	a.ints(row.phases[:]...)
	a.ints(typeWords.code(d.Type), triggerWords.code(d.Trigger), stateWords.code(d.State), int64(d.Attempts),
		row.number, row.outcome, row.status)
	add(a, row.reused)
	add(a, row.truncated)
	a.texts(row.remote, row.fault, row.headers, row.response)
	a.ints(int64(s.Before), int64(s.Owner.Slot), s.Owner.Epoch, sqldb.Micros(s.DueAt))
	add(a, s.Unqueued)
}
