package graph

import (
	"context"
	"fmt"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
)

// parseIDs parses the ids of one type in a filter or an input. An invalid id is
// INVALID.
func parseIDs[T any](field, noun string, texts []string, parse func(string) (T, bool)) ([]T, error) {
	ids := make([]T, len(texts))
	for i, text := range texts {
		id, ok := parse(text)
		if !ok {
			return nil, delivery.Errorf(delivery.Invalid, fmt.Sprintf("%s.%d", field, i),
				"%q is not the id of %s.", text, noun)
		}
		ids[i] = id
	}
	return ids, nil
}

// parseID parses an id; it returns the zero id for nil.
func parseID[T any](field, noun string, text *string, parse func(string) (T, bool)) (T, error) {
	var none T
	if text == nil {
		return none, nil
	}
	ids, err := parseIDs(field, noun, []string{*text}, parse)
	if err != nil {
		return none, delivery.Errorf(delivery.Invalid, field, "%q is not the id of %s.", *text, noun)
	}
	return ids[0], nil
}

func deliveryFilter(f *gen.DeliveryFilter) (out delivery.DeliveryFilter, err error) {
	if f == nil {
		return out, nil
	}
	out = delivery.DeliveryFilter{
		Types: f.EventTypes, States: f.States, Outcomes: f.Outcomes, Triggers: f.Triggers,
		Group: delivery.GroupID(value(f.GroupID)), WorkspaceID: value(f.WorkspaceID),
		After: value(f.CreatedAfter), Before: value(f.CreatedBefore), Text: value(f.Text),
	}
	if r := f.HTTPStatus; r != nil {
		out.StatusFrom, out.StatusTo = 1, 999
		if r.From != nil {
			out.StatusFrom = int(*r.From)
		}
		if r.To != nil {
			out.StatusTo = int(*r.To)
		}
	}
	out.Webhooks, err = parseIDs("filter.webhookIds", "a webhook", f.WebhookIds, delivery.ParseWebhookID)
	if err != nil {
		return out, err
	}
	if out.Event, err = parseID("filter.eventId", "an event", f.EventID, delivery.ParseEventID); err != nil {
		return out, err
	}
	out.Item, err = parseID("filter.itemId", "an item", f.ItemID, delivery.ParseItemID)
	return out, err
}

func eventFilter(f *gen.EventFilter) (out delivery.EventFilter, err error) {
	if f == nil {
		return out, nil
	}
	out = delivery.EventFilter{
		Types: f.Types, Group: delivery.GroupID(value(f.GroupID)), WorkspaceID: value(f.WorkspaceID),
		SourceEventID: value(f.SourceEventID), After: value(f.ReceivedAfter), Before: value(f.ReceivedBefore),
	}
	out.Item, err = parseID("filter.itemId", "an item", f.ItemID, delivery.ParseItemID)
	return out, err
}

func webhookFilter(f *gen.WebhookFilter) (out delivery.WebhookFilter, err error) {
	if f == nil {
		return out, nil
	}
	out = delivery.WebhookFilter{Search: value(f.Search), Types: f.EventTypes, Status: value(f.Status)}
	out.Item, err = parseID("filter.itemId", "an item", f.ItemID, delivery.ParseItemID)
	return out, err
}

// deliveries returns a page of the deliveries of org, or of all organizations for 0.
func (r *Resolver) deliveries(
	ctx context.Context, org delivery.OrgID, f delivery.DeliveryFilter,
	first *int32, after *string, last *int32, before *string,
) (*gen.DeliveryConnection, error) {
	page, err := pageOf(first, after, last, before)
	if err != nil {
		return nil, err
	}
	s, err := r.Service.Deliveries(ctx, callerOf(ctx), org, f, page)
	if err != nil {
		return nil, err
	}
	return deliveryConnection(s), nil
}
