package http1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Options tune a Transport. The zero value is ready for production.
type Options struct {
	UserAgent   string        // sent by requests that have none of their own; none if empty
	IdleTimeout time.Duration // how long an unused connection stays open; 45s if zero
	IdlePerKey  int           // unused connections kept for one Key; 64 if zero
	Idle        int           // unused connections kept in all; 1024 if zero
}

// A Transport makes calls over HTTP/1.1 and keeps their connections for the
// next ones. It may be used by many goroutines at once.
type Transport struct {
	userAgent string
	idle      *pool
	buffers   sync.Pool // of *[]byte, for requests
}

// A Request is one POST request.
type Request struct {
	Key      string      // calls with the same Key use each other's connections
	Start    string      // the request line and the Host header, with their line ends
	Header   http.Header // not changed
	Body     []byte      // not changed, and not read after Do returns
	Deadline time.Time   // for everything, from opening a connection to the end of the response
}

// A Handler does for one call what is not HTTP/1.1. Its methods are called on
// the goroutine of the call, in the order below. When the request can't be written
// to a reused connection, Dial and Connected are called after the first Connected.
type Handler interface {
	// Dial opens a connection to the receiver, with TLS if the receiver needs
	// it. ctx ends at the deadline. Dial is called only without an unused
	// connection to reuse.
	Dial(ctx context.Context) (net.Conn, error)

	// Connected is called before the request is written, with the remote
	// address of the connection.
	Connected(remote string, reused bool)

	// FirstByte is called when the response begins.
	FirstByte()

	// Response receives a response with at most MaxHeaderBytes of headers and a
	// body that may never end. It reads as much of the body as it needs, does
	// not close it, and returns an error of reading unchanged. The connection is
	// reused only if the body was read to its end.
	Response(r *http.Response) error
}

// New returns a Transport without connections. Close it after use.
func New(o Options) *Transport {
	return &Transport{
		userAgent: o.UserAgent, idle: newPool(o),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// Close closes the unused connections. Those in use are closed after their call.
func (t *Transport) Close() { t.idle.close() }

// maxWritten is the longest body that is written before the response is read, in
// bytes. It fits into the socket buffers, so that writing it does not wait for a
// receiver that responds before it reads. A longer body is written on a goroutine
// of its own.
const maxWritten = 64 << 10

// Do sends r and hands the response to h. It returns an error if ctx has ended,
// the request's header is not valid, a connection could not be opened, or the
// response is not valid HTTP, incomplete or longer than allowed; the first two
// are returned before any method of h is called. A request that could not be
// written to a reused connection is written to a new one. One that was written is
// never repeated: the receiver may have acted on it.
func (t *Transport) Do(ctx context.Context, r Request, h Handler) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	buffer, _ := t.buffers.Get().(*[]byte)
	defer t.buffers.Put(buffer)
	head, err := appendRequest((*buffer)[:0], &r, t.userAgent)
	if err != nil {
		return err
	}
	request := message{head: head, body: r.Body}
	if len(r.Body) <= maxWritten {
		request = message{head: append(head, r.Body...)}
	}
	*buffer = request.head

	if unused := t.unused(r.Key, r.Deadline); unused != nil {
		sent, err := t.call(ctx, unused, true, request, h)
		if sent || err == nil || ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	fresh, err := connect(ctx, &r, h)
	if err != nil {
		return err
	}
	_, err = t.call(ctx, fresh, false, request, h)
	return err
}

// call makes one exchange over c, and then keeps or closes c. Sent reports whether
// the receiver may have the whole request.
func (t *Transport) call(
	ctx context.Context, c *conn, reused bool, request message, h Handler,
) (sent bool, err error) {
	h.Connected(c.remote, reused)
	sent, again, err := c.exchange(ctx, request, h)
	if again {
		t.idle.put(c)
	} else {
		_ = c.Close()
	}
	return sent, err
}

// unused returns an unused connection with key, or nil.
func (t *Transport) unused(key string, deadline time.Time) *conn {
	for c := t.idle.take(key); c != nil; c = t.idle.take(key) {
		if c.SetDeadline(deadline) == nil && c.isQuiet() {
			return c
		}
		_ = c.Close()
	}
	return nil
}

// connect opens a connection.
func connect(ctx context.Context, r *Request, h Handler) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, r.Deadline)
	defer cancel()
	dialled, err := h.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := newConn(r.Key, dialled)
	_ = c.SetDeadline(r.Deadline) // fails only on a closed connection, whose use fails as well
	return c, nil
}
