package ent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/predicate"
	"portalhooks/ent/gen/webhook"
	"portalhooks/ent/gen/webhookversion"
	"portalhooks/ent/sqldb"
)

// WebhooksByID implements [delivery.WebhookStore].
func (s *Store) WebhooksByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.WebhookID,
) ([]delivery.Webhook, error) {
	rows, err := inChunks(ids, func(chunk []delivery.WebhookID) ([]*gen.Webhook, error) {
		q := s.reader.Webhook.Query().Where(webhook.IDIn(chunk...))
		if org != 0 {
			q.Where(webhook.OrganizationID(org))
		}
		return q.All(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read webhooks: %w", sqldb.Unavailable(err))
	}
	all, err := withVersions(ctx, s.reader.WebhookVersion.Query, rows)
	if err != nil {
		return nil, fmt.Errorf("read webhooks: %w", sqldb.Unavailable(err))
	}
	return all, nil
}

// withVersions reads the current version of each webhook by the query. That needs
// no transaction: a webhook's version is stored with it and is never removed.
func withVersions(
	ctx context.Context, query func() *gen.WebhookVersionQuery, rows []*gen.Webhook,
) ([]delivery.Webhook, error) {
	ids := convertAll(rows, func(r *gen.Webhook) delivery.VersionID { return r.VersionID })
	versions, err := inChunks(ids, func(chunk []delivery.VersionID) ([]*gen.WebhookVersion, error) {
		return query().Where(webhookversion.IDIn(chunk...)).All(ctx)
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[delivery.VersionID]*gen.WebhookVersion, len(versions))
	for _, v := range versions {
		byID[v.ID] = v
	}
	all := make([]delivery.Webhook, len(rows))
	for i, r := range rows {
		current, found := byID[r.VersionID]
		if !found {
			return nil, fmt.Errorf("webhook %s has no version %s", r.ID, r.VersionID)
		}
		if all[i], err = toWebhook(r, current); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Webhooks implements [delivery.WebhookStore].
func (s *Store) Webhooks(
	ctx context.Context, org delivery.OrgID, f delivery.WebhookFilter,
	o delivery.WebhookOrder, descending bool, p delivery.Page,
) (delivery.Slice[delivery.Webhook], error) {
	where := append(webhooksLike(f), webhook.OrganizationID(org), webhook.DeletedAt(0))
	l := webhookList(o, descending)
	l.fetch = func(ctx context.Context, narrow func(*entsql.Selector)) ([]*gen.Webhook, error) {
		return s.reader.Webhook.Query().Where(where...).Where(narrow).All(ctx)
	}
	rows, err := l.page(ctx, p)
	if err != nil {
		return delivery.Slice[delivery.Webhook]{}, fmt.Errorf("list webhooks: %w", sqldb.Unavailable(err))
	}
	webhooks, err := withVersions(ctx, s.reader.WebhookVersion.Query, rows.Items)
	if err != nil {
		return delivery.Slice[delivery.Webhook]{}, fmt.Errorf("list webhooks: %w", sqldb.Unavailable(err))
	}
	total, err := s.reader.Webhook.Query().Where(where...).Count(ctx)
	if err != nil {
		return delivery.Slice[delivery.Webhook]{}, fmt.Errorf("count webhooks: %w", sqldb.Unavailable(err))
	}
	return delivery.Slice[delivery.Webhook]{
		Items: webhooks, Cursors: rows.Cursors, HasNext: rows.HasNext, HasPrev: rows.HasPrev, Total: total,
	}, nil
}

func webhooksLike(f delivery.WebhookFilter) []predicate.Webhook {
	var where []predicate.Webhook
	if f.Search != "" {
		where = append(where, webhook.SearchContains(fold(f.Search)))
	}
	if len(f.Types) > 0 {
		where = append(where, webhook.EventTypeIn(f.Types...))
	}
	if f.Status != "" {
		where = append(where, webhook.StatusEQ(f.Status))
	}
	if f.Item != 0 {
		where = append(where, webhook.Or(
			webhook.Selection(allItems), webhook.SelectionContains(selectedPattern(f.Item)),
		))
	}
	return where
}

func webhookList(o delivery.WebhookOrder, descending bool) list[*gen.Webhook] {
	switch o {
	case delivery.ByCreated:
		return list[*gen.Webhook]{
			listing: listing{kind: 'c', column: webhook.FieldCreatedAt, descending: descending},
			at:      func(r *gen.Webhook) position { return position{number: r.CreatedAt, id: int64(r.ID)} },
		}
	case delivery.ByUpdated:
		return list[*gen.Webhook]{
			listing: listing{kind: 'u', column: webhook.FieldUpdatedAt, descending: descending},
			at:      func(r *gen.Webhook) position { return position{number: r.UpdatedAt, id: int64(r.ID)} },
		}
	}
	return list[*gen.Webhook]{
		listing: listing{kind: 'n', column: webhook.FieldNameKey, text: true, descending: descending},
		at:      func(r *gen.Webhook) position { return position{text: r.NameKey, id: int64(r.ID)} },
	}
}

// withoutTemplate are the columns of a version that Config reads.
var withoutTemplate = slices.DeleteFunc(slices.Clone(webhookversion.Columns), func(column string) bool {
	return column == webhookversion.FieldTemplate
})

// Config implements [delivery.WebhookStore].
func (s *Store) Config(
	ctx context.Context, org delivery.OrgID,
) (delivery.Organization, []delivery.Webhook, error) {
	var o delivery.Organization
	var webhooks []delivery.Webhook
	err := s.inSnapshot(ctx, func(tx *gen.Tx) error {
		row, err := tx.Organization.Get(ctx, org)
		if err != nil {
			return err
		}
		o = toOrganization(row)
		rows, err := tx.Webhook.Query().
			Where(webhook.OrganizationID(org), webhook.DeletedAt(0)).
			Order(gen.Asc(webhook.FieldID)).
			All(ctx)
		if err != nil {
			return err
		}
		webhooks, err = withVersions(ctx, func() *gen.WebhookVersionQuery {
			q := tx.WebhookVersion.Query()
			q.Select(withoutTemplate...)
			return q
		}, rows)
		return err
	})
	if notFound := new(gen.NotFoundError); errors.As(err, &notFound) {
		err = errNoOrganization
	}
	if err != nil {
		return delivery.Organization{}, nil, fmt.Errorf("read the configuration: %w", sqldb.Unavailable(err))
	}
	return o, webhooks, nil
}
