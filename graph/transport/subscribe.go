package transport

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// An operation is an operation that a client started under an id. It is active
// until the client completes it, its last message is sent, or the connection
// ends.
type operation struct {
	id     string
	cancel context.CancelFunc
}

// subscribe starts the operation in m.
func (c *connection) subscribe(m message) {
	if !c.isAcked() {
		c.close(closeUnauthorized, "Unauthorized")
		return
	}
	params, invalid := decodeParams(m.Payload)
	if invalid != nil {
		c.close(closeBadRequest, cut("Invalid message: "+invalid.Message, 120))
		return
	}
	ctx, op, full := c.begin(*m.ID)
	switch {
	case full:
		refusal := coded(CodeLimit, "The connection has too many active operations.")
		c.write(failed(*m.ID, gqlerror.List{refusal}))
	case op == nil:
		c.close(closeDuplicate, fmt.Sprintf("Subscriber for %s already exists", *m.ID))
	default:
		c.work.Go(func() {
			defer c.end(op)
			c.run(ctx, op, params)
		})
	}
}

// begin registers an active operation. It returns nil if the id is in use, and
// full if the connection has too many operations. Operations that are completed
// but have not returned also count, up to twice the limit: a client must not
// start operations faster than they end.
func (c *connection) begin(id string) (ctx context.Context, op *operation, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active[id] != nil {
		return nil, nil, false
	}
	if len(c.active) >= c.h.opts.Subscriptions || c.running >= 2*c.h.opts.Subscriptions {
		return nil, nil, true
	}
	ctx, cancel := context.WithCancel(WithRequestID(c.caller))
	op = &operation{id: id, cancel: cancel}
	c.active[id] = op
	c.running++
	return graphql.StartOperationTrace(ctx), op, false
}

// complete cancels an operation that the client has completed. No further message
// is sent for it, and its id may be reused. Unknown ids are ignored, as the
// operation may have ended at the same time.
func (c *connection) complete(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op := c.active[id]; op != nil {
		delete(c.active, id)
		op.cancel()
	}
}

// end releases the resources of an operation.
func (c *connection) end(op *operation) {
	op.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
}

// run executes an operation and sends its messages.
func (c *connection) run(ctx context.Context, op *operation, params *parameters) {
	ctx, span := c.h.traceOperation(ctx)
	defer span.End()
	opCtx, last := c.prepare(ctx, params)
	if last == nil {
		span.SetName(string(opCtx.Operation.Operation))
	}
	switch {
	case last != nil:
	case opCtx.Operation.Operation == ast.Subscription:
		last = c.h.stream(ctx, c.h.opts.Share(ctx, c.remote), opCtx, func(resp *graphql.Response) bool {
			return c.send(op, next(op.id, resp), false)
		})
	default:
		last = c.single(ctx, op, opCtx)
	}
	if last != nil {
		c.send(op, failed(op.id, last.Errors), true)
		return
	}
	c.send(op, complete(op.id), true)
}

// single executes a query or a mutation. It returns the response without data with
// which the operation failed, or nil.
func (c *connection) single(
	ctx context.Context, op *operation, opCtx *graphql.OperationContext,
) (last *graphql.Response) {
	share := c.h.opts.Share(ctx, c.remote)
	if !c.h.requests.take(share, 1, 0) {
		c.h.opts.Overloaded(c.remote)
		return &graphql.Response{Errors: gqlerror.List{later(coded(CodeUnavailable,
			"Too many requests are in flight. Wait for their answers, then try again."))}}
	}
	defer c.h.requests.release(share, 1)
	c.h.single(ctx, share, opCtx, func(resp *graphql.Response) {
		if len(resp.Data) == 0 {
			last = resp
			return
		}
		c.send(op, next(op.id, resp), false)
	})
	return last
}

// prepare applies the rate limit before it prepares the operation.
func (c *connection) prepare(
	ctx context.Context, params *parameters,
) (*graphql.OperationContext, *graphql.Response) {
	if err := c.h.opts.Admit(ctx); err != nil {
		return nil, &graphql.Response{Errors: gqlerror.List{c.h.present(ctx, err)}}
	}
	return c.h.prepare(ctx, params)
}

// send writes a message of op if op is still active, and reports whether it is.
// The last message deactivates op before it is written, so that the client may
// reuse the id as soon as it has the message.
func (c *connection) send(op *operation, data []byte, last bool) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	active := !c.closing && c.active[op.id] == op
	if active && last {
		delete(c.active, op.id)
	}
	c.mu.Unlock()
	if active {
		c.put(data)
	}
	return active
}
