package graph

import (
	"context"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// RequestHeaders is the resolver for the requestHeaders field.
func (r *attemptResolver) RequestHeaders(ctx context.Context, obj *model.Attempt) ([]*delivery.Header, error) {
	return obj.With.Headers.At(obj.Index, func() ([][]*delivery.Header, error) {
		all, err := r.Service.AttemptHeaders(ctx, callerOf(ctx), obj.With.All)
		return pointersTo(all), err
	})
}

// Webhook is the resolver for the webhook field.
func (r *deliveryResolver) Webhook(ctx context.Context, obj *model.Delivery) (*model.Webhook, error) {
	return obj.With.Webhook.At(obj.Index, func() ([]*model.Webhook, error) {
		all := ids(obj.With.All, func(d *delivery.Delivery) delivery.WebhookID { return d.Webhook })
		return r.webhooksOf(ctx, all)
	})
}

// Event is the resolver for the event field.
func (r *deliveryResolver) Event(ctx context.Context, obj *model.Delivery) (*model.Event, error) {
	return obj.With.Event.At(obj.Index, func() ([]*model.Event, error) {
		return r.eventsOf(ctx, ids(obj.With.All, func(d *delivery.Delivery) delivery.EventID { return d.Event }))
	})
}

// RedeliveryOf is the resolver for the redeliveryOf field.
func (r *deliveryResolver) RedeliveryOf(ctx context.Context, obj *model.Delivery) (*model.Delivery, error) {
	return obj.With.Original.At(obj.Index, func() ([]*model.Delivery, error) {
		return r.originals(ctx, obj.With.All)
	})
}

// NextAttemptAt is the resolver for the nextAttemptAt field.
func (r *deliveryResolver) NextAttemptAt(ctx context.Context, obj *model.Delivery) (*time.Time, error) {
	w, err := r.waiting(ctx, obj)
	return &w.Next, err
}

// WaitingFor is the resolver for the waitingFor field.
func (r *deliveryResolver) WaitingFor(ctx context.Context, obj *model.Delivery) (*delivery.WaitReason, error) {
	w, err := r.waiting(ctx, obj)
	return optional(w.For), err
}

// CanceledBecause is the resolver for the canceledBecause field.
func (r *deliveryResolver) CanceledBecause(ctx context.Context, obj *model.Delivery) (*delivery.CancelReason, error) {
	reason, err := obj.With.Canceled.At(obj.Index, func() ([]delivery.CancelReason, error) {
		return r.Service.CanceledBecause(ctx, callerOf(ctx), obj.With.All)
	})
	return optional(reason), err
}

// Message is the resolver for the message field.
func (r *deliveryResolver) Message(ctx context.Context, obj *model.Delivery) (string, error) {
	return obj.With.Message.At(obj.Index, func() ([]string, error) {
		return r.Service.Messages(ctx, callerOf(ctx), obj.With.All)
	})
}

// Request is the resolver for the request field.
func (r *deliveryResolver) Request(ctx context.Context, obj *model.Delivery) (*service.RequestPreview, error) {
	return obj.With.Request.At(obj.Index, func() ([]*service.RequestPreview, error) {
		return r.Service.Requests(ctx, callerOf(ctx), obj.With.All)
	})
}

// Attempts is the resolver for the attempts field.
func (r *deliveryResolver) Attempts(ctx context.Context, obj *model.Delivery) ([]*model.Attempt, error) {
	return obj.With.Attempts.At(obj.Index, func() ([][]*model.Attempt, error) {
		return r.attemptsOf(ctx, obj.With.All)
	})
}

// Attempt returns gen.AttemptResolver implementation.
func (r *Resolver) Attempt() gen.AttemptResolver { return &attemptResolver{r} }

// Delivery returns gen.DeliveryResolver implementation.
func (r *Resolver) Delivery() gen.DeliveryResolver { return &deliveryResolver{r} }

type (
	attemptResolver  struct{ *Resolver }
	deliveryResolver struct{ *Resolver }
)
