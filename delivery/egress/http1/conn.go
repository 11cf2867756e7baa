package http1

import (
	"bufio"
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"portalhooks/delivery/failpoint"
)

// A conn is a connection over which one goroutine at a time makes one call at
// a time.
type conn struct {
	net.Conn          // may be a *tls.Conn
	plain    net.Conn // the connection below TLS
	key      string   // of the requests that may use it
	remote   string   // the remote address
	reader   *bufio.Reader
	replay   []byte // bytes that Read returns before those of the connection
	budget   int64  // how many bytes may still be read
	failed   error  // of the last Read, returned by all later ones

	raw   syscall.RawConn // for peek; nil if the connection is not a socket
	look  func(fd uintptr) bool
	quiet bool // the result of peek

	unused time.Time     // since when
	entry  *list.Element // in the pool
}

// newConn returns a conn over a connection that a Handler has dialled.
func newConn(key string, dialled net.Conn) *conn {
	c := &conn{Conn: dialled, plain: withoutTLS(dialled), key: key}
	if addr := dialled.RemoteAddr(); addr != nil {
		c.remote = addr.String()
	}
	if socket, ok := c.plain.(syscall.Conn); ok {
		c.raw, _ = socket.SyscallConn()
		c.look = c.peek
	}
	c.reader = bufio.NewReader(c) // its size limits the trailers that net/http accepts
	return c
}

// Close closes the connection without the closing alert of TLS, which would wait
// for a receiver that does not read.
func (c *conn) Close() error { return c.plain.Close() }

// Read reads within the budget, and after that returns ErrHeaderTooLong.
func (c *conn) Read(b []byte) (int, error) {
	switch {
	case len(c.replay) > 0:
		n := copy(b, c.replay)
		if c.replay = c.replay[n:]; len(c.replay) == 0 {
			c.replay = nil // lets the memory go
		}
		return n, nil
	case c.failed != nil:
		return 0, c.failed
	case c.budget <= 0:
		return 0, ErrHeaderTooLong
	}
	n, err := c.Conn.Read(b[:min(int64(len(b)), c.budget)])
	c.failed = err
	c.budget -= int64(n)
	return n, err
}

// isQuiet reports whether an unused connection is open and has received nothing.
// Bytes that no request asked for must not become the response to the next one.
func (c *conn) isQuiet() bool {
	c.quiet = false
	return c.raw != nil && c.raw.Read(c.look) == nil && c.quiet
}

// longAgo is a deadline that has passed.
func longAgo() time.Time { return time.Unix(1, 0) }

// isDrained reports whether nothing has been received beyond a response that was
// read to its end.
func (c *conn) isDrained() bool {
	if c.failed != nil || c.reader.Buffered() > 0 || len(c.replay) > 0 {
		return false
	}
	if _, ok := c.Conn.(*tls.Conn); !ok {
		return true
	}
	// crypto/tls returns decrypted bytes before it looks at the deadline.
	var one [1]byte
	if c.SetReadDeadline(longAgo()) != nil {
		return false
	}
	n, err := c.Conn.Read(one[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// A message is a request in wire format. Its body is written on a goroutine of
// its own; a short body is part of the head.
type message struct{ head, body []byte }

// exchange writes a request and hands the response to h. It reports whether the
// receiver may have the whole request, and whether c can be reused.
func (c *conn) exchange(ctx context.Context, request message, h Handler) (sent, again bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(longAgo()) })
	defer func() { again = stop() && again }()

	c.budget = MaxHeaderBytes
	written := c.send(request)
	defer func() { _, _ = written(0) }() // the request's memory is reused after exchange
	failpoint.Hit(failpoint.CallSent)
	// A receiver may respond and close before it has read the whole request.
	if _, err := c.reader.Peek(1); err != nil {
		sent, broken := written(0)
		if broken != nil && !errors.Is(broken, errUnwritten) {
			err = broken
		}
		return sent, false, err
	}
	h.FirstByte()
	resp, err := c.response() //nolint:bodyclose // closing reads the rest of an endless body
	if err != nil {
		return true, false, err
	}
	c.budget = 1<<63 - 1 // the handler limits the body
	body := &ending{ReadCloser: resp.Body, ended: resp.ContentLength == 0}
	resp.Body = body
	if err := h.Response(resp); err != nil {
		return true, false, err
	}
	if body.ended && !resp.Close && resp.StatusCode >= http.StatusOK {
		_, err := written(writeGrace)
		again = err == nil && c.isDrained()
	}
	return true, again, nil
}

// errUnwritten reports that the response made the rest of a request needless.
var errUnwritten = errors.New("request not fully written")

// writeGrace is how long the goroutine that writes a request may take to finish
// after the response, as in net/http.
const writeGrace = 50 * time.Millisecond

// send writes a request. The function that it returns waits for the end of the
// writing, for at most a grace period, and returns its error and whether all was
// written. After the grace period it closes c and returns errUnwritten.
func (c *conn) send(request message) (written func(grace time.Duration) (whole bool, err error)) {
	_, err := c.Write(request.head)
	if err != nil || len(request.body) == 0 {
		return func(time.Duration) (bool, error) { return err == nil, err }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err = c.Write(request.body)
	}()
	return func(grace time.Duration) (bool, error) {
		select {
		case <-done:
			return err == nil, err
		default:
		}
		late := time.AfterFunc(grace, func() { _ = c.Close() })
		<-done
		if !late.Stop() {
			return err == nil, errUnwritten
		}
		return err == nil, err
	}
}

// withoutTLS returns the connection below all layers of TLS.
func withoutTLS(c net.Conn) net.Conn {
	for {
		outer, ok := c.(*tls.Conn)
		if !ok {
			return c
		}
		c = outer.NetConn()
	}
}

// An ending is a body that records whether it was read to its end.
type ending struct {
	io.ReadCloser
	ended bool
}

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.ReadCloser.Read(b)
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}
