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
	Webhook delivery.WebhookID
	Reason  delivery.MatchReason
}

// Evaluate explains events: for each webhook that an event's organization has or
// had, whether it fired for the event, by what the webhook was at that time.
// Webhooks that fired come first, then by the name they had then. It returns
// NotFound for events that the caller may not see.
func (s *Service) Evaluate(
	ctx context.Context, c delivery.Caller, events []*delivery.Event,
) ([][]Evaluation, error) {
	byOrg := make(map[delivery.OrgID][]int)
	for i, e := range events {
		if err := c.CheckRead(e.Org); err != nil {
			return nil, err
		}
		byOrg[e.Org] = append(byOrg[e.Org], i)
	}
	explained := make([][]Evaluation, len(events))
	for org, indices := range byOrg {
		from, to := events[indices[0]].ReceivedAt, events[indices[0]].ReceivedAt
		for _, i := range indices {
			if at := events[i].ReceivedAt; at.Before(from) {
				from = at
			} else if at.After(to) {
				to = at
			}
		}
		versions, err := s.store.VersionsBetween(ctx, org, from, to)
		if err != nil {
			return nil, fmt.Errorf("find what the webhooks were: %w", err)
		}
		slices.SortFunc(versions, func(a, b delivery.WebhookVersion) int {
			return cmp.Or(cmp.Compare(a.Webhook, b.Webhook), cmp.Compare(a.Number, b.Number))
		})
		for _, i := range indices {
			explained[i] = explain(versions, events[i])
		}
	}
	return explained, nil
}

// explain says why the webhooks fired for an event or did not. Versions are sorted
// by webhook and number.
func explain(versions []delivery.WebhookVersion, e *delivery.Event) []Evaluation {
	var nearest []*delivery.WebhookVersion // of each webhook, when the event came
	for i := range versions {
		v := &versions[i]
		switch last := len(nearest) - 1; {
		case last < 0 || nearest[last].Webhook != v.Webhook:
			nearest = append(nearest, v)
		case !v.CreatedAt.After(e.ReceivedAt):
			nearest[last] = v
		}
	}
	reasons := make(map[delivery.WebhookID]delivery.MatchReason, len(nearest))
	for _, v := range nearest {
		reasons[v.Webhook] = delivery.Explain(v, e)
	}
	slices.SortFunc(nearest, func(a, b *delivery.WebhookVersion) int {
		if fired := reasons[a.Webhook] == delivery.Matched; fired != (reasons[b.Webhook] == delivery.Matched) {
			if fired {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Webhook, b.Webhook))
	})
	explained := make([]Evaluation, len(nearest))
	for i, v := range nearest {
		explained[i] = Evaluation{v.Webhook, reasons[v.Webhook]}
	}
	return explained
}
