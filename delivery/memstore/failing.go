package memstore

import (
	"context"
	"time"

	"portalhooks/delivery"
)

func (f *Store) FailingWebhooks(ctx context.Context, t time.Time) ([]delivery.Webhook, error) {
	leave, err := f.enter(ctx, "FailingWebhooks")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []delivery.Webhook
	for id, h := range f.HealthRows {
		w := f.WebhookRows[id]
		if w == nil || w.Status != delivery.Enabled || w.Version.Deleted {
			continue
		}
		if !h.FailingSince.IsZero() && h.FailingSince.Before(t) {
			found = append(found, *w)
		}
	}
	return found, nil
}

func (f *Store) NoticeFailing(
	ctx context.Context,
	org delivery.OrgID,
	id delivery.WebhookID,
	since, at time.Time,
	entry delivery.AuditEntry,
) (bool, error) {
	leave, err := f.enter(ctx, "NoticeFailing")
	if err != nil {
		return false, err
	}
	defer leave()
	h, w := f.HealthRows[id], f.WebhookRows[id]
	if w == nil || w.Org != org || w.Status != delivery.Enabled || w.Version.Deleted ||
		!h.NoticedAt.Before(since) || h.FailingSince.IsZero() || h.FailingSince.After(since) {
		return false, nil
	}
	h.NoticedAt = at
	f.HealthRows[id] = h
	f.AuditRows = append(f.AuditRows, entry)
	return true, nil
}
