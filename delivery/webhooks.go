package delivery

import (
	"context"
	"fmt"
)

// maxBacklog is how far a webhook's pending deliveries are counted.
const maxBacklog = 10_000

// Webhooks lists an organization's webhooks.
func (s *Service) Webhooks(
	ctx context.Context, c Caller, org OrgID, f WebhookFilter, o WebhookOrder, descending bool, p Page,
) (Slice[Webhook], error) {
	if err := c.checkRead(org); err != nil {
		return Slice[Webhook]{}, err
	}
	p, err := p.bounded()
	if err != nil {
		return Slice[Webhook]{}, err
	}
	if f.Search, err = searched(f.Search); err != nil {
		return Slice[Webhook]{}, err
	}
	return s.store.Webhooks(ctx, org, f, o, descending, p)
}

// WebhooksByID returns the webhooks with the ids, deleted ones too, nil where
// there is none that the caller may see.
func (s *Service) WebhooksByID(ctx context.Context, c Caller, ids []WebhookID) ([]*Webhook, error) {
	if !c.Known() {
		return nil, errUnauthenticated
	}
	found, err := s.store.WebhooksByID(ctx, 0, ids)
	if err != nil {
		return nil, err
	}
	return align(ids, found,
		func(w *Webhook) WebhookID { return w.ID },
		func(w *Webhook) bool { return c.checkRead(w.Org) == nil }), nil
}

// webhook returns a webhook that the caller may see. It returns NotFound for
// others and for deleted ones.
func (s *Service) webhook(ctx context.Context, c Caller, id WebhookID) (*Webhook, error) {
	found, err := s.WebhooksByID(ctx, c, []WebhookID{id})
	if err != nil {
		return nil, err
	}
	if found[0] == nil || found[0].Version.Deleted {
		return nil, errNotFound
	}
	return found[0], nil
}

// configurable returns a webhook that the caller may change.
func (s *Service) configurable(ctx context.Context, c Caller, id WebhookID) (*Webhook, error) {
	w, err := s.webhook(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if err := c.checkConfigure(w.Org); err != nil {
		return nil, err
	}
	return w, nil
}

// WebhookVersions lists a webhook's versions, the newest first.
func (s *Service) WebhookVersions(
	ctx context.Context, c Caller, id WebhookID, p Page,
) (Slice[WebhookVersion], error) {
	found, err := s.WebhooksByID(ctx, c, []WebhookID{id})
	if err != nil {
		return Slice[WebhookVersion]{}, err
	}
	if found[0] == nil {
		return Slice[WebhookVersion]{}, errNotFound
	}
	if p, err = p.bounded(); err != nil {
		return Slice[WebhookVersion]{}, err
	}
	return s.store.Versions(ctx, found[0].Org, id, p)
}

// Overlaps returns for each webhook the others that would send some of the same
// events to the same target.
func (s *Service) Overlaps(ctx context.Context, c Caller, webhooks []*Webhook) ([][]*Webhook, error) {
	overlaps := make([][]*Webhook, len(webhooks))
	for i, w := range webhooks {
		if w == nil || w.Version.Deleted || c.checkRead(w.Org) != nil {
			continue
		}
		config, err := s.pipeline.Webhooks.Get(ctx, w.Org)
		if err != nil {
			return nil, err
		}
		overlaps[i] = config.overlapsOf(w.ID, &w.Version)
	}
	return overlaps, nil
}

// WebhookHealth returns how each webhook's target has behaved, nil for those
// that the caller may not see.
func (s *Service) WebhookHealth(
	ctx context.Context, c Caller, webhooks []*Webhook,
) ([]*WebhookHealth, error) {
	ids := distinctOf(webhooks, func(w *Webhook) (WebhookID, bool) {
		if w == nil || c.checkRead(w.Org) != nil {
			return 0, false
		}
		return w.ID, true
	})
	found, err := s.store.Health(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the health of webhooks: %w", err)
	}
	byID := make(map[WebhookID]WebhookHealth, len(ids))
	for _, id := range ids {
		byID[id] = WebhookHealth{Webhook: id} // nothing has been sent yet
	}
	for _, h := range found {
		byID[h.Webhook] = h
	}
	health := make([]*WebhookHealth, len(webhooks))
	for i, w := range webhooks {
		if w == nil {
			continue
		}
		if h, ok := byID[w.ID]; ok {
			h.Breaker, h.OpenUntil = s.pipeline.Dispatcher.Breaker(w.ID)
			h.DisablesAt = s.disablesAt(w, h)
			health[i] = &h
		}
	}
	return health, nil
}

// Backlogs counts the pending deliveries of each webhook, up to 10,000.
func (s *Service) Backlogs(ctx context.Context, c Caller, webhooks []*Webhook) ([]Backlog, error) {
	ids := make([]WebhookID, len(webhooks))
	for i, w := range webhooks {
		if err := c.checkRead(w.Org); err != nil {
			return nil, err
		}
		ids[i] = w.ID
	}
	found, err := s.store.Pending(ctx, ids, maxBacklog)
	if err != nil {
		return nil, err
	}
	backlogs := make([]Backlog, len(webhooks))
	for i, id := range ids {
		backlogs[i] = found[id]
	}
	return backlogs, nil
}
