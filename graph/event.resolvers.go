package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// Organization is the resolver for the organization field.
func (r *eventResolver) Organization(ctx context.Context, obj *model.Event) (*model.Organization, error) {
	return obj.With.Organization.At(obj.Index, func() ([]*model.Organization, error) {
		return r.organizationsOf(ctx, ids(obj.With.All, func(e *delivery.Event) delivery.OrgID { return e.Org }))
	})
}

// Item is the resolver for the item field.
func (r *eventResolver) Item(ctx context.Context, obj *model.Event) (*model.Item, error) {
	return obj.With.Item.At(obj.Index, func() ([]*model.Item, error) {
		return r.itemsOf(ctx, ids(obj.With.All, func(e *delivery.Event) delivery.ItemID { return e.Item }))
	})
}

// Deliveries is the resolver for the deliveries field.
func (r *eventResolver) Deliveries(ctx context.Context, obj *model.Event, first *int32, after *string) (*gen.DeliveryConnection, error) {
	return r.deliveries(ctx, obj.Org, delivery.DeliveryFilter{Event: obj.Event.ID}, first, after, nil, nil)
}

// Evaluation is the resolver for the evaluation field.
func (r *eventResolver) Evaluation(ctx context.Context, obj *model.Event) ([]*model.WebhookEvaluation, error) {
	return obj.With.Evaluation.At(obj.Index, func() ([][]*model.WebhookEvaluation, error) {
		all, err := r.Service.Evaluate(ctx, callerOf(ctx), obj.With.All)
		return model.NewEvaluations(all), err
	})
}

// Webhook is the resolver for the webhook field.
func (r *webhookEvaluationResolver) Webhook(ctx context.Context, obj *model.WebhookEvaluation) (*model.Webhook, error) {
	return obj.With.Webhook.At(obj.Index, func() ([]*model.Webhook, error) {
		return r.webhooksOf(ctx, obj.With.All)
	})
}

// Event returns gen.EventResolver implementation.
func (r *Resolver) Event() gen.EventResolver { return &eventResolver{r} }

// WebhookEvaluation returns gen.WebhookEvaluationResolver implementation.
func (r *Resolver) WebhookEvaluation() gen.WebhookEvaluationResolver {
	return &webhookEvaluationResolver{r}
}

type (
	eventResolver             struct{ *Resolver }
	webhookEvaluationResolver struct{ *Resolver }
)
