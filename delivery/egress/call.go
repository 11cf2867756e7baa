package egress

import (
	"context"
	"net"
	"net/http"
	"time"
)

// A call is one use of a Client. It opens connections for the transport,
// measures, and keeps of the response what a Result has.
type call struct {
	meter
	client *Client
	to     *endpoint
	result Result
	long   bool // holds one of the client's slots
}

// Dial implements http1.Handler.
func (c *call) Dial(ctx context.Context) (net.Conn, error) {
	c.meter = meter{at: lookingUp} // also when the call is repeated
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

// maxLong is how many responses are kept at length at once: as many as there
// are workers by default. Of others only a little is kept.
const maxLong = 64

// Slots bound how many responses are kept at length at once.
type slots chan struct{}

// isAmple reports whether more than a little of the response may be kept.
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

// release lets another response have the slot of this one.
func (c *call) release() {
	if c.long {
		<-c.client.long
	}
}
