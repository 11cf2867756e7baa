package ent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/auditentry"
	"portalhooks/ent/gen/predicate"
	"portalhooks/ent/sqldb"
)

// Record implements [delivery.AuditStore].
func (s *Store) Record(ctx context.Context, entries ...delivery.AuditEntry) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error { return record(ctx, tx.AuditEntry, entries...) })
	if err != nil {
		return fmt.Errorf("write to the audit log: %w", sqldb.Unavailable(err))
	}
	return nil
}

// record adds entries to the audit log in the transaction that c belongs to.
// Adding one again, after a commit whose result is unknown, changes nothing.
func record(ctx context.Context, c *gen.AuditEntryClient, entries ...delivery.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]*gen.AuditEntryCreate, len(entries))
	for i, e := range entries {
		if e.Changes == nil {
			e.Changes = []delivery.Change{}
		}
		rows[i] = c.Create().
			SetID(e.ID).
			SetOrganizationID(e.Org).
			SetAt(sqldb.Micros(e.At)).
			SetAction(e.Action).
			SetActorKind(e.Actor.Kind).
			SetActor(e.Actor.Name).
			SetKeyID(e.Actor.Key).
			SetObjectType(e.Object.Type).
			SetObjectID(e.Object.ID).
			SetObjectName(e.Object.Name).
			SetChanges(encode(e.Changes)).
			SetRequestID(e.Request).
			SetAddress(e.Address)
	}
	err := c.CreateBulk(rows...).OnConflictColumns(auditentry.FieldID).DoNothing().Exec(ctx)
	if err != nil {
		return fmt.Errorf("write to the audit log: %w", err)
	}
	return nil
}

// AuditLog implements [delivery.AuditStore].
func (s *Store) AuditLog(
	ctx context.Context, org delivery.OrgID, f delivery.AuditFilter, p delivery.Page,
) (delivery.Slice[delivery.AuditEntry], error) {
	where := auditLike(org, f)
	l := list[*gen.AuditEntry]{
		listing: listing{kind: 'a', column: auditentry.FieldAt, descending: true},
		at:      func(r *gen.AuditEntry) position { return position{number: r.At, id: int64(r.ID)} },
		fetch: func(ctx context.Context, narrow func(*entsql.Selector)) ([]*gen.AuditEntry, error) {
			return s.reader.AuditEntry.Query().Where(where...).Where(narrow).All(ctx)
		},
	}
	rows, err := l.page(ctx, p)
	if err != nil {
		return delivery.Slice[delivery.AuditEntry]{}, fmt.Errorf("read the audit log: %w", sqldb.Unavailable(err))
	}
	return convertSlice(rows, toAuditEntry), nil
}

func auditLike(org delivery.OrgID, f delivery.AuditFilter) []predicate.AuditEntry {
	var where []predicate.AuditEntry
	if org != 0 {
		where = append(where, auditentry.OrganizationID(org))
	}
	if len(f.Actions) > 0 {
		where = append(where, auditentry.ActionIn(f.Actions...))
	}
	if f.Object != "" {
		where = append(where, auditentry.ObjectID(f.Object))
	}
	if f.Key != 0 {
		where = append(where, auditentry.KeyID(f.Key))
	}
	if !f.After.IsZero() {
		where = append(where, auditentry.AtGTE(sqldb.Micros(f.After)))
	}
	if !f.Before.IsZero() {
		where = append(where, auditentry.AtLT(sqldb.Micros(f.Before)))
	}
	return where
}

func toAuditEntry(r *gen.AuditEntry) delivery.AuditEntry {
	e := delivery.AuditEntry{
		ID:      r.ID,
		Org:     r.OrganizationID,
		At:      sqldb.TimeOf(r.At),
		Action:  r.Action,
		Actor:   delivery.Actor{Kind: r.ActorKind, Name: r.Actor, Key: r.KeyID},
		Object:  delivery.AuditObject{Type: r.ObjectType, ID: r.ObjectID, Name: r.ObjectName},
		Request: r.RequestID,
		Address: r.Address,
		Changes: []delivery.Change{},
	}
	// What record wrote can be read. An entry whose changes were
	// spoilt by hand must not keep the others from being read.
	_ = json.Unmarshal([]byte(r.Changes), &e.Changes)
	return e
}

// auditSlice is how many entries one DiscardAudit removes at most.
const auditSlice = 2000

// DiscardAudit implements [delivery.AuditStore].
func (s *Store) DiscardAudit(ctx context.Context, t time.Time) (more bool, err error) {
	if youngest := time.Now().Add(-delivery.MinAuditRetention - time.Hour); t.After(youngest) {
		t = youngest // the database refuses to remove younger ones
	}
	err = s.inTx(ctx, func(tx *gen.Tx) error {
		ids, err := tx.AuditEntry.Query().
			Where(auditentry.AtLT(sqldb.Micros(t))).
			Order(gen.Asc(auditentry.FieldAt, auditentry.FieldID)).
			Limit(auditSlice).
			IDs(ctx)
		if err != nil || len(ids) == 0 {
			more = false
			return err
		}
		more = len(ids) == auditSlice
		_, err = tx.AuditEntry.Delete().Where(auditentry.IDIn(ids...)).Exec(ctx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("discard what is old of the audit log: %w", sqldb.Unavailable(err))
	}
	return more, nil
}
