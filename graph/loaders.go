package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/graph/model"
)

// The loaders load objects for all siblings in one call; see package graph/model.
// The objects that a loader returns are siblings in turn.

func (r *Resolver) organizationsOf(ctx context.Context, ids []delivery.OrgID) ([]*model.Organization, error) {
	all, err := r.Service.OrganizationsByID(ctx, callerOf(ctx), ids)
	return model.NewOrganizations(all), err
}

func (r *Resolver) itemsOf(ctx context.Context, ids []delivery.ItemID) ([]*model.Item, error) {
	all, err := r.Service.ItemsByID(ctx, callerOf(ctx), ids)
	return model.NewItems(all), err
}

func (r *Resolver) webhooksOf(ctx context.Context, ids []delivery.WebhookID) ([]*model.Webhook, error) {
	all, err := r.Service.WebhooksByID(ctx, callerOf(ctx), ids)
	return model.NewWebhooks(all), err
}

func (r *Resolver) eventsOf(ctx context.Context, ids []delivery.EventID) ([]*model.Event, error) {
	all, err := r.Service.EventsByID(ctx, callerOf(ctx), ids)
	return model.NewEvents(all), err
}

// originals loads the original delivery of each redelivery; nil for others.
func (r *Resolver) originals(ctx context.Context, all []*delivery.Delivery) ([]*model.Delivery, error) {
	var ids []delivery.DeliveryID
	for _, d := range all {
		if d.RedeliveryOf != 0 {
			ids = append(ids, d.RedeliveryOf)
		}
	}
	found, err := r.Service.DeliveriesByID(ctx, callerOf(ctx), ids)
	if err != nil {
		return nil, err
	}
	aligned := make([]*delivery.Delivery, len(all))
	next := 0
	for i, d := range all {
		if d.RedeliveryOf != 0 {
			aligned[i], next = found[next], next+1
		}
	}
	return model.NewDeliveries(aligned), nil
}

// attemptsOf loads the attempts of all deliveries. All of them are siblings, so that
// their headers are loaded in one call.
func (r *Resolver) attemptsOf(ctx context.Context, all []*delivery.Delivery) ([][]*model.Attempt, error) {
	entries, err := r.Service.Attempts(ctx, callerOf(ctx), all)
	if err != nil {
		return nil, err
	}
	var flat []*delivery.LogEntry
	for i := range entries {
		flat = append(flat, addresses(entries[i])...)
	}
	attempts := model.NewAttempts(flat)
	split := make([][]*model.Attempt, len(entries))
	for i := range entries {
		split[i], attempts = attempts[:len(entries[i])], attempts[len(entries[i]):]
	}
	return split, nil
}

// waiting loads what a delivery and its siblings wait for.
func (r *Resolver) waiting(ctx context.Context, obj *model.Delivery) (delivery.Waiting, error) {
	return obj.With.Waiting.At(obj.Index, func() ([]delivery.Waiting, error) {
		return r.Service.Waiting(ctx, callerOf(ctx), obj.With.All)
	})
}

// selectedItems loads the selected items of all webhooks.
func (r *Resolver) selectedItems(ctx context.Context, all []*delivery.Webhook) ([][]*model.Item, error) {
	var ids []delivery.ItemID
	for _, w := range all {
		ids = append(ids, w.Version.Selection.Items...)
	}
	items, err := r.itemsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	split := make([][]*model.Item, len(all))
	for i, w := range all {
		n := len(w.Version.Selection.Items)
		split[i], items = withoutNil(items[:n]), items[n:]
	}
	return split, nil
}

func withoutNil[T any](all []*T) []*T {
	kept := make([]*T, 0, len(all))
	for _, one := range all {
		if one != nil {
			kept = append(kept, one)
		}
	}
	return kept
}

// ids returns an id of each element.
func ids[T, I any](all []*T, id func(*T) I) []I {
	out := make([]I, len(all))
	for i, one := range all {
		out[i] = id(one)
	}
	return out
}
