package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// Health implements [delivery.WebhookStore].
func (s *Store) Health(ctx context.Context, ids []delivery.WebhookID) ([]delivery.WebhookHealth, error) {
	if err := s.lock(ctx, "Health"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return byID(s.HealthRows, ids, func(delivery.WebhookHealth) bool { return true }), nil
}

// RecordHealth implements [delivery.WebhookStore].
func (s *Store) RecordHealth(ctx context.Context, list []delivery.WebhookHealth) error {
	if err := s.lock(ctx, "RecordHealth"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, h := range list {
		s.HealthRows[h.Webhook] = merge(s.HealthRows[h.Webhook], h)
	}
	return nil
}

// merge adds what attempts have shown to the stored health.
func merge(stored, shown delivery.WebhookHealth) delivery.WebhookHealth {
	m := delivery.WebhookHealth{
		Webhook:       shown.Webhook,
		LastSuccessAt: delivery.Later(stored.LastSuccessAt, shown.LastSuccessAt),
		LastFailureAt: delivery.Later(stored.LastFailureAt, shown.LastFailureAt),
		NoticedAt:     stored.NoticedAt,
	}
	for _, failed := range []time.Time{stored.FailingSince, stored.LastFailureAt, shown.LastFailureAt} {
		if failed.After(m.LastSuccessAt) && (m.FailingSince.IsZero() || failed.Before(m.FailingSince)) {
			m.FailingSince = failed
		}
	}
	return m
}

// FailingWebhooks implements [delivery.WebhookStore].
func (s *Store) FailingWebhooks(ctx context.Context, t time.Time) ([]delivery.Webhook, error) {
	if err := s.lock(ctx, "FailingWebhooks"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := s.webhooks(func(w *delivery.Webhook) bool {
		since := s.HealthRows[w.ID].FailingSince
		return w.Status == delivery.Enabled && !since.IsZero() && since.Before(t)
	})
	slices.SortFunc(found, func(a, b delivery.Webhook) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

// NoticeFailing implements [delivery.WebhookStore].
func (s *Store) NoticeFailing(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, since, at time.Time,
	entry delivery.AuditEntry,
) (noticed bool, err error) {
	if err := s.lock(ctx, "NoticeFailing"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	w, h := s.webhook(org, id), s.HealthRows[id]
	if w == nil || w.Status != delivery.Enabled || !h.NoticedAt.Before(since) ||
		h.FailingSince.IsZero() || h.FailingSince.After(since) {
		return false, nil
	}
	h.NoticedAt = at
	s.HealthRows[id] = h
	s.record(entry)
	return true, nil
}
