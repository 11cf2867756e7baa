package service

import (
	"context"

	"portalhooks/delivery"
)

// VersionsByID returns the versions, and the webhook that each belongs to, in
// the order of ids; nil where there is none that the caller may see.
func (s *Service) VersionsByID(
	ctx context.Context, c delivery.Caller, ids []delivery.VersionID,
) ([]*delivery.WebhookVersion, []*delivery.Webhook, error) {
	found, err := s.store.VersionsByID(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	wanted := distinctOf(
		found, func(v delivery.WebhookVersion) (delivery.WebhookID, bool) { return v.Webhook, true },
	)
	webhooks, err := s.WebhooksByID(ctx, c, wanted)
	if err != nil {
		return nil, nil, err
	}
	owner := make(map[delivery.WebhookID]*delivery.Webhook, len(wanted))
	for i, id := range wanted {
		owner[id] = webhooks[i]
	}
	versions := align(ids, found, func(v *delivery.WebhookVersion) delivery.VersionID { return v.ID },
		func(v *delivery.WebhookVersion) bool { return owner[v.Webhook] != nil })
	owners := make([]*delivery.Webhook, len(ids))
	for i, v := range versions {
		if v != nil {
			owners[i] = owner[v.Webhook]
		}
	}
	return versions, owners, nil
}
