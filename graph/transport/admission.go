package transport

import (
	"context"
	"time"
)

// initialise authorizes the connection with ConnectionInit. It runs outside the
// read loop, so that pings are answered while ConnectionInit is running.
func (c *connection) initialise(m message) {
	defer func() {
		if v := recover(); v != nil {
			c.h.panicked(c.ctx, v)
			c.close(closeInternal, "Internal server error")
		}
	}()
	payload, _ := m.object() // validated by decodeMessage
	caller, expires, err := c.h.opts.ConnectionInit(c.ctx, payload)
	if err != nil {
		c.refuse(err)
		return
	}
	if expires.IsZero() {
		expires = c.h.opts.Expires(caller)
	}
	if !expires.IsZero() && !expires.After(time.Now()) {
		c.close(closeUnauthorized, "Credentials expired")
		return
	}
	release, ok := c.h.acquire(caller, c.remote)
	if !ok {
		c.close(closeTryAgainLater, "Too many connections")
		return
	}
	c.validity <- validity{expires, c.h.opts.Ended(caller)}
	c.admit(caller, release)
}

// admit accepts the connection. It holds the write lock until the
// acknowledgement is sent, so that no other message precedes it.
func (c *connection) admit(caller context.Context, release func()) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	c.release = release
	c.caller = caller
	c.acked = !c.closing
	acked := c.acked
	c.mu.Unlock()
	if acked {
		c.put(ack())
	}
}

// refuse closes the socket after an error of ConnectionInit.
func (c *connection) refuse(err error) {
	switch codeOf(c.h.present(c.ctx, err)) {
	case CodeInternal:
		c.close(closeInternal, "Internal server error")
	case CodeUnavailable, CodeLimit:
		c.close(closeTryAgainLater, "Try again later")
	default:
		c.close(closeForbidden, "Forbidden")
	}
}
