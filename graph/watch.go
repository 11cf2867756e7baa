package graph

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"portalhooks/delivery"
	"portalhooks/graph/model"
)

// show passes on what a watcher gets, in the shape of the API, until items or
// ctx ends.
func show(ctx context.Context, items <-chan delivery.LogItem) <-chan model.DeliveryLogItem {
	shown := make(chan model.DeliveryLogItem)
	go func() {
		defer close(shown)
		for item := range items {
			select {
			case shown <- logItem(item):
			case <-ctx.Done():
				return
			}
		}
	}()
	return shown
}

// logItem shows one item of the live log.
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

// cursorOf returns the cursor that a response of the subscription carries: the
// id of its server-sent event. It is there when the client asked for the field
// under its own name.
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
