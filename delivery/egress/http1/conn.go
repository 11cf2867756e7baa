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
	net.Conn          // encrypts, if it must
	plain    net.Conn // below all encryption
	key      string   // of the place where it leads
	remote   string
	reader   *bufio.Reader
	replay   []byte // what is read again, before anything else
	budget   int64  // how much may still be read
	failed   error  // of the last Read; there is no other after it

	raw   syscall.RawConn // to look at what has come in; nil if there is no way
	look  func(fd uintptr) bool
	quiet bool // what look saw

	unused time.Time     // since when
	entry  *list.Element // in the pool
}

// newConn returns a conn over one that was dialled, and that encrypts if it
// must.
func newConn(key string, way net.Conn) *conn {
	c := &conn{Conn: way, plain: unwrapped(way), key: key}
	if addr := way.RemoteAddr(); addr != nil {
		c.remote = addr.String()
	}
	if socket, ok := c.plain.(syscall.Conn); ok {
		c.raw, _ = socket.SyscallConn()
		c.look = c.peek
	}
	c.reader = bufio.NewReader(c) // its size decides what trailers net/http takes
	return c
}

// Close hangs up without the goodbye of TLS, which would wait for a receiver
// that does not read.
func (c *conn) Close() error { return c.plain.Close() }

// Read reads up to the budget.
func (c *conn) Read(b []byte) (int, error) {
	switch {
	case len(c.replay) > 0:
		n := copy(b, c.replay)
		if c.replay = c.replay[n:]; len(c.replay) == 0 {
			c.replay = nil // and no longer in memory
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

// isQuiet reports whether nothing has come over an unused connection, not
// even its end. What came was not asked for and must not become the answer to
// a call.
func (c *conn) isQuiet() bool {
	c.quiet = false
	return c.raw != nil && c.raw.Read(c.look) == nil && c.quiet
}

// longAgo is a deadline that has passed.
func longAgo() time.Time { return time.Unix(1, 0) }

// isDrained reports whether an answer that was read to its end was all that
// had come.
func (c *conn) isDrained() bool {
	if c.failed != nil || c.reader.Buffered() > 0 || len(c.replay) > 0 {
		return false
	}
	if _, ok := c.Conn.(*tls.Conn); !ok {
		return true
	}
	// What was decrypted and not yet read is handed out before the deadline
	// matters.
	var one [1]byte
	if c.SetReadDeadline(longAgo()) != nil {
		return false
	}
	n, err := c.Conn.Read(one[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// A message is a request as it is written.
type message struct{ head, body []byte }

// exchange writes a request and hands the response to h. It reports whether
// the receiver began to respond, and whether another call may use c.
func (c *conn) exchange(ctx context.Context, request message, h Handler) (began, again bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(longAgo()) })
	defer func() { again = stop() && again }()

	c.budget = MaxHeaderBytes
	written := c.send(request)
	defer func() { _ = written(0) }() // after exchange nothing of the request is read
	failpoint.Hit(failpoint.CallSent)
	// A receiver may respond and hang up before it has read everything.
	if _, err := c.reader.Peek(1); err != nil {
		if broken := written(0); broken != nil && !errors.Is(broken, errUnwritten) {
			err = broken
		}
		return false, false, err
	}
	h.FirstByte()
	resp, err := c.answer() //nolint:bodyclose // that would read the rest, however long
	if err != nil {
		return true, false, err
	}
	c.budget = 1<<63 - 1 // h bounds what it reads of a body
	body := &ending{ReadCloser: resp.Body, ended: resp.ContentLength == 0}
	resp.Body = body
	if err := h.Response(resp); err != nil {
		return true, false, err
	}
	again = body.ended && !resp.Close && resp.StatusCode >= http.StatusOK &&
		written(writeGrace) == nil && c.isDrained()
	return true, again, nil
}

// errUnwritten says that a request was not needed to its end.
var errUnwritten = errors.New("the request was not written to its end")

// writeGrace is how long the writer of a request that has been answered gets to
// come to its end, as in net/http: it may only have to be told.
const writeGrace = 50 * time.Millisecond

// send writes a request. What it returns ends the writing after a grace and
// says how that went; when it was cut short, c is closed.
func (c *conn) send(request message) (written func(grace time.Duration) error) {
	_, err := c.Write(request.head)
	if err != nil || len(request.body) == 0 {
		return func(time.Duration) error { return err }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err = c.Write(request.body)
	}()
	return func(grace time.Duration) error {
		select {
		case <-done:
			return err
		default:
		}
		late := time.AfterFunc(grace, func() { _ = c.Close() })
		<-done
		if !late.Stop() {
			return errUnwritten
		}
		return err
	}
}

// unwrapped returns c without encryption.
func unwrapped(c net.Conn) net.Conn {
	for {
		outer, ok := c.(*tls.Conn)
		if !ok {
			return c
		}
		c = outer.NetConn()
	}
}

// An ending is a body that remembers whether it was read to its end.
type ending struct {
	io.ReadCloser
	ended bool
}

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.ReadCloser.Read(b)
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}
