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
	"portalhooks/graph/limits"
	"portalhooks/graph/model"
	"portalhooks/graph/transport"
)

// topLevel maps the domain's codes to extensions.code of top-level errors. All
// other codes are errors in the input and map to BAD_USER_INPUT.
var topLevel = map[delivery.Code]string{
	delivery.NotFound:        "NOT_FOUND",
	delivery.LimitExceeded:   transport.CodeLimit,
	delivery.Unauthenticated: transport.CodeUnauthenticated,
	delivery.Forbidden:       transport.CodeForbidden,
	delivery.Unavailable:     transport.CodeUnavailable,
}

// coded returns err as a GraphQL error if it is an error of the domain; otherwise
// it returns err, which the presenter hides.
func coded(err error) error {
	e, ok := errors.AsType[*delivery.Error](err)
	if !ok {
		return err
	}
	code, ok := topLevel[e.Code]
	if !ok {
		code = transport.CodeBadInput
	}
	out := &gqlerror.Error{Message: e.Message, Extensions: map[string]any{"code": code}}
	if all, ok := errors.AsType[delivery.Errors](err); ok {
		out.Message = all.Error()
	}
	if e.Field != "" {
		out.Extensions[limits.InputPath] = stepsOf(e.Field)
	}
	return out
}

// rateLimited returns LIMIT_EXCEEDED with extensions.retryAfter if wait is positive.
func rateLimited(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	seconds := int(math.Ceil(wait.Seconds()))
	return &gqlerror.Error{
		Message:    fmt.Sprintf("The rate limit is exceeded. Nothing was stored. Try again in %d s.", seconds),
		Extensions: map[string]any{"code": transport.CodeLimit, "retryAfter": seconds},
	}
}

// A presenter converts errors for clients: errors with a code and errors of the
// domain keep their message; all others are hidden and logged.
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
	out, ok := errors.AsType[*gqlerror.Error](coded(err))
	if !ok || out.Extensions["code"] == nil {
		out = p.hide(ctx, err)
	}
	out = inField(graphql.GetFieldContext(ctx), out, path)
	if out.Locations == nil {
		out.Locations = places
	}
	return out
}

// hide logs an internal error and returns an error with only the request id.
func (p *presenter) hide(ctx context.Context, err error) *gqlerror.Error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &gqlerror.Error{
			Message:    "The operation timed out. Request less data, or try again.",
			Extensions: map[string]any{"code": transport.CodeUnavailable},
		}
	}
	if !errors.Is(err, context.Canceled) {
		p.log.ErrorContext(ctx, "answer a GraphQL operation", "err", err, "request", transport.RequestID(ctx))
	}
	return transport.Internal(ctx)
}

// userErrors converts errors in the input of a mutation to UserErrors. It returns
// all other errors as its second result.
func (r *Resolver) userErrors(ctx context.Context, err error) ([]*gen.UserError, error) {
	out := []*gen.UserError{}
	if err == nil {
		return out, nil
	}
	all, ok := errors.AsType[delivery.Errors](err)
	if !ok {
		one, ok := errors.AsType[*delivery.Error](err)
		if !ok {
			return out, err
		}
		all = delivery.Errors{one}
	}
	for _, e := range all {
		switch e.Code {
		case delivery.Unauthenticated, delivery.Forbidden, delivery.Unavailable:
			return out, err
		}
		one, err := r.userError(ctx, e)
		if err != nil {
			return out, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (r *Resolver) userError(ctx context.Context, e *delivery.Error) (*gen.UserError, error) {
	out := &gen.UserError{Code: e.Code, Message: e.Message, Field: optional(e.Field)}
	if e.Line > 0 {
		line, column := int32(e.Line), int32(e.Column)
		out.Line, out.Column = &line, &column
	}
	if e.Twin != 0 {
		twin, err := r.Service.WebhooksByID(ctx, callerOf(ctx), []delivery.WebhookID{e.Twin})
		if err != nil {
			return nil, err
		}
		out.Webhook = model.NewWebhook(twin[0])
	}
	return out, nil
}

// warnings converts the warnings about an accepted input.
func (r *Resolver) warnings(ctx context.Context, all []service.Warning) ([]*gen.Warning, error) {
	out := make([]*gen.Warning, len(all))
	for i, w := range all {
		out[i] = &gen.Warning{Code: w.Code, Message: w.Message, Field: optional(w.Field)}
		if w.Line > 0 {
			line, column := int32(w.Line), int32(w.Column)
			out[i].Line, out[i].Column = &line, &column
		}
		if w.Webhook != 0 {
			other, err := r.Service.WebhooksByID(ctx, callerOf(ctx), []delivery.WebhookID{w.Webhook})
			if err != nil {
				return nil, err
			}
			out[i].Webhook = model.NewWebhook(other[0])
		}
	}
	return out, nil
}
