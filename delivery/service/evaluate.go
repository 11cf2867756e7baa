package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"portalhooks/delivery"
)

// An Evaluation says of one webhook whether it fired for an event, or why not.
type Evaluation struct {
	Webhook *delivery.Webhook
	Reason  delivery.MatchReason
}

// Evaluate explains an event: for each webhook that the organization has or
// had, whether it fired for the event, by what the webhook was at that time.
// Webhooks that fired come first, then by name.
func (s *Service) Evaluate(ctx context.Context, c delivery.Caller, e *delivery.Event) ([]Evaluation, error) {
	if err := c.CheckRead(e.Org); err != nil {
		return nil, err
	}
	versions, err := s.store.VersionsAt(ctx, e.Org, e.ReceivedAt)
	if err != nil {
		return nil, fmt.Errorf("find what the webhooks were: %w", err)
	}
	reasons := make(map[delivery.WebhookID]delivery.MatchReason, len(versions))
	ids := make([]delivery.WebhookID, len(versions))
	for i := range versions {
		ids[i] = versions[i].Webhook
		reasons[ids[i]] = delivery.Explain(&versions[i], e)
	}
	webhooks, err := s.store.WebhooksByID(ctx, e.Org, ids)
	if err != nil {
		return nil, fmt.Errorf("find webhooks: %w", err)
	}
	evaluations := make([]Evaluation, len(webhooks))
	for i := range webhooks {
		evaluations[i] = Evaluation{&webhooks[i], reasons[webhooks[i].ID]}
	}
	slices.SortFunc(evaluations, func(a, b Evaluation) int {
		fired := func(e Evaluation) int {
			if e.Reason == delivery.Matched {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(fired(a), fired(b)), cmp.Compare(a.Webhook.Name, b.Webhook.Name),
			cmp.Compare(a.Webhook.ID, b.Webhook.ID))
	})
	return evaluations, nil
}
