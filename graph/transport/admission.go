package transport

import (
	"context"
	"time"
)

// initialise lets ConnectionInit decide about the connection. It does not run
// in the reader, so that pings are answered while it takes its time.
func (c *connection) initialise(m message) {
	defer func() {
		if v := recover(); v != nil {
			c.h.panicked(c.ctx, v)
			c.close(closeInternal, "Internal server error")
		}
	}()
	payload, _ := m.object() // decodeMessage has checked it
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
	leave, ok := c.h.sit(caller, c.remote)
	if !ok {
		c.close(closeTryAgainLater, "Too many connections")
		return
	}
	c.terms <- terms{expires, c.h.opts.Ended(caller)}
	c.admit(caller, leave)
}

// admit opens the connection for operations. The writer is held throughout,
// so that nothing overtakes the acknowledgement.
func (c *connection) admit(caller context.Context, leave func()) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	c.leave = leave
	c.caller = caller
	c.acked = !c.closing
	acked := c.acked
	c.mu.Unlock()
	if acked {
		c.put(ack())
	}
}

// refuse closes the socket because of an error of ConnectionInit.
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
