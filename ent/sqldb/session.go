package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// A Session is the connection of SQLite's writer. Statements that many rows go
// through run on it below database/sql, whose checks of each argument and row
// cost as much as SQLite's own work. It keeps the statements that it has
// prepared.
type Session struct {
	sqliteConn

	prepared map[string]*statement
}

// A sqliteConn is what the driver's connections must support.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// A statement is prepared, with room for its arguments.
type statement struct {
	driver.Stmt
	args []driver.NamedValue
}

// A sessionOpener opens the connections of a pool as sessions. It implements
// [driver.Connector].
type sessionOpener struct {
	driver driver.Driver
	name   string
}

// openSessions opens a pool of sessions.
func openSessions(driverName, name string) (*sql.DB, error) {
	db, err := sql.Open(driverName, name)
	if err != nil {
		return nil, err
	}
	opener := sessionOpener{driver: db.Driver(), name: name}
	return sql.OpenDB(opener), db.Close()
}

// Connect implements [driver.Connector].
func (o sessionOpener) Connect(context.Context) (driver.Conn, error) {
	conn, err := o.driver.Open(o.name)
	if err != nil {
		return nil, err
	}
	able, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's %T can't do all that is needed", conn), conn.Close())
	}
	return &Session{sqliteConn: able, prepared: map[string]*statement{}}, nil
}

// Driver implements [driver.Connector].
func (o sessionOpener) Driver() driver.Driver { return o.driver }

// Close implements [driver.Conn]. The pool also closes connections on which a
// caller has given up, and statements must not outlive their connection.
func (s *Session) Close() error {
	var errs []error
	for _, p := range s.prepared {
		errs = append(errs, p.Close())
	}
	clear(s.prepared)
	return errors.Join(append(errs, s.sqliteConn.Close())...)
}

// bind returns the prepared statement with its arguments, which are values of
// the kinds that a driver takes.
func (s *Session) bind(ctx context.Context, query string, values []any) (*statement, error) {
	p := s.prepared[query]
	if p == nil {
		stmt, err := s.PrepareContext(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		p = &statement{Stmt: stmt, args: make([]driver.NamedValue, len(values))}
		for i := range p.args {
			p.args[i].Ordinal = i + 1
		}
		s.prepared[query] = p
	}
	for i, v := range values {
		p.args[i].Value = v
	}
	return p, nil
}

// Exec runs a statement and returns how many rows it changed.
func (s *Session) Exec(ctx context.Context, query string, values ...any) (int64, error) {
	p, err := s.bind(ctx, query, values)
	if err != nil {
		return 0, err
	}
	runner, ok := p.Stmt.(driver.StmtExecContext)
	if !ok {
		return 0, fmt.Errorf("run: the driver's %T can't", p.Stmt)
	}
	result, err := runner.ExecContext(ctx, p.args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Numbers runs a query whose columns are whole numbers and hands each row to
// found, which must not keep it.
func (s *Session) Numbers(
	ctx context.Context, query string, found func(row []int64), values ...any,
) (err error) {
	p, err := s.bind(ctx, query, values)
	if err != nil {
		return err
	}
	runner, ok := p.Stmt.(driver.StmtQueryContext)
	if !ok {
		return fmt.Errorf("run: the driver's %T can't", p.Stmt)
	}
	rows, err := runner.QueryContext(ctx, p.args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	read := make([]driver.Value, len(rows.Columns()))
	row := make([]int64, len(read))
	for {
		if err := rows.Next(read); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for i, v := range read {
			row[i], ok = v.(int64)
			if !ok {
				return fmt.Errorf("column %d is %T and no number", i+1, v)
			}
		}
		found(row)
	}
}
