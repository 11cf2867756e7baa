package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Options tune a Client. The zero value is ready for production.
type Options struct {
	UserAgent     string        // "Portalhooks" if empty
	LookupTimeout time.Duration // for a name lookup; 5s if zero
	IdleTimeout   time.Duration // how long an unused connection stays open; 45s if zero
	IdlePerHost   int           // unused connections kept for one receiver; 64 if zero
	Idle          int           // unused connections kept in all; 1024 if zero
}

func (o Options) withDefaults() Options {
	o.UserAgent = cmp.Or(o.UserAgent, "Portalhooks")
	o.LookupTimeout = cmp.Or(o.LookupTimeout, 5*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 45*time.Second)
	o.IdlePerHost = cmp.Or(o.IdlePerHost, 64)
	o.Idle = cmp.Or(o.Idle, 1024)
	return o
}

const (
	defaultTimeout   = 15 * time.Second
	handshakeTimeout = 10 * time.Second
)

// A Client calls receivers under one Policy, over HTTP/1.1. It may be used by
// many goroutines at once.
type Client struct {
	guard     *guard
	places    *lru.Cache[string, *place]
	open      opener
	tls       *tls.Config
	userAgent string
	idle      *pool
	requests  sync.Pool     // of *[]byte
	long      chan struct{} // holds one for each answer of which much is kept
}

// An opener opens a connection that leads to a place, over TCP or through a
// proxy. Its ctx has a deadline.
type opener func(ctx context.Context, a *attempt, p *place) (net.Conn, error)

// NewClient returns a client with connections of its own. Close it after use.
func NewClient(p Policy, o Options) *Client {
	p, o = p.withDefaults(), o.withDefaults()
	g := newGuard(p)
	d := &dialer{
		guard:  g,
		net:    net.Dialer{Timeout: 30 * time.Second, Control: g.control, Resolver: p.Resolver},
		lookup: o.LookupTimeout,
	}
	c := &Client{
		guard: g, places: newMemory[*place](), open: d.open, tls: tlsConfig(p), userAgent: o.UserAgent,
		idle: newPool(o), requests: sync.Pool{New: func() any { return new([]byte) }},
		long: make(chan struct{}, maxLong),
	}
	if p.Proxy != nil {
		c.open = newProxy(p.Proxy, c.tls).open
	}
	return c
}

func tlsConfig(p Policy) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            p.RootCAs,
		NextProtos:         []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(256),
	}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.idle.close() }

// Do posts r and reports what happened. It returns by r.Timeout or soon after
// ctx ends, whatever the receiver does. A call over a reused connection that
// the receiver had closed already is made once more, by itself, on a new one.
func (c *Client) Do(ctx context.Context, r Request) Result {
	result := Result{Started: time.Now()}
	p, err := c.place(r.URL)
	if err != nil {
		result.Outcome, result.Err = Blocked, err.Error()
		return result
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	a := attempt{deadline: result.Started.Add(timeout)}
	err = c.post(ctx, &a, p, r, &result)
	at := a.finish(&result, c.guard.policy.Proxy != nil)
	if err != nil {
		result.Outcome, result.Err = ofFailure(ctx, overdue{ctx, a.deadline}, err, at, timeout)
	}
	if result.Outcome == Blocked {
		result.RemoteAddr = ""
	}
	return result
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

// head fills in what the receiver answered, up to the body, and lets go of the
// rest: it may be large, and the body may never end.
func (r *Result) head(resp *http.Response, ample func() bool) {
	r.Status = resp.StatusCode
	if after := resp.Header.Get("Retry-After"); after != "" {
		r.RetryAfter, r.HasRetryAfter = ParseRetryAfter(after, time.Now())
	}
	r.Header = keepHeader(resp.Header, ample)
	r.Outcome, r.Err = ofStatus(resp.StatusCode)
	resp.Header, resp.Trailer = nil, nil
}
