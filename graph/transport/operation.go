package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// prepare parses, validates and measures a request. When it must not be
// executed, there is a response without data instead of an operation.
func (h *Handler) prepare(
	ctx context.Context, params *graphql.RawParams,
) (op *graphql.OperationContext, refused *graphql.Response) {
	defer func() {
		if v := recover(); v != nil {
			refused = h.panicked(ctx, v)
		}
	}()
	op, errs := h.exec.CreateOperationContext(ctx, params)
	if len(errs) == 0 {
		describe(ctx, op)
		return op, nil
	}
	list := make(gqlerror.List, 0, maxErrors)
	for _, e := range errs[:min(len(errs), maxErrors)] {
		list = append(list, withOurCode(e))
	}
	resp := h.exec.DispatchError(graphql.WithOperationContext(ctx, op), list)
	if resp == nil {
		resp = &graphql.Response{Errors: list}
	}
	resp.Data = nil
	return nil, h.fitted(ctx, resp)
}

// single executes a query or a mutation, which has one response.
func (h *Handler) single(ctx context.Context, op *graphql.OperationContext) (resp *graphql.Response) {
	ctx, cancel := context.WithTimeout(ctx, h.opts.OperationTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			resp = h.panicked(ctx, v)
		}
	}()
	next, opCtx := h.exec.DispatchOperation(ctx, op)
	resp = next(opCtx)
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	switch {
	case late && (resp == nil || len(resp.Errors) > 0 && codeOf(resp.Errors[0]) != CodeUnavailable):
		// What the resolvers made of their cancelled context says nothing more.
		return &graphql.Response{Errors: gqlerror.List{coded(CodeLimit,
			fmt.Sprintf("The operation took longer than %s.", h.opts.OperationTimeout))}}
	case resp == nil:
		return &graphql.Response{Errors: gqlerror.List{coded(CodeInternal, "The operation was interrupted.")}}
	}
	return h.fitted(ctx, resp)
}

// stream executes a subscription and calls yield with every response until
// one of them has had enough, ctx ends, or a response without data says why
// there will be no more. It returns that one, or nil.
func (h *Handler) stream(
	ctx context.Context, op *graphql.OperationContext, yield func(*graphql.Response) bool,
) (last *graphql.Response) {
	failure := &failure{}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, failureKey{}, failure))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			last = h.panicked(ctx, v)
		}
	}()
	next, opCtx := h.exec.DispatchOperation(ctx, op)
	for {
		resp := next(opCtx)
		switch {
		case resp == nil:
			return failure.response(ctx, h)
		case len(resp.Data) == 0 && len(resp.Errors) > 0:
			return h.fitted(ctx, resp)
		case !yield(h.fitted(ctx, resp)):
			return nil
		}
	}
}

// failureKey finds the failure of the subscription that a context belongs to.
type failureKey struct{}

// failure is why a subscription's source ended, if not by reaching its end.
type failure struct {
	mu  sync.Mutex
	err error
}

// EndWithError makes the subscription that ctx belongs to end with err when
// its channel is closed. A resolver calls it before it closes the channel:
// without it, the client would take the end for completion. Outside of a
// subscription it does nothing.
func EndWithError(ctx context.Context, err error) {
	if f, ok := ctx.Value(failureKey{}).(*failure); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.err = err
	}
}

func (f *failure) response(ctx context.Context, h *Handler) *graphql.Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		return nil
	}
	return &graphql.Response{Errors: gqlerror.List{h.present(ctx, f.err)}}
}

// panicked answers for an operation that panicked outside of the resolvers,
// where the executor would have caught it.
func (h *Handler) panicked(ctx context.Context, v any) *graphql.Response {
	return &graphql.Response{Errors: gqlerror.List{h.present(ctx, h.opts.Recover(ctx, v))}}
}

func (h *Handler) fitted(ctx context.Context, resp *graphql.Response) *graphql.Response {
	if len(resp.Errors) > 0 {
		noteErrors(ctx, resp.Errors)
		resp.Errors = fit(resp.Errors, h.opts.Introspection(ctx))
	}
	return resp
}

// encode writes a response as JSON. It has no "data" when the request was not
// executed. Data is JSON already; checking and copying it once more would be
// most of the work.
func encode(resp *graphql.Response) []byte {
	if len(resp.Errors) == 0 && len(resp.Extensions) == 0 && len(resp.Data) > 0 {
		body := make([]byte, 0, len(resp.Data)+len(`{"data":}`))
		body = append(body, `{"data":`...)
		body = append(body, resp.Data...)
		return append(body, '}')
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Errors     gqlerror.List   `json:"errors,omitempty"`
		Data       json.RawMessage `json:"data,omitempty"`
		Extensions map[string]any  `json:"extensions,omitempty"`
	}{resp.Errors, resp.Data, resp.Extensions})
	if err != nil {
		return []byte(`{"errors":[{"message":"The answer cannot be written as JSON.",` +
			`"extensions":{"code":"` + CodeInternal + `"}}]}`)
	}
	return bytes.TrimRight(body.Bytes(), "\n")
}
