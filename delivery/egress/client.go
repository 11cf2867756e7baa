package egress

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
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

// A Client calls receivers under one Policy. It may be used by many
// goroutines at once.
type Client struct {
	guard     *guard
	places    *lru.Cache[string, *place]
	lean      *lean // nil if everything goes through a proxy
	transport *http.Transport
	userAgent []string
	encoding  []string
}

// NewClient returns a client with connections of its own. Close it after use.
func NewClient(p Policy, o Options) *Client {
	p, o = p.withDefaults(), o.withDefaults()
	g := newGuard(p)
	d := &dialer{
		guard:  g,
		net:    net.Dialer{Timeout: 30 * time.Second, Control: g.control, Resolver: p.Resolver},
		lookup: o.LookupTimeout,
	}
	config := tlsConfig(p)
	c := &Client{
		guard: g, places: newMemory[*place](), transport: newTransport(d, config, o),
		userAgent: []string{o.UserAgent}, encoding: []string{identity},
	}
	if p.Proxy != nil {
		c.transport.Proxy = http.ProxyURL(p.Proxy)
	} else {
		c.lean = newLean(d.open, config, o)
	}
	return c
}

func newTransport(d *dialer, config *tls.Config, o Options) *http.Transport {
	return &http.Transport{
		DialContext:            d.dial,
		TLSClientConfig:        config.Clone(), // net/http changes its own
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           o.Idle,
		MaxIdleConnsPerHost:    o.IdlePerHost,
		IdleConnTimeout:        o.IdleTimeout,
		MaxResponseHeaderBytes: MaxHeaderBytes,
		// A silent HTTP/2 connection would hold up every call to its host.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

func tlsConfig(p Policy) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            p.RootCAs,
		ClientSessionCache: tls.NewLRUClientSessionCache(256),
	}
}

// Close closes the connections that are not in use.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	if c.lean != nil {
		c.lean.idle.close()
	}
}

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
	deadline := result.Started.Add(timeout)
	var at step
	if c.lean.covers(p, len(r.Body)) {
		a := attempt{deadline: deadline}
		err = c.lean.post(ctx, &a, p, r, &result)
		at = a.finish(&result, false)
	} else {
		at, err = c.post(ctx, deadline, p, r, &result)
	}
	if err != nil {
		result.Outcome, result.Err = ofFailure(ctx, overdue{ctx, deadline}, err, at, timeout)
	}
	if result.Outcome == Blocked {
		result.RemoteAddr = ""
	}
	return result
}

// post makes the call with net/http and fills in what the receiver answered.
// Its error is about a call that was not answered, or not to the end.
func (c *Client) post(
	ctx context.Context, deadline time.Time, p *place, r Request, result *Result,
) (step, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	ctx, a := trace(ctx, deadline)
	err := c.roundTrip(ctx, p, r, result)
	return a.finish(result, c.guard.policy.Proxy != nil), err
}

func (c *Client) roundTrip(ctx context.Context, p *place, r Request, result *Result) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(r.Body))
	if err != nil {
		return err
	}
	req.URL, req.Host = p.url, p.url.Host
	req.Header = c.header(r.Header)

	// The transport is used without http.Client, which would follow redirects
	// and take cookies.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // all that is wanted has been read
	if c.lean != nil && p.secure && resp.ProtoMajor == 1 {
		c.lean.old.Add(p.key, true)
	}
	result.head(resp)
	return readBody(resp.Body, resp.ContentLength, result)
}

// head fills in what the receiver answered, up to the body, and lets go of the
// rest: it may be large, and the body may never end.
func (r *Result) head(resp *http.Response) {
	r.Status = resp.StatusCode
	if after := resp.Header.Get("Retry-After"); after != "" {
		r.RetryAfter, r.HasRetryAfter = ParseRetryAfter(after, time.Now())
	}
	r.Header = keepHeader(resp.Header)
	r.Outcome, r.Err = ofStatus(resp.StatusCode)
	resp.Header, resp.Trailer = nil, nil
}

// header returns a copy of h, whose owner may be using it for another call,
// with what every call carries.
func (c *Client) header(h http.Header) http.Header {
	sent := make(http.Header, len(h)+3)
	maps.Copy(sent, h)
	if _, ok := sent["User-Agent"]; !ok {
		sent["User-Agent"] = c.userAgent
	}
	sent["Accept-Encoding"] = c.encoding
	// This key is not sent. It tells the transport that a call may be
	// repeated on a new connection when a reused one was closed before any
	// answer; receivers drop repeats by the webhook-id header.
	if _, ok := sent["X-Idempotency-Key"]; !ok {
		sent["X-Idempotency-Key"] = nil
	}
	return sent
}
