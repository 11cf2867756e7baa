package api

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"testing"
)

// A statementLog has the statements that were run through a driver.
type statementLog struct {
	mu  sync.Mutex
	all []string
}

func (l *statementLog) add(query string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, query)
}

// take returns the statements since the last call.
func (l *statementLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.all
	l.all = nil
	return taken
}

// loggedDriver registers a driver that does as the one of that name does, and
// logs every statement.
func loggedDriver(t *testing.T, name string) (string, *statementLog) {
	t.Helper()
	db, err := sql.Open(name, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log, logged := &statementLog{}, name+" "+rand.Text()
	sql.Register(logged, &logDriver{db.Driver(), log})
	return logged, log
}

type logDriver struct {
	driver.Driver
	log *statementLog
}

// Open implements [driver.Driver].
func (d *logDriver) Open(name string) (driver.Conn, error) {
	c, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	full, ok := c.(fullConn)
	if !ok {
		return nil, fmt.Errorf("%T can't be watched", c)
	}
	return &logConn{full, d.log}, nil
}

// A fullConn is what the connections of both drivers are.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type logConn struct {
	fullConn
	log *statementLog
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *logConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.fullConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	full, ok := stmt.(fullStmt)
	if !ok {
		return nil, fmt.Errorf("%T can't be watched", stmt)
	}
	return &logStmt{full, query, c.log}, nil
}

// ExecContext implements [driver.ExecerContext].
func (c *logConn) ExecContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Result, error) {
	c.log.add(query)
	return c.fullConn.ExecContext(ctx, query, args)
}

// QueryContext implements [driver.QueryerContext].
func (c *logConn) QueryContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Rows, error) {
	c.log.add(query)
	return c.fullConn.QueryContext(ctx, query, args)
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *logConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// ResetSession implements [driver.SessionResetter].
func (c *logConn) ResetSession(ctx context.Context) error {
	if resetter, ok := c.fullConn.(driver.SessionResetter); ok {
		return resetter.ResetSession(ctx)
	}
	return nil
}

// IsValid implements [driver.Validator].
func (c *logConn) IsValid() bool {
	validator, ok := c.fullConn.(driver.Validator)
	return !ok || validator.IsValid()
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type logStmt struct {
	fullStmt
	query string
	log   *statementLog
}

// ExecContext implements [driver.StmtExecContext].
func (s *logStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.log.add(s.query)
	return s.fullStmt.ExecContext(ctx, args)
}

// QueryContext implements [driver.StmtQueryContext].
func (s *logStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.log.add(s.query)
	return s.fullStmt.QueryContext(ctx, args)
}
