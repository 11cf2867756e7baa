package egress

import (
	"context"
	"net"
	"net/http"
	"time"

	"portalhooks/delivery/egress/http1"
)

// A call is one use of a Client. It opens connections for the transport, measures
// the steps, and turns the response into a Result.
type call struct {
	meter
	client *Client
	to     *endpoint
	result Result
	long   bool // it holds one of the client's slots
}

// defaultTimeout limits calls without a Timeout.
const defaultTimeout = 15 * time.Second

// run makes the call and completes its result.
func (c *call) run(ctx context.Context, r Request) {
	defer c.release()
	if r.Timeout <= 0 {
		r.Timeout = defaultTimeout
	}
	deadline := c.result.Started.Add(r.Timeout)
	err := c.client.transport.Do(ctx, http1.Request{
		Key: c.to.key, Start: c.to.start, Header: r.Header, Body: r.Body, Deadline: deadline,
	}, c)
	at := c.finish(&c.result, c.client.guard.policy.Proxy != nil)
	if err != nil {
		c.result.Outcome, c.result.Err = ofFailure(ctx, overdue{ctx, deadline}, err, at, r.Timeout)
	}
	if c.result.Outcome == Blocked {
		c.result.RemoteAddr = ""
	}
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

// Dial implements http1.Handler.
func (c *call) Dial(ctx context.Context) (net.Conn, error) {
	c.meter = meter{at: lookingUp} // a repeated call is measured from here
	conn, err := c.client.open(ctx, &c.meter, c.to)
	if err != nil || !c.to.secure {
		return conn, err
	}
	c.enter(handshaking)
	return encrypt(ctx, conn, c.client.tls, c.to.host)
}

// Connected implements http1.Handler.
func (c *call) Connected(remote string, reused bool) {
	c.enter(waiting)
	c.remote, c.timing.Reused = remote, reused
}

// FirstByte implements http1.Handler.
func (c *call) FirstByte() { c.enter(reading) }

// Response implements http1.Handler.
func (c *call) Response(resp *http.Response) error {
	c.result.head(resp, c.isAmple)
	return readBody(resp.Body, resp.ContentLength, &c.result, c.isAmple)
}

// head stores what r keeps of a response without its body. It drops the headers
// from resp, which may be large, because the body may never end.
func (r *Result) head(resp *http.Response, ample func() bool) {
	r.Status = resp.StatusCode
	if after := resp.Header.Get("Retry-After"); after != "" {
		r.RetryAfter, r.HasRetryAfter = ParseRetryAfter(after, time.Now())
	}
	r.Header = keepHeader(resp.Header, ample)
	r.Outcome, r.Err = ofStatus(resp.StatusCode)
	resp.Header, resp.Trailer = nil, nil
}

// maxLong is how many calls may keep a long response at once, which is the
// default number of workers. Others keep only the beginning.
const maxLong = 64

// Slots limit how many calls may keep a long response at once.
type slots chan struct{}

// isAmple reports whether the call may keep a long response. It takes a slot if
// there is one.
func (c *call) isAmple() bool {
	if !c.long {
		select {
		case c.client.long <- struct{}{}:
			c.long = true
		default:
		}
	}
	return c.long
}

// release returns the slot, if the call has one.
func (c *call) release() {
	if c.long {
		<-c.client.long
	}
}
