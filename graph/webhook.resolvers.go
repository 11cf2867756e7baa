package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// Items is the resolver for the items field.
func (r *selectionResolver) Items(ctx context.Context, obj *model.Selection) ([]*model.Item, error) {
	if obj.Webhook != nil {
		return obj.Webhook.With.Items.At(obj.Webhook.Index, func() ([][]*model.Item, error) {
			return r.selectedItems(ctx, obj.Webhook.With.All)
		})
	}
	items, err := r.itemsOf(ctx, obj.Version.Selection.Items)
	return withoutNil(items), err
}

// Organization is the resolver for the organization field.
func (r *webhookResolver) Organization(ctx context.Context, obj *model.Webhook) (*model.Organization, error) {
	return obj.With.Organization.At(obj.Index, func() ([]*model.Organization, error) {
		return r.organizationsOf(ctx, ids(obj.With.All, func(w *delivery.Webhook) delivery.OrgID { return w.Org }))
	})
}

// TargetURL is the resolver for the targetUrl field.
func (r *webhookResolver) TargetURL(ctx context.Context, obj *model.Webhook) (string, error) {
	return r.Service.TargetURL(callerOf(ctx), obj.Org, &obj.Webhook.Version), nil
}

// Versions is the resolver for the versions field.
func (r *webhookResolver) Versions(ctx context.Context, obj *model.Webhook, first *int32, after *string) (*gen.WebhookVersionConnection, error) {
	page, err := pageOf(first, after, nil, nil)
	if err != nil {
		return nil, err
	}
	s, err := r.Service.WebhookVersions(ctx, callerOf(ctx), obj.Webhook.ID, page)
	if err != nil {
		return nil, err
	}
	return versionConnection(obj.Org, s), nil
}

// Overlaps is the resolver for the overlaps field.
func (r *webhookResolver) Overlaps(ctx context.Context, obj *model.Webhook) ([]*model.Webhook, error) {
	return obj.With.Overlaps.At(obj.Index, func() ([][]*model.Webhook, error) {
		return r.overlapsOf(ctx, obj.With.All)
	})
}

// Health is the resolver for the health field.
func (r *webhookResolver) Health(ctx context.Context, obj *model.Webhook) (*gen.WebhookHealth, error) {
	health, err := obj.With.Health.At(obj.Index, func() ([]*delivery.WebhookHealth, error) {
		return r.Service.WebhookHealth(ctx, callerOf(ctx), obj.With.All)
	})
	if err != nil {
		return nil, err
	}
	backlog, err := obj.With.Backlog.At(obj.Index, func() ([]delivery.Backlog, error) {
		return r.Service.Backlogs(ctx, callerOf(ctx), obj.With.All)
	})
	if err != nil {
		return nil, err
	}
	counts, err := obj.With.Counts.At(obj.Index, func() ([]service.Counts, error) {
		return r.Service.WebhookCounts(ctx, callerOf(ctx), obj.With.All)
	})
	return webhookHealth(value(health), backlog, counts), err
}

// Deliveries is the resolver for the deliveries field.
func (r *webhookResolver) Deliveries(ctx context.Context, obj *model.Webhook, first *int32, after *string, filter *gen.DeliveryFilter) (*gen.DeliveryConnection, error) {
	f, err := deliveryFilter(filter)
	if err != nil {
		return nil, err
	}
	f.Webhooks = []delivery.WebhookID{obj.Webhook.ID}
	return r.deliveries(ctx, obj.Org, f, first, after, nil, nil)
}

// TargetURL is the resolver for the targetUrl field.
func (r *webhookVersionResolver) TargetURL(ctx context.Context, obj *model.WebhookVersion) (string, error) {
	return r.Service.TargetURL(callerOf(ctx), obj.Org, &obj.WebhookVersion), nil
}

// Selection returns gen.SelectionResolver implementation.
func (r *Resolver) Selection() gen.SelectionResolver { return &selectionResolver{r} }

// Webhook returns gen.WebhookResolver implementation.
func (r *Resolver) Webhook() gen.WebhookResolver { return &webhookResolver{r} }

// WebhookVersion returns gen.WebhookVersionResolver implementation.
func (r *Resolver) WebhookVersion() gen.WebhookVersionResolver { return &webhookVersionResolver{r} }

type (
	selectionResolver      struct{ *Resolver }
	webhookResolver        struct{ *Resolver }
	webhookVersionResolver struct{ *Resolver }
)
