package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// Webhooks is the resolver for the webhooks field.
func (r *organizationResolver) Webhooks(ctx context.Context, obj *model.Organization, first *int32, after *string, last *int32, before *string, filter *gen.WebhookFilter, orderBy *gen.WebhookOrder) (*gen.WebhookConnection, error) {
	page, err := pageOf(first, after, last, before)
	if err != nil {
		return nil, err
	}
	f, err := webhookFilter(filter)
	if err != nil {
		return nil, err
	}
	order := value(orderBy)
	s, err := r.Service.Webhooks(ctx, callerOf(ctx), obj.Organization.ID, f, order.Field,
		order.Direction == gen.OrderDirectionDesc, page)
	if err != nil {
		return nil, err
	}
	return webhookConnection(s), nil
}

// Items is the resolver for the items field.
func (r *organizationResolver) Items(ctx context.Context, obj *model.Organization, kind delivery.ItemKind, search *string, enabledOnly *bool, first *int32, after *string) (*gen.ItemConnection, error) {
	page, err := pageOf(first, after, nil, nil)
	if err != nil {
		return nil, err
	}
	q := service.ItemQuery{Kind: kind, Search: value(search), EnabledOnly: value(enabledOnly)}
	s, err := r.Service.Items(ctx, callerOf(ctx), obj.Organization.ID, q, page)
	if err != nil {
		return nil, err
	}
	return itemConnection(s), nil
}

// Events is the resolver for the events field.
func (r *organizationResolver) Events(ctx context.Context, obj *model.Organization, first *int32, after *string, filter *gen.EventFilter) (*gen.EventConnection, error) {
	page, err := pageOf(first, after, nil, nil)
	if err != nil {
		return nil, err
	}
	f, err := eventFilter(filter)
	if err != nil {
		return nil, err
	}
	s, err := r.Service.Events(ctx, callerOf(ctx), obj.Organization.ID, f, page)
	if err != nil {
		return nil, err
	}
	return eventConnection(s), nil
}

// Deliveries is the resolver for the deliveries field.
func (r *organizationResolver) Deliveries(ctx context.Context, obj *model.Organization, first *int32, after *string, last *int32, before *string, filter *gen.DeliveryFilter) (*gen.DeliveryConnection, error) {
	f, err := deliveryFilter(filter)
	if err != nil {
		return nil, err
	}
	return r.deliveries(ctx, obj.Organization.ID, f, first, after, last, before)
}

// DeliveryStats is the resolver for the deliveryStats field.
func (r *organizationResolver) DeliveryStats(ctx context.Context, obj *model.Organization, window service.StatsWindow, filter *gen.DeliveryFilter) (*gen.DeliveryStats, error) {
	f, err := deliveryFilter(filter)
	if err != nil {
		return nil, err
	}
	s, err := r.Service.DeliveryStats(ctx, callerOf(ctx), obj.Organization.ID, window, f)
	if err != nil {
		return nil, err
	}
	return deliveryStats(s), nil
}

// Organization returns gen.OrganizationResolver implementation.
func (r *Resolver) Organization() gen.OrganizationResolver { return &organizationResolver{r} }

type organizationResolver struct{ *Resolver }
