package ent

import (
	"context"
	"database/sql"
	"time"

	"portalhooks/delivery"
)

const (
	sqliteConfigVersion = `SELECT config_version FROM organization WHERE id = $1`

	sqliteInsertKey = `INSERT INTO event_key (org, key, event, fingerprint, deliveries)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`

	sqliteSelectKey = `SELECT event, fingerprint, deliveries FROM event_key WHERE org = $1 AND key = $2`

	sqliteInsertEvent = `INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test,
		item_name, group_id, source_id, workspace_id, workspace, variables)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULLIF($12, ''), NULLIF($13, ''), $14)
		ON CONFLICT DO NOTHING`

	sqliteInsertQueue = `INSERT INTO queue (id, org, webhook, version, event, item, redelivery_of, type, trigger,
		attempts, held, due_at, owner_slot, owner_epoch, ordered)
		VALUES ($1, $2, $3, $4, $5, $6, NULLIF($7, 0), $8, $9, $10, $11, @now + $12, $13, $14, $15)
		ON CONFLICT DO NOTHING`
)

func (h *hot) ingestSQLite(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) (results []delivery.Ingested, err error) {
	err = h.writer.do(ctx, func(ctx context.Context, q querier) error {
		results = make([]delivery.Ingested, len(batch))
		for i := range batch {
			if err := h.insertIngest(ctx, q, owner, lease, &batch[i], &results[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return results, err
}

func (h *hot) insertIngest(
	ctx context.Context, q querier, owner delivery.Owner, lease time.Duration,
	in *delivery.Ingest, out *delivery.Ingested,
) error {
	rows, err := q.QueryContext(ctx, sqliteConfigVersion, int64(in.Org))
	versions, err := rowsOf(rows, err, scanInt64)
	if err != nil {
		return err
	}
	if len(versions) == 0 || versions[0] != in.ConfigVersion {
		out.Stale = true
		return nil
	}
	out.Events = make([]delivery.Stored, len(in.Events))
	for i := range in.Events {
		if out.Events[i], err = h.insertNew(ctx, q, owner, lease, in.Org, &in.Events[i]); err != nil {
			return err
		}
	}
	return nil
}

// insertNew stores one event with its deliveries unless its key is known.
func (h *hot) insertNew(
	ctx context.Context, q querier, owner delivery.Owner, lease time.Duration,
	org delivery.OrgID, e *delivery.NewEvent,
) (delivery.Stored, error) {
	key := keyHash(org, e.Key)
	mine := keyed{e.Event.ID, e.Fingerprint, len(e.Deliveries)}
	fresh, err := affected(q.ExecContext(ctx, sqliteInsertKey, int64(org), key,
		int64(e.Event.ID), int64(e.Fingerprint), len(e.Deliveries)))
	if err != nil {
		return delivery.Stored{}, err
	}
	if fresh == 0 {
		rows, err := q.QueryContext(ctx, sqliteSelectKey, int64(org), key)
		known, err := rowsOf(rows, err, scanKeyed)
		if err != nil {
			return delivery.Stored{}, err
		}
		if len(known) == 0 {
			return delivery.Stored{}, errKeyGone
		}
		return stored(e, known[0]), nil
	}
	if err := insertEvent(ctx, q, &e.Event); err != nil {
		return delivery.Stored{}, err
	}
	for i := range e.Deliveries {
		d := &e.Deliveries[i]
		row := queueRow{delivery: d, event: e.Event.ID}
		if isLent(d) {
			row.owner, row.lease = &owner, lease
		}
		if err := row.insert(ctx, q, h.dialect); err != nil {
			return delivery.Stored{}, err
		}
	}
	return stored(e, mine), nil
}

func scanKeyed(rows *sql.Rows) (k keyed, err error) {
	var fingerprint int64
	err = rows.Scan(&k.event, &fingerprint, &k.deliveries)
	k.fingerprint = uint64(fingerprint)
	return k, err
}

// insertEvent stores an event unless its id is there.
func insertEvent(ctx context.Context, q querier, e *delivery.Event) error {
	_, err := q.ExecContext(ctx, sqliteInsertEvent, int64(e.ID), int64(e.Org), int64(e.Item),
		micros(e.OccurredAt),
		shortHash(e.Org, string(e.Group)), shortHash(e.Org, e.SourceEventID), typeWords.code(e.Type), e.Test,
		clean(e.ItemName), clean(string(e.Group)), clean(e.SourceEventID), clean(e.WorkspaceID),
		clean(e.WorkspaceName), clean(string(e.Variables)))
	return err
}

// A queueRow is a delivery on its way into the queue.
type queueRow struct {
	delivery *delivery.Delivery
	event    delivery.EventID
	owner    *delivery.Owner // nil unless it is lent
	lease    time.Duration
}

func (r queueRow) insert(ctx context.Context, q querier, in dialect) error {
	d := r.delivery
	var slot, epoch any
	if r.owner != nil {
		slot, epoch = r.owner.Slot, r.owner.Epoch
	}
	_, err := q.ExecContext(ctx, in.sql(sqliteInsertQueue), int64(d.ID), int64(d.Org), int64(d.Webhook),
		int64(d.Version),
		int64(r.event), int64(d.Item), int64(d.RedeliveryOf), typeWords.code(d.Type), triggerWords.code(d.Trigger),
		d.Attempts, d.State == delivery.Held, r.lease.Microseconds(), slot, epoch,
		d.Ordered)
	return err
}
