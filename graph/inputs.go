package graph

import (
	"cmp"
	"context"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/transport"
)

func syncInput(in *gen.SyncItemsInput) service.SyncItemsInput {
	out := service.SyncItemsInput{
		OrganizationID: in.OrganizationID, OrganizationName: value(in.OrganizationName), Kind: in.Kind,
		Complete: in.Complete, Items: make([]delivery.SyncedItem, len(in.Items)),
	}
	for i, item := range in.Items {
		out.Items[i] = delivery.SyncedItem{
			ID: item.ID, Name: item.Name, Enabled: item.Enabled, ViewURL: value(item.ViewURL),
			Attributes: item.Attributes,
		}
	}
	return out
}

func testInput(in *gen.TestWebhookInput) (out service.TestInput, err error) {
	if out.Webhook, err = parseID("webhookId", "a webhook", in.WebhookID, delivery.ParseWebhookID); err != nil {
		return out, err
	}
	if in.Draft != nil {
		draft := createInput(in.Draft)
		out.Draft = &draft
	}
	out.Event, err = parseID("eventId", "an event", in.EventID, delivery.ParseEventID)
	return out, err
}

func previewInput(in *gen.PreviewMessageInput) (out service.PreviewInput, err error) {
	out = service.PreviewInput{
		OrganizationID: value(in.OrganizationID), Type: in.EventType, TimeZone: value(in.TimeZone),
	}
	if in.Template != nil {
		out.Template = *in.Template
	} else if info, ok := delivery.TypeInfoOf(in.EventType); ok {
		out.Template = info.DefaultTemplate
	}
	out.Webhook, err = parseID("webhookId", "a webhook", in.WebhookID, delivery.ParseWebhookID)
	if err != nil {
		return out, err
	}
	out.Event, err = parseID("eventId", "an event", in.EventID, delivery.ParseEventID)
	return out, err
}

// watchInput returns the subscription to the delivery log. Without an organization,
// an operator subscribes to all organizations and others to their only one.
func (r *Resolver) watchInput(
	ctx context.Context, organization, after *string, filter *gen.DeliveryFilter,
) (delivery.WatchInput, error) {
	f, err := deliveryFilter(filter)
	if err != nil {
		return delivery.WatchInput{}, err
	}
	in := delivery.WatchInput{After: cmp.Or(transport.LastEventID(ctx), value(after)), Filter: f}
	caller := callerOf(ctx)
	if organization == nil && caller.Operator {
		return in, nil
	}
	org, err := r.Service.Organization(ctx, caller, value(organization))
	if err != nil {
		return in, err
	}
	in.Org = org.ID
	return in, nil
}

// hours returns n hours.
func hours(n int32) time.Duration { return time.Duration(n) * time.Hour }
