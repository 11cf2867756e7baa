package egress

import (
	"bufio"
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
	plain    net.Conn // below it
	key      string   // of the place where it leads
	remote   string
	reader   *bufio.Reader
	heads    *heads // where long heads are kept
	long     *[]byte
	replay   []byte // what is read again, before anything else
	budget   int64  // how much may still be read
	failed   error  // of the last Read; there is no other after it

	raw   syscall.RawConn // to look at what has come in; nil if there is no way
	look  func(fd uintptr) bool
	quiet bool // what look saw

	unused time.Time     // since when
	entry  *list.Element // in the pool
}

// newConn returns a conn over plain, the connection that was dialled, and
// over secured, if what goes over it is encrypted.
func newConn(key string, plain net.Conn, secured *tls.Conn, h *heads) *conn {
	c := &conn{Conn: plain, plain: plain, key: key, heads: h}
	if addr := plain.RemoteAddr(); addr != nil {
		c.remote = addr.String()
	}
	if socket, ok := plain.(syscall.Conn); ok {
		c.raw, _ = socket.SyscallConn()
		c.look = c.peek
	}
	if secured != nil {
		c.Conn = secured
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
		c.replay = c.replay[n:]
		return n, nil
	case c.failed != nil:
		return 0, c.failed
	case c.budget <= 0:
		return 0, fmt.Errorf("the headers are longer than %d bytes", MaxHeaderBytes)
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

// exchange writes a request and reads the answer into r. It reports whether
// the receiver began to answer, and whether another call may use c.
func (c *conn) exchange(
	ctx context.Context, a *attempt, request []byte, r *Result,
) (began, again bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(longAgo()) })
	defer func() { again = stop() && again }()

	c.budget = MaxHeaderBytes
	_, broken := c.Write(request)
	failpoint.Hit(failpoint.CallSent)
	// A receiver may answer and hang up before it has read everything.
	if _, err := c.reader.Peek(1); err != nil {
		if broken != nil {
			err = broken
		}
		return false, false, err
	}
	a.firstByte()
	resp, err := c.answer(ctx, a.deadline, r) //nolint:bodyclose // that would read the rest, however long
	if err != nil {
		return true, false, err
	}
	c.budget = 1<<63 - 1 // readBody has its own
	body := ending{Reader: resp.Body, ended: resp.ContentLength == 0}
	if err := readBody(&body, resp.ContentLength, r); err != nil {
		return true, false, err
	}
	again = broken == nil && body.ended && !resp.Close && resp.StatusCode >= http.StatusOK && c.isDrained()
	return true, again, nil
}

// An ending is a body that remembers whether it was read to its end.
type ending struct {
	io.Reader
	ended bool
}

func (e *ending) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}
