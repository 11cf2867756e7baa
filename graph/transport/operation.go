package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/graph/limits"
)

// prepare parses and validates a request and applies the limits. If the request
// is refused, it returns a response without data instead of an operation.
func (h *Handler) prepare(
	ctx context.Context, params *parameters,
) (op *graphql.OperationContext, refused *graphql.Response) {
	defer func() {
		if v := recover(); v != nil {
			refused = h.panicked(ctx, v)
		}
	}()
	op, errs := h.exec.CreateOperationContext(limits.WithVariables(ctx, params.variables), &params.RawParams)
	if len(errs) == 0 {
		describe(ctx, op)
		h.opts.Charge(ctx, limits.CostOf(op))
		return op, nil
	}
	list := make(gqlerror.List, 0, maxErrors)
	for _, e := range errs[:min(len(errs), maxErrors)] {
		list = append(list, h.beforeExecution(e, params))
	}
	resp := h.exec.DispatchError(graphql.WithOperationContext(ctx, op), list)
	if resp == nil {
		resp = &graphql.Response{Errors: list}
	}
	resp.Data = nil
	resp.Extensions = withCost(resp.Extensions, op)
	return nil, h.fitted(ctx, resp)
}

// single executes a query or a mutation, which has one response, and calls send
// with it.
func (h *Handler) single(
	ctx context.Context, s Share, op *graphql.OperationContext, send func(*graphql.Response),
) {
	a, ctx := h.newAnswer(ctx, s)
	defer a.memory.release()
	resp := a.settle(h.execute(ctx, s, op))
	resp.Extensions = withCost(resp.Extensions, op)
	send(resp)
}

func (h *Handler) execute(
	ctx context.Context, s Share, op *graphql.OperationContext,
) (resp *graphql.Response) {
	limit := h.opts.OperationTimeout + h.opts.ExtraTime(op.Operation)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			resp = h.panicked(ctx, v)
		}
	}()
	done, err := h.turns.wait(ctx, s)
	if err != nil {
		return &graphql.Response{Errors: gqlerror.List{later(coded(CodeLimit,
			"Too many operations of yours are running. Wait for their answers, then try again."))}}
	}
	defer done()
	next, opCtx := h.exec.DispatchOperation(ctx, op)
	resp = next(opCtx)
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	switch {
	case late && (resp == nil || len(resp.Errors) > 0 && codeOf(resp.Errors[0]) != CodeUnavailable):
		// The resolvers' errors are only consequences of the canceled context.
		return &graphql.Response{Errors: gqlerror.List{coded(CodeLimit,
			fmt.Sprintf("The operation took longer than %s.", limit))}}
	case resp == nil:
		return &graphql.Response{Errors: gqlerror.List{coded(CodeInternal, "The operation was interrupted.")}}
	}
	return h.fitted(ctx, resp)
}

// withCost adds to a response's extensions what its operation costs, and the most
// that one may cost.
func withCost(extensions map[string]any, op *graphql.OperationContext) map[string]any {
	cost := limits.CostOf(op)
	if cost.Requested == 0 {
		return extensions
	}
	all := map[string]any{"cost": cost}
	maps.Copy(all, extensions)
	return all
}

// stream executes a subscription and calls yield with every response until yield
// returns false, ctx ends, or the subscription ends. It returns the response
// without data with which the subscription failed, or nil.
func (h *Handler) stream(
	ctx context.Context, s Share, op *graphql.OperationContext, yield func(*graphql.Response) bool,
) (last *graphql.Response) {
	failure := &failure{}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, failureKey{}, failure))
	defer cancel()
	a, ctx := h.newAnswer(ctx, s)
	defer a.memory.release()
	defer func() {
		if v := recover(); v != nil {
			last = h.panicked(ctx, v)
		}
	}()
	next, opCtx := h.exec.DispatchOperation(ctx, op)
	for {
		a.begin()
		resp := a.settle(next(opCtx))
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

// failureKey is the context key of a subscription's failure.
type failureKey struct{}

// failure is the error with which the source of a subscription ended, if any.
type failure struct {
	mu  sync.Mutex
	err error
}

// EndWithError makes the subscription of ctx end with err when its channel is
// closed. A resolver calls it before it closes the channel; otherwise the client
// sees a completion. Outside of a subscription it has no effect.
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

// panicked returns the response of an operation that panicked outside of the
// resolvers, where the executor does not recover.
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

// encode encodes a response as JSON, without "data" if the request was not
// executed. Data is already JSON; validating and copying it again would take
// most of the time.
func encode(resp *graphql.Response) []byte {
	const usual = len(`{"data":,"extensions":{"cost":{"requested":1000,"limit":5000}}}`)
	body := make([]byte, 0, len(resp.Data)+usual)
	begin := func(name string) {
		separator := byte(',')
		if len(body) == 0 {
			separator = '{'
		}
		body = append(append(body, separator, '"'), name...)
		body = append(body, '"', ':')
	}
	if len(resp.Errors) > 0 {
		begin("errors")
		body = append(body, jsonOf(resp.Errors)...)
	}
	if len(resp.Data) > 0 {
		begin("data")
		body = append(body, resp.Data...)
	}
	if len(resp.Extensions) > 0 {
		begin("extensions")
		body = append(body, jsonOf(resp.Extensions)...)
	}
	if len(body) == 0 {
		return []byte("{}")
	}
	return append(body, '}')
}

// jsonOf encodes the errors or the extensions of a response.
func jsonOf(v any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte(`[{"message":"The response cannot be encoded as JSON.",` +
			`"extensions":{"code":"` + CodeInternal + `"}}]`)
	}
	return bytes.TrimRight(text.Bytes(), "\n")
}
