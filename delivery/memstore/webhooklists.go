package memstore

import (
	"context"

	"portalhooks/delivery"
)

// WebhooksByID implements [delivery.WebhookStore].
func (s *Store) WebhooksByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.WebhookID,
) ([]delivery.Webhook, error) {
	if err := s.lock(ctx, "WebhooksByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var all []delivery.Webhook
	ofOrg := func(w *delivery.Webhook) bool { return org == 0 || w.Org == org }
	for _, w := range byID(s.WebhookRows, ids, ofOrg) {
		all = append(all, *w)
	}
	return all, nil
}

// webhooks returns the webhooks that are not deleted and pass.
func (s *Store) webhooks(passes func(*delivery.Webhook) bool) []delivery.Webhook {
	var found []delivery.Webhook
	for _, w := range s.WebhookRows {
		if !w.Version.Deleted && passes(w) {
			found = append(found, *w)
		}
	}
	return found
}

// Webhooks implements [delivery.WebhookStore].
func (s *Store) Webhooks(
	ctx context.Context, org delivery.OrgID, f delivery.WebhookFilter, o delivery.WebhookOrder,
	descending bool, p delivery.Page,
) (delivery.Slice[delivery.Webhook], error) {
	if err := s.lock(ctx, "Webhooks"); err != nil {
		return delivery.Slice[delivery.Webhook]{}, err
	}
	defer s.mu.Unlock()
	found := s.webhooks(func(w *delivery.Webhook) bool {
		return w.Org == org && within(f.Search, w.Name, delivery.MaskURL(w.Version.Target)) &&
			delivery.Among(f.Types, w.Version.Type) && (f.Status == "" || w.Status == f.Status) &&
			(f.Item == 0 || w.Version.Selection.Has(f.Item))
	})
	slice, err := webhookListing(o, descending).page(found, p)
	slice.Total = len(found)
	return slice, err
}

func webhookListing(o delivery.WebhookOrder, descending bool) listing[delivery.Webhook] {
	l := listing[delivery.Webhook]{
		id: func(w *delivery.Webhook) int64 { return int64(w.ID) }, descending: descending,
	}
	switch o {
	case delivery.ByCreated:
		l.kind, l.key = 'c', func(w *delivery.Webhook) string { return timeKey(w.CreatedAt) }
	case delivery.ByUpdated:
		l.kind, l.key = 'u', func(w *delivery.Webhook) string { return timeKey(w.UpdatedAt) }
	default:
		l.kind, l.key = 'n', func(w *delivery.Webhook) string { return nameKey(w.Name) }
	}
	return l
}

// Config implements [delivery.WebhookStore].
func (s *Store) Config(
	ctx context.Context, org delivery.OrgID,
) (delivery.Organization, []delivery.Webhook, error) {
	if err := s.lock(ctx, "Config"); err != nil {
		return delivery.Organization{}, nil, err
	}
	defer s.mu.Unlock()
	o := s.Org(org)
	if o == nil {
		return delivery.Organization{}, nil, delivery.ErrNotFound
	}
	webhooks := s.webhooks(func(w *delivery.Webhook) bool { return w.Org == org })
	for i := range webhooks {
		webhooks[i].Version.Template = ""
	}
	return *o, webhooks, nil
}
