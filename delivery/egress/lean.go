package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxLean is the longest message that goes the lean way, in bytes. It fits
// into the buffers between here and the receiver, so that writing it does not
// wait for a receiver that answers before it reads.
const maxLean = 64 << 10

// A lean makes calls over HTTP/1.1 on the caller's own goroutine. net/http
// needs two more for each connection, and waking them costs more than
// everything else that a call does. Parsing the answer is left to net/http.
type lean struct {
	open      opener
	tls       *tls.Config
	userAgent string
	idle      *pool
	old       *lru.Cache[string, bool] // places that spoke HTTP/1 over TLS; others may want HTTP/2
	requests  sync.Pool                // of *[]byte
	heads     *heads
}

// An opener is a dialer's open.
type opener func(ctx context.Context, a *attempt, network, address string) (net.Conn, error)

func newLean(open opener, config *tls.Config, o Options) *lean {
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	return &lean{
		open: open, tls: config, userAgent: o.UserAgent, idle: newPool(o), old: newMemory[bool](),
		requests: sync.Pool{New: func() any { return new([]byte) }}, heads: newHeads(),
	}
}

// covers reports whether a message of so many bytes can go the lean way. Over
// TLS the first call leaves the choice of the protocol to net/http.
func (l *lean) covers(p *place, size int) bool {
	if l == nil || size > maxLean {
		return false
	}
	if !p.secure {
		return true
	}
	old, _ := l.old.Get(p.key)
	return old
}

// post makes the call and fills in what the receiver answered. Its error is
// about a call that was not answered, or not to the end.
func (l *lean) post(ctx context.Context, a *attempt, p *place, r Request, result *Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	buffer, _ := l.requests.Get().(*[]byte)
	defer l.requests.Put(buffer)
	request, err := appendRequest((*buffer)[:0], p, r.Header, l.userAgent, r.Body)
	if err != nil {
		return err
	}
	*buffer = request

	a.getConn("")
	if c := l.unused(a, p); c != nil {
		a.have(c.remote, true)
		began, err := l.call(ctx, a, c, request, result)
		if began || err == nil || ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		// The receiver hung up without a word, most likely before the request
		// came. Even if not, receivers drop repeats by the webhook-id header.
		a.getConn("")
	}
	c, err := l.connect(ctx, a, p)
	if err != nil {
		return err
	}
	a.have(c.remote, false)
	_, err = l.call(ctx, a, c, request, result)
	return err
}

// call makes one exchange and decides what becomes of the connection.
func (l *lean) call(
	ctx context.Context, a *attempt, c *conn, request []byte, r *Result,
) (began bool, err error) {
	began, again, err := c.exchange(ctx, a, request, r)
	if again {
		l.idle.put(c)
	} else {
		_ = c.Close()
	}
	return began, err
}

// unused returns a connection that waits for a call like this one, or nil.
func (l *lean) unused(a *attempt, p *place) *conn {
	for c := l.idle.take(p.key); c != nil; c = l.idle.take(p.key) {
		if c.SetDeadline(a.deadline) == nil && c.isQuiet() {
			return c
		}
		_ = c.Close()
	}
	return nil
}

// connect opens a connection.
func (l *lean) connect(ctx context.Context, a *attempt, p *place) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, a.deadline)
	defer cancel()
	plain, err := l.open(ctx, a, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	var secured *tls.Conn
	if p.secure {
		config := l.tls.Clone()
		config.ServerName = p.host
		secured = tls.Client(plain, config)
		if err := shakeHands(ctx, a, secured); err != nil {
			_ = plain.Close()
			l.old.Add(p.key, false) // it may want another protocol now
			return nil, err
		}
	}
	c := newConn(p.key, plain, secured, l.heads)
	_ = c.SetDeadline(a.deadline) // fails if c is closed, as its use then will
	return c, nil
}

func shakeHands(ctx context.Context, a *attempt, c *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	a.startTLS()
	err := c.HandshakeContext(ctx)
	a.doneTLS(tls.ConnectionState{}, err)
	return err
}

// An overdue context has ended when its deadline has passed, without a timer.
type overdue struct {
	context.Context
	deadline time.Time
}

func (o overdue) Err() error {
	if time.Now().Before(o.deadline) {
		return o.Context.Err()
	}
	return context.DeadlineExceeded
}
