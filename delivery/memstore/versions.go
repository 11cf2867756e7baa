package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

// VersionsByID implements [delivery.WebhookStore].
func (s *Store) VersionsByID(
	ctx context.Context, ids []delivery.VersionID,
) ([]delivery.WebhookVersion, error) {
	if err := s.lock(ctx, "VersionsByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return selected(s.VersionRows, func(v *delivery.WebhookVersion) bool {
		return slices.Contains(ids, v.ID)
	}), nil
}

// Versions implements [delivery.WebhookStore].
func (s *Store) Versions(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, p delivery.Page,
) (delivery.Slice[delivery.WebhookVersion], error) {
	if err := s.lock(ctx, "Versions"); err != nil {
		return delivery.Slice[delivery.WebhookVersion]{}, err
	}
	defer s.mu.Unlock()
	l := listing[delivery.WebhookVersion]{
		kind:       'v',
		key:        func(v *delivery.WebhookVersion) string { return numberKey(int64(v.Number)) },
		id:         func(v *delivery.WebhookVersion) int64 { return int64(v.ID) },
		descending: true,
	}
	return l.page(selected(s.VersionRows, func(v *delivery.WebhookVersion) bool {
		return v.Webhook == id && v.Org == org
	}), p)
}

// VersionsBetween implements [delivery.WebhookStore].
func (s *Store) VersionsBetween(
	ctx context.Context, org delivery.OrgID, from, to time.Time,
) ([]delivery.WebhookVersion, error) {
	if err := s.lock(ctx, "VersionsBetween"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	current := make(map[delivery.WebhookID][]delivery.WebhookVersion)
	for _, v := range s.VersionRows {
		all := current[v.Webhook]
		switch {
		case v.Org != org || len(all) > 0 && v.CreatedAt.After(to):
			continue
		case !v.CreatedAt.After(from):
			all = nil
		}
		v.Target, v.Sealed, v.Template, v.Headers = "", nil, "", nil
		current[v.Webhook] = append(all, v)
	}
	return slices.Concat(slices.Collect(maps.Values(current))...), nil
}
