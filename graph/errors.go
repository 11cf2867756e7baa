package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/model"
	"portalhooks/graph/transport"
)

// topLevel gives the codes that leave as errors of the whole operation; all
// other codes speak of the input and are BAD_USER_INPUT there.
var topLevel = map[delivery.Code]string{
	delivery.NotFound:        "NOT_FOUND",
	delivery.LimitExceeded:   transport.CodeLimit,
	delivery.Unauthenticated: transport.CodeUnauthenticated,
	delivery.Forbidden:       transport.CodeForbidden,
	delivery.Unavailable:     transport.CodeUnavailable,
}

// coded returns err as a GraphQL error when a person may see it; otherwise err
// itself, which the presenter hides.
func coded(err error) error {
	e, ok := errors.AsType[*delivery.Error](err)
	if !ok {
		return err
	}
	code, ok := topLevel[e.Code]
	if !ok {
		code = transport.CodeBadInput
	}
	shown := &gqlerror.Error{Message: e.Message, Extensions: map[string]any{"code": code}}
	if all, ok := errors.AsType[delivery.Errors](err); ok {
		shown.Message = all.Error()
	}
	if e.Field != "" {
		shown.Extensions["field"] = e.Field
	}
	return shown
}

// tooFast refuses a caller who has to wait, and says for how long.
func tooFast(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	seconds := int(math.Ceil(wait.Seconds()))
	return &gqlerror.Error{
		Message:    fmt.Sprintf("This is more than you may send. Nothing was stored: try again in %d s.", seconds),
		Extensions: map[string]any{"code": transport.CodeLimit, "retryAfter": seconds},
	}
}

// A presenter decides what a client sees of an error: what has a code, or is an
// error of the domain, as it is, and of anything else only where to find it in
// the log.
type presenter struct{ log *slog.Logger }

func (p *presenter) present(ctx context.Context, err error) *gqlerror.Error {
	path := graphql.GetPath(ctx)
	var places []gqlerror.Location
	if e, ok := errors.AsType[*gqlerror.Error](err); ok {
		places = e.Locations
		if e.Path != nil {
			path = e.Path
		}
	}
	shown, ok := errors.AsType[*gqlerror.Error](coded(err))
	if !ok || shown.Extensions["code"] == nil {
		shown = p.hide(ctx, err)
	}
	if shown.Path == nil {
		shown.Path = path
	}
	if shown.Locations == nil {
		shown.Locations = places
	}
	return shown
}

// hide logs what is private to the server and shows only where to find it.
func (p *presenter) hide(ctx context.Context, err error) *gqlerror.Error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &gqlerror.Error{
			Message:    "This took too long. Ask for less, or try again.",
			Extensions: map[string]any{"code": transport.CodeUnavailable},
		}
	}
	if !errors.Is(err, context.Canceled) {
		p.log.ErrorContext(ctx, "answer a GraphQL operation", "err", err, "request", transport.RequestID(ctx))
	}
	return transport.Internal(ctx)
}

// userErrors splits err into what the caller can put right in the input and
// everything else, of which there is nothing when the second result is nil.
func (r *Resolver) userErrors(ctx context.Context, err error) ([]*gen.UserError, error) {
	shown := []*gen.UserError{}
	if err == nil {
		return shown, nil
	}
	all, ok := errors.AsType[delivery.Errors](err)
	if !ok {
		one, ok := errors.AsType[*delivery.Error](err)
		if !ok {
			return shown, err
		}
		all = delivery.Errors{one}
	}
	for _, e := range all {
		switch e.Code {
		case delivery.Unauthenticated, delivery.Forbidden, delivery.Unavailable:
			return shown, err
		}
		one, err := r.userError(ctx, e)
		if err != nil {
			return shown, err
		}
		shown = append(shown, one)
	}
	return shown, nil
}

func (r *Resolver) userError(ctx context.Context, e *delivery.Error) (*gen.UserError, error) {
	shown := &gen.UserError{Code: e.Code, Message: e.Message, Field: optional(e.Field)}
	if e.Line > 0 {
		line, column := int32(e.Line), int32(e.Column)
		shown.Line, shown.Column = &line, &column
	}
	if e.Twin != 0 {
		twin, err := r.Service.WebhooksByID(ctx, callerOf(ctx), []delivery.WebhookID{e.Twin})
		if err != nil {
			return nil, err
		}
		shown.Webhook = model.NewWebhook(twin[0])
	}
	return shown, nil
}

// warnings shows what was accepted but deserves a look.
func (r *Resolver) warnings(ctx context.Context, all []service.Warning) ([]*gen.Warning, error) {
	shown := make([]*gen.Warning, len(all))
	for i, w := range all {
		shown[i] = &gen.Warning{Code: w.Code, Message: w.Message, Field: optional(w.Field)}
		if w.Line > 0 {
			line, column := int32(w.Line), int32(w.Column)
			shown[i].Line, shown[i].Column = &line, &column
		}
		if w.Webhook != 0 {
			other, err := r.Service.WebhooksByID(ctx, callerOf(ctx), []delivery.WebhookID{w.Webhook})
			if err != nil {
				return nil, err
			}
			shown[i].Webhook = model.NewWebhook(other[0])
		}
	}
	return shown, nil
}
