package graph

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
)

// Caption is the resolver for the caption field.
func (r *eventTypeResolver) Caption(ctx context.Context, obj *model.EventType, locale *delivery.Locale) (string, error) {
	if locale == nil {
		english := delivery.English
		locale = &english
	}
	info := obj.TypeInfo
	return info.Caption(*locale), nil
}

// EventType returns gen.EventTypeResolver implementation.
func (r *Resolver) EventType() gen.EventTypeResolver { return &eventTypeResolver{r} }

type eventTypeResolver struct{ *Resolver }
