package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"portalhooks/delivery/egress/http1"
)

// Options tune a Client. The zero value is ready for production.
type Options struct {
	UserAgent     string        // "Portalhooks" if empty
	LookupTimeout time.Duration // for a name lookup; 5s if zero
}

func (o Options) withDefaults() Options {
	o.UserAgent = cmp.Or(o.UserAgent, "Portalhooks")
	o.LookupTimeout = cmp.Or(o.LookupTimeout, 5*time.Second)
	return o
}

// A Client calls receivers under one Policy, over HTTP/1.1. It may be used by
// many goroutines at once.
type Client struct {
	guard     *guard
	endpoints *lru.Cache[string, *endpoint] // by URL
	open      opener
	tls       *tls.Config
	transport *http1.Transport
	long      slots
}

// An opener opens a connection to an endpoint, directly or through a proxy. It
// leaves the endpoint's TLS to its caller. ctx has a deadline.
type opener func(ctx context.Context, m *meter, e *endpoint) (net.Conn, error)

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
		guard: g, endpoints: newEndpoints(), open: d.open, tls: tlsConfig(p),
		transport: http1.New(http1.Options{UserAgent: o.UserAgent}), long: make(slots, maxLong),
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
func (c *Client) Close() { c.transport.Close() }

// Do posts r and returns how the call ended. It returns by r.Timeout or soon after
// ctx ends, whatever the receiver does. A call over a reused connection that
// the receiver had closed already is repeated once, on a new one.
func (c *Client) Do(ctx context.Context, r Request) Result {
	one := &call{client: c, result: Result{Started: time.Now()}}
	if e, err := c.endpoint(r.URL); err != nil {
		one.result.Outcome, one.result.Err = Blocked, err.Error()
	} else {
		one.to = e
		one.run(ctx, r)
	}
	return one.result
}
