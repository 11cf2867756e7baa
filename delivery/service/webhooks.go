package service

import (
	"context"
	"fmt"
	"slices"

	"portalhooks/delivery"
)

// maxBacklog is how far a webhook's pending deliveries are counted.
const maxBacklog = 10_000

// Webhooks lists an organization's webhooks.
func (s *Service) Webhooks(
	ctx context.Context,
	c delivery.Caller,
	org delivery.OrgID,
	f delivery.WebhookFilter,
	o delivery.WebhookOrder,
	descending bool,
	p delivery.Page,
) (delivery.Slice[delivery.Webhook], error) {
	if err := c.CheckRead(org); err != nil {
		return delivery.Slice[delivery.Webhook]{}, err
	}
	p, err := p.Bounded()
	if err != nil {
		return delivery.Slice[delivery.Webhook]{}, err
	}
	if err := checkListed("filter.eventTypes", f.Types); err != nil {
		return delivery.Slice[delivery.Webhook]{}, err
	}
	if f.Search, err = searched("filter.search", f.Search); err != nil {
		return delivery.Slice[delivery.Webhook]{}, err
	}
	return s.store.Webhooks(ctx, org, f, o, descending, p)
}

// WebhooksByID returns the webhooks with the ids, deleted ones too, nil where
// there is none that the caller may see.
func (s *Service) WebhooksByID(
	ctx context.Context, c delivery.Caller, ids []delivery.WebhookID,
) ([]*delivery.Webhook, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	distinct := distinctOf(ids, func(id delivery.WebhookID) (delivery.WebhookID, bool) { return id, true })
	found, err := s.store.WebhooksByID(ctx, 0, distinct)
	if err != nil {
		return nil, err
	}
	return align(ids, found,
		func(w *delivery.Webhook) delivery.WebhookID { return w.ID },
		func(w *delivery.Webhook) bool { return c.CheckRead(w.Org) == nil }), nil
}

// webhook returns a webhook that the caller may see. It returns NotFound for
// others and for deleted ones.
func (s *Service) webhook(
	ctx context.Context, c delivery.Caller, id delivery.WebhookID,
) (*delivery.Webhook, error) {
	found, err := s.WebhooksByID(ctx, c, []delivery.WebhookID{id})
	if err != nil {
		return nil, err
	}
	if found[0] == nil || found[0].Version.Deleted {
		return nil, delivery.ErrNotFound
	}
	return found[0], nil
}

// configurable returns a webhook that the caller may change.
func (s *Service) configurable(
	ctx context.Context, c delivery.Caller, id delivery.WebhookID,
) (*delivery.Webhook, error) {
	w, err := s.webhook(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if err := c.CheckConfigure(w.Org); err != nil {
		return nil, err
	}
	return w, nil
}

// WebhookVersions lists a webhook's versions, the newest first.
func (s *Service) WebhookVersions(
	ctx context.Context, c delivery.Caller, id delivery.WebhookID, p delivery.Page,
) (delivery.Slice[delivery.WebhookVersion], error) {
	found, err := s.WebhooksByID(ctx, c, []delivery.WebhookID{id})
	if err != nil {
		return delivery.Slice[delivery.WebhookVersion]{}, err
	}
	if found[0] == nil {
		return delivery.Slice[delivery.WebhookVersion]{}, delivery.ErrNotFound
	}
	if p, err = p.Bounded(); err != nil {
		return delivery.Slice[delivery.WebhookVersion]{}, err
	}
	return s.store.Versions(ctx, found[0].Org, id, p)
}

// Overlaps returns for each webhook the others that would send some of the same
// events to the same target.
func (s *Service) Overlaps(
	ctx context.Context, c delivery.Caller, webhooks []*delivery.Webhook,
) ([][]*delivery.Webhook, error) {
	overlaps := make([][]*delivery.Webhook, len(webhooks))
	var ids []delivery.WebhookID
	for i, w := range webhooks {
		if w == nil || w.Version.Deleted || c.CheckRead(w.Org) != nil {
			continue
		}
		config, err := s.pipeline.Webhooks.Get(ctx, w.Org)
		if err != nil {
			return nil, err
		}
		overlaps[i] = config.Overlaps(w.ID, &w.Version)
		for _, other := range overlaps[i] {
			ids = append(ids, other.ID)
		}
	}
	if len(ids) == 0 {
		return overlaps, nil
	}
	whole, err := s.whole(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range overlaps {
		overlaps[i] = slices.DeleteFunc(overlaps[i], func(w *delivery.Webhook) bool { return whole[w.ID] == nil })
		for j, w := range overlaps[i] {
			overlaps[i][j] = whole[w.ID]
		}
	}
	return overlaps, nil
}

// whole returns the webhooks with their templates, which a configuration lacks.
func (s *Service) whole(
	ctx context.Context, ids []delivery.WebhookID,
) (map[delivery.WebhookID]*delivery.Webhook, error) {
	slices.Sort(ids)
	found, err := s.store.WebhooksByID(ctx, 0, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	whole := make(map[delivery.WebhookID]*delivery.Webhook, len(found))
	for i := range found {
		whole[found[i].ID] = &found[i]
	}
	return whole, nil
}

// WebhookHealth returns how each webhook's target has behaved, nil for those
// that the caller may not see.
func (s *Service) WebhookHealth(
	ctx context.Context, c delivery.Caller, webhooks []*delivery.Webhook,
) ([]*delivery.WebhookHealth, error) {
	ids := distinctOf(webhooks, func(w *delivery.Webhook) (delivery.WebhookID, bool) {
		if w == nil || c.CheckRead(w.Org) != nil {
			return 0, false
		}
		return w.ID, true
	})
	found, err := s.store.Health(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the health of webhooks: %w", err)
	}
	byID := make(map[delivery.WebhookID]delivery.WebhookHealth, len(ids))
	for _, id := range ids {
		byID[id] = delivery.WebhookHealth{Webhook: id} // nothing has been sent yet
	}
	for _, h := range found {
		byID[h.Webhook] = h
	}
	health := make([]*delivery.WebhookHealth, len(webhooks))
	for i, w := range webhooks {
		if w == nil {
			continue
		}
		if h, ok := byID[w.ID]; ok {
			h.Breaker, h.OpenUntil = s.pipeline.Dispatcher.Breaker(w.ID)
			h.DisablesAt = s.disablesAt(w, h, delivery.Now())
			health[i] = &h
		}
	}
	return health, nil
}

// Backlogs counts the pending deliveries of each webhook, up to 10,000.
func (s *Service) Backlogs(
	ctx context.Context, c delivery.Caller, webhooks []*delivery.Webhook,
) ([]delivery.Backlog, error) {
	ids := make([]delivery.WebhookID, len(webhooks))
	for i, w := range webhooks {
		if err := c.CheckRead(w.Org); err != nil {
			return nil, err
		}
		ids[i] = w.ID
	}
	found, err := s.store.Pending(ctx, ids, maxBacklog)
	if err != nil {
		return nil, err
	}
	backlogs := make([]delivery.Backlog, len(webhooks))
	for i, w := range webhooks {
		b := found[w.ID]
		b.Releasing = min(maxBacklog, w.Releasing(b))
		backlogs[i] = b
	}
	return backlogs, nil
}
