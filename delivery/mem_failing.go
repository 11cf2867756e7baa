package delivery

import (
	"context"
	"time"
)

func (f *fakeStore) FailingWebhooks(ctx context.Context, t time.Time) ([]Webhook, error) {
	leave, err := f.enter(ctx, "FailingWebhooks")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []Webhook
	for id, h := range f.health {
		w := f.webhooks[id]
		if w == nil || w.Status != Enabled || w.Version.Deleted {
			continue
		}
		if !h.FailingSince.IsZero() && h.FailingSince.Before(t) {
			found = append(found, *w)
		}
	}
	return found, nil
}

func (f *fakeStore) NoticeFailing(
	ctx context.Context, org OrgID, id WebhookID, since, at time.Time, entry AuditEntry,
) (bool, error) {
	leave, err := f.enter(ctx, "NoticeFailing")
	if err != nil {
		return false, err
	}
	defer leave()
	h, w := f.health[id], f.webhooks[id]
	if w == nil || w.Org != org || w.Status != Enabled || w.Version.Deleted ||
		!h.NoticedAt.Before(since) || h.FailingSince.IsZero() || h.FailingSince.After(since) {
		return false, nil
	}
	h.NoticedAt = at
	f.health[id] = h
	f.audit = append(f.audit, entry)
	return true, nil
}
