package sqldb

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
	"time"
)

// A connectionAge ends the connections of all pools of a database that were made
// before some moment. A pool keeps a connection for as long as it works, so after
// a failover it would go on with those to the old primary, which is read-only now.
type connectionAge struct{ outdated atomic.Int64 }

// outdate closes, at their next use, the connections that there are now.
func (a *connectionAge) outdate() { a.outdated.Store(time.Now().UnixNano()) }

func (a *connectionAge) isOutdated(made time.Time) bool { return made.UnixNano() <= a.outdated.Load() }

// An agedConnector makes connections that can be outdated. It implements
// [driver.Connector].
type agedConnector struct {
	driver.Connector

	age *connectionAge
}

// Connect implements [driver.Connector].
func (c agedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	able, ok := conn.(postgresConn)
	if !ok {
		return conn, nil
	}
	return &agedConn{postgresConn: able, age: c.age, made: time.Now()}, nil
}

// A postgresConn is what the connections of PostgreSQL's driver support.
type postgresConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// An agedConn knows when it was made.
type agedConn struct {
	postgresConn

	age  *connectionAge
	made time.Time
}

// ResetSession implements [driver.SessionResetter]: it comes before the next use.
func (c *agedConn) ResetSession(ctx context.Context) error {
	if c.age.isOutdated(c.made) {
		return driver.ErrBadConn
	}
	return c.postgresConn.ResetSession(ctx)
}

// IsValid implements [driver.Validator]: it comes after each use.
func (c *agedConn) IsValid() bool { return !c.age.isOutdated(c.made) && c.postgresConn.IsValid() }
