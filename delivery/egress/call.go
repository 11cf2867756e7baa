package egress

import (
	"context"
	"errors"
	"os"
)

// Calls are made on the caller's own goroutine. net/http needs two more for
// each connection, and waking them costs more than everything else that a call
// does. Parsing the answer is left to net/http.

// maxWritten is the longest message that is written before the answer is read,
// in bytes. It fits into the buffers between here and the receiver, so that
// writing it does not wait for a receiver that answers before it reads. A longer
// one is written on a goroutine of its own.
const maxWritten = 64 << 10

// post makes the call and fills in what the receiver answered. Its error is
// about a call that was not answered, or not to the end.
func (c *Client) post(ctx context.Context, a *attempt, p *place, r Request, result *Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	buffer, _ := c.requests.Get().(*[]byte)
	defer c.requests.Put(buffer)
	head, err := appendRequest((*buffer)[:0], p, r.Header, c.userAgent, len(r.Body))
	if err != nil {
		return err
	}
	request := message{head: head, body: r.Body}
	if len(r.Body) <= maxWritten {
		request = message{head: append(head, r.Body...)}
	}
	*buffer = request.head

	a.begin()
	if unused := c.unused(a, p); unused != nil {
		a.have(unused.remote, true)
		began, err := c.call(ctx, a, unused, request, result)
		if began || err == nil || ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		// The receiver hung up without a word, most likely before the request
		// came. Even if not, receivers drop repeats by the webhook-id header.
		a.begin()
	}
	fresh, err := c.connect(ctx, a, p)
	if err != nil {
		return err
	}
	a.have(fresh.remote, false)
	_, err = c.call(ctx, a, fresh, request, result)
	return err
}

// call makes one exchange and decides what becomes of the connection.
func (c *Client) call(
	ctx context.Context, a *attempt, over *conn, request message, r *Result,
) (began bool, err error) {
	began, again, err := over.exchange(ctx, a, request, r)
	if again {
		c.idle.put(over)
	} else {
		_ = over.Close()
	}
	return began, err
}

// unused returns a connection that waits for a call like this one, or nil.
func (c *Client) unused(a *attempt, p *place) *conn {
	for i := c.idle.take(p.key); i != nil; i = c.idle.take(p.key) {
		if i.SetDeadline(a.deadline) == nil && i.isQuiet() {
			return i
		}
		_ = i.Close()
	}
	return nil
}

// connect opens a connection.
func (c *Client) connect(ctx context.Context, a *attempt, p *place) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, a.deadline)
	defer cancel()
	way, err := c.open(ctx, a, p)
	if err != nil {
		return nil, err
	}
	if p.secure {
		a.enter(handshaking)
		if way, err = secured(ctx, way, c.tls, p.host); err != nil {
			return nil, err
		}
	}
	opened := newConn(p.key, way, c.long)
	_ = opened.SetDeadline(a.deadline) // fails if it is closed, as its use then will
	return opened, nil
}
