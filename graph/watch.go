package graph

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"portalhooks/delivery"
	"portalhooks/graph/model"
)

// logItems converts the items of a subscription to the delivery log, until items
// or ctx ends.
func logItems(ctx context.Context, items <-chan delivery.LogItem) <-chan model.DeliveryLogItem {
	out := make(chan model.DeliveryLogItem)
	go func() {
		defer close(out)
		for item := range items {
			select {
			case out <- logItem(item):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// logItem converts an item of the delivery log.
func logItem(i delivery.LogItem) model.DeliveryLogItem {
	switch {
	case i.Gap:
		return &model.DeliveryLogGap{Cursor: i.Cursor, MissedSince: i.MissedSince}
	case i.Entry == nil:
		return &model.DeliveryLogHeartbeat{Cursor: i.Cursor, At: i.At}
	}
	d := i.Entry.Delivery
	return &model.DeliveryLogEntry{
		Cursor: i.Cursor, At: i.At, Delivery: model.NewDelivery(&d),
		Attempt: model.NewAttempts([]*delivery.LogEntry{i.Entry})[0], State: d.State, Replayed: i.Replayed,
	}
}

// cursorOf returns the cursor in a response of the subscription, which becomes the
// id of its server-sent event; "" if the client did not select the field cursor
// without an alias.
func cursorOf(r *graphql.Response) string {
	var data map[string]struct {
		Cursor string `json:"cursor"`
	}
	if r == nil || json.Unmarshal(r.Data, &data) != nil {
		return ""
	}
	for _, item := range data {
		return item.Cursor
	}
	return ""
}
