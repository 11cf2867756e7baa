package ent

import (
	"context"
	"fmt"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/webhookversion"
	"portalhooks/ent/sqldb"
)

// VersionsByID implements [delivery.WebhookStore].
func (s *Store) VersionsByID(
	ctx context.Context, ids []delivery.VersionID,
) ([]delivery.WebhookVersion, error) {
	rows, err := inChunks(ids, func(chunk []delivery.VersionID) ([]*gen.WebhookVersion, error) {
		return s.reader.WebhookVersion.Query().Where(webhookversion.IDIn(chunk...)).All(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", sqldb.Unavailable(err))
	}
	return toVersions(rows)
}

func toVersions(rows []*gen.WebhookVersion) ([]delivery.WebhookVersion, error) {
	versions := make([]delivery.WebhookVersion, len(rows))
	for i, r := range rows {
		var err error
		if versions[i], err = toVersion(r); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

// Versions implements [delivery.WebhookStore].
func (s *Store) Versions(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, p delivery.Page,
) (delivery.Slice[delivery.WebhookVersion], error) {
	l := list[*gen.WebhookVersion]{
		listing: listing{kind: 'v', column: webhookversion.FieldNumber, descending: true},
		at: func(r *gen.WebhookVersion) position {
			return position{number: int64(r.Number), id: int64(r.ID)}
		},
		fetch: func(ctx context.Context, narrow func(*entsql.Selector)) ([]*gen.WebhookVersion, error) {
			return s.reader.WebhookVersion.Query().
				Where(webhookversion.WebhookID(id), webhookversion.OrganizationID(org)).
				Where(narrow).
				All(ctx)
		},
	}
	rows, err := l.page(ctx, p)
	if err != nil {
		return delivery.Slice[delivery.WebhookVersion]{}, fmt.Errorf("list versions: %w", sqldb.Unavailable(err))
	}
	versions, err := toVersions(rows.Items)
	if err != nil {
		return delivery.Slice[delivery.WebhookVersion]{}, err
	}
	return delivery.Slice[delivery.WebhookVersion]{
		Items: versions, Cursors: rows.Cursors, HasNext: rows.HasNext, HasPrev: rows.HasPrev, Total: rows.Total,
	}, nil
}

// VersionsBetween implements [delivery.WebhookStore]. Of a webhook that had been
// deleted before, the last version counts as current.
func (s *Store) VersionsBetween(
	ctx context.Context, org delivery.OrgID, from, to time.Time,
) ([]delivery.WebhookVersion, error) {
	rows, err := s.reader.WebhookVersion.Query().
		Where(webhookversion.OrganizationID(org), currentBetween(from, to)).
		Order(gen.Asc(webhookversion.FieldWebhookID, webhookversion.FieldNumber)).
		Select(matchColumns...).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the versions of a time: %w", sqldb.Unavailable(err))
	}
	versions := make([]delivery.WebhookVersion, len(rows))
	for i, r := range rows {
		versions[i] = delivery.WebhookVersion{
			ID: r.ID, Org: r.OrganizationID, Webhook: r.WebhookID, Number: r.Number, Name: r.Name,
			Type: r.EventType, Listening: r.Listening, Deleted: r.Deleted,
			CreatedAt: sqldb.TimeOf(r.CreatedAt), EndedAt: sqldb.TimeOf(r.EndedAt),
		}
		if versions[i].Selection, err = fromSelection(r.Selection); err != nil {
			return nil, fmt.Errorf("selection of %s: %w", r.ID, err)
		}
	}
	return versions, nil
}

// matchColumns are the columns of a version that are read to explain matches: the
// others may have 60 KiB in each row.
var matchColumns = []string{
	webhookversion.FieldID, webhookversion.FieldOrganizationID, webhookversion.FieldWebhookID,
	webhookversion.FieldNumber, webhookversion.FieldName, webhookversion.FieldEventType,
	webhookversion.FieldSelection, webhookversion.FieldListening, webhookversion.FieldDeleted,
	webhookversion.FieldCreatedAt, webhookversion.FieldEndedAt,
}

// currentBetween keeps each webhook's versions from the last one that began by
// from, or its first, to the last one that began by to.
func currentBetween(from, to time.Time) func(*entsql.Selector) {
	return func(s *entsql.Selector) {
		began := entsql.Table(webhookversion.Table).As("began")
		last := entsql.Dialect(s.Dialect()).
			Select(entsql.Max(began.C(webhookversion.FieldNumber))).
			From(began).
			Where(entsql.And(
				entsql.ColumnsEQ(began.C(webhookversion.FieldWebhookID), s.C(webhookversion.FieldWebhookID)),
				entsql.LTE(began.C(webhookversion.FieldCreatedAt), sqldb.Micros(from)),
			))
		s.Where(entsql.And(
			entsql.P(func(b *entsql.Builder) {
				b.Ident(s.C(webhookversion.FieldNumber)).WriteString(" >= COALESCE(")
				b.Wrap(func(b *entsql.Builder) { b.Join(last) })
				b.WriteString(", 1)")
			}),
			entsql.Or(
				entsql.LTE(s.C(webhookversion.FieldCreatedAt), sqldb.Micros(to)),
				entsql.EQ(s.C(webhookversion.FieldNumber), 1),
			),
		))
	}
}
