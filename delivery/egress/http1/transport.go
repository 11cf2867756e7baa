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

// Calls are made on the caller's own goroutine. net/http needs two more for
// each connection, and waking them costs more than everything else that a call
// does. Parsing the response is left to net/http.

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

// A Handler is what a call needs beside HTTP/1.1. Its methods are called on the
// goroutine of the call, in the order below. When a reused connection turns out
// to be closed, Dial and Connected follow on a first Connected.
type Handler interface {
	// Dial opens a connection to the receiver, encrypted if it has to be. ctx
	// ends at the deadline. It is not called if there is an unused connection.
	Dial(ctx context.Context) (net.Conn, error)

	// Connected is called with the address that the connection leads to before
	// the request is written.
	Connected(remote string, reused bool)

	// FirstByte is called when the response begins.
	FirstByte()

	// Response takes the response, whose header may be as long as
	// MaxHeaderBytes and whose body may never end. It reads as much of the body
	// as it needs, and returns an error of the body unchanged. The connection
	// is used again only if the body was read to its end.
	Response(r *http.Response) error
}

// New returns a Transport without connections. Close it after use.
func New(o Options) *Transport {
	return &Transport{
		userAgent: o.UserAgent, idle: newPool(o),
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// Close closes the connections that are not in use, and others after their use.
func (t *Transport) Close() { t.idle.close() }

// maxWritten is the longest message that is written before the response is read,
// in bytes. It fits into the buffers between here and the receiver, so that
// writing it does not wait for a receiver that answers before it reads. A longer
// one is written on a goroutine of its own.
const maxWritten = 64 << 10

// Do makes a call and returns when it is over. It returns an error if the
// request was not sent or the response did not come to its end, and before any
// method of h is called only if ctx has ended or the request's header is not
// valid. A call over a reused connection that the receiver had closed already
// is repeated once, on a new one.
func (t *Transport) Do(ctx context.Context, r Request, h Handler) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	buffer, _ := t.buffers.Get().(*[]byte)
	defer t.buffers.Put(buffer)
	head, err := appendRequest((*buffer)[:0], r, t.userAgent)
	if err != nil {
		return err
	}
	request := message{head: head, body: r.Body}
	if len(r.Body) <= maxWritten {
		request = message{head: append(head, r.Body...)}
	}
	*buffer = request.head

	if unused := t.unused(r); unused != nil {
		began, err := t.call(ctx, unused, true, request, h)
		if began || err == nil || ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		// The receiver closed the connection without a response, most likely
		// before the request came. Even if not, receivers drop repeats by the
		// webhook-id header.
	}
	fresh, err := connect(ctx, r, h)
	if err != nil {
		return err
	}
	_, err = t.call(ctx, fresh, false, request, h)
	return err
}

// call makes one exchange and decides what becomes of the connection.
func (t *Transport) call(
	ctx context.Context, c *conn, reused bool, request message, h Handler,
) (began bool, err error) {
	h.Connected(c.remote, reused)
	began, again, err := c.exchange(ctx, request, h)
	if again {
		t.idle.put(c)
	} else {
		_ = c.Close()
	}
	return began, err
}

// unused returns a connection that waits for a call like this one, or nil.
func (t *Transport) unused(r Request) *conn {
	for c := t.idle.take(r.Key); c != nil; c = t.idle.take(r.Key) {
		if c.SetDeadline(r.Deadline) == nil && c.isQuiet() {
			return c
		}
		_ = c.Close()
	}
	return nil
}

// connect opens a connection.
func connect(ctx context.Context, r Request, h Handler) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, r.Deadline)
	defer cancel()
	dialled, err := h.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := newConn(r.Key, dialled)
	_ = c.SetDeadline(r.Deadline) // fails if it is closed, as its use then will
	return c, nil
}
