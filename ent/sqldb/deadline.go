package sqldb

import (
	"context"
	"database/sql"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

const (
	// answerTimeout is how long PostgreSQL may take for any sign of an answer.
	// Every statement of this program takes far less; a longer wait is one on a
	// connection that leads nowhere.
	answerTimeout = 10 * time.Second
	// How an idle connection finds out the same.
	idleProbe, idleProbes = 5 * time.Second, 3
)

// A deadlineDialer dials PostgreSQL. The driver waits for an answer without end,
// even when the caller's context has ended: on a connection whose other side has
// disappeared, behind a firewall or frozen with its machine, it would hang until
// the operating system gives up.
type deadlineDialer struct {
	net.Dialer

	patient atomic.Bool // while statements run that may take long
	age     connectionAge
}

func newDeadlineDialer() *deadlineDialer {
	return &deadlineDialer{Dialer: net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: idleProbe, Interval: idleProbe, Count: idleProbes,
	}}}
}

// open returns a pool whose connections d dials. Another driver than the one of
// PostgreSQL dials by itself.
func (d *deadlineDialer) open(driver, name string) (*sql.DB, error) {
	if driver != postgresName {
		return sql.Open(driver, name)
	}
	c, err := pq.NewConnector(name)
	if err != nil {
		return nil, err
	}
	c.Dialer(d)
	return sql.OpenDB(agedConnector{c, &d.age}), nil
}

// DialContext implements [pq.DialerContext].
func (d *deadlineDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &deadlineConn{Conn: c, dialer: d}, nil
}

// DialTimeout implements [pq.Dialer].
func (d *deadlineDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// A deadlineConn gives every read and every write a deadline. Its user reads
// only when an answer is due.
type deadlineConn struct {
	net.Conn

	dialer *deadlineDialer
	mu     sync.Mutex
	until  time.Time // what the driver has set, for the handshake
}

// Read implements [net.Conn].
func (c *deadlineConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(c.deadline()); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write implements [net.Conn].
func (c *deadlineConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(c.deadline()); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// SetDeadline implements [net.Conn].
func (c *deadlineConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.until = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

func (c *deadlineConn) deadline() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dialer.patient.Load() {
		return c.until
	}
	limit := time.Now().Add(answerTimeout)
	if !c.until.IsZero() && c.until.Before(limit) {
		return c.until
	}
	return limit
}
