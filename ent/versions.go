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

// VersionsAt implements [delivery.WebhookStore]. Of a webhook that had been
// deleted by t, it is the version that the deletion ended.
func (s *Store) VersionsAt(
	ctx context.Context, org delivery.OrgID, t time.Time,
) ([]delivery.WebhookVersion, error) {
	rows, err := s.reader.WebhookVersion.Query().
		Where(webhookversion.OrganizationID(org), currentAt(t)).
		Order(gen.Asc(webhookversion.FieldWebhookID)).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the versions of a time: %w", sqldb.Unavailable(err))
	}
	return toVersions(rows)
}

// currentAt keeps each webhook's last version that began by t, or its first.
func currentAt(t time.Time) func(*entsql.Selector) {
	return func(s *entsql.Selector) {
		began := entsql.Table(webhookversion.Table).As("began")
		last := entsql.Dialect(s.Dialect()).
			Select(entsql.Max(began.C(webhookversion.FieldNumber))).
			From(began).
			Where(entsql.And(
				entsql.ColumnsEQ(began.C(webhookversion.FieldWebhookID), s.C(webhookversion.FieldWebhookID)),
				entsql.LTE(began.C(webhookversion.FieldCreatedAt), sqldb.Micros(t)),
			))
		s.Where(entsql.P(func(b *entsql.Builder) {
			b.Ident(s.C(webhookversion.FieldNumber)).WriteString(" = COALESCE(")
			b.Wrap(func(b *entsql.Builder) { b.Join(last) })
			b.WriteString(", 1)")
		}))
	}
}
