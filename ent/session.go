package ent

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// A session is the connection of SQLite's writer below database/sql, whose care
// for each argument and row costs as much as SQLite's own work. It keeps the
// statements that it has prepared.
type session struct {
	conn     driver.Conn
	prepared map[string]*statement
}

// A statement is prepared, with room for its arguments.
type statement struct {
	driver.Stmt
	args []driver.NamedValue
}

// attach makes the session use a connection, which is nearly always the one
// that it has.
func (s *session) attach(conn driver.Conn) error {
	if s.conn == conn {
		return nil
	}
	err := s.close()
	s.conn, s.prepared = conn, map[string]*statement{}
	return err
}

// close gives up the statements, without which the connection could not end.
func (s *session) close() error {
	var errs []error
	for _, p := range s.prepared {
		errs = append(errs, p.Close())
	}
	s.conn, s.prepared = nil, nil
	return errors.Join(errs...)
}

// bind returns the prepared statement with its arguments, which are values of
// the kinds that a driver takes.
func (s *session) bind(ctx context.Context, query string, values []any) (*statement, error) {
	p := s.prepared[query]
	if p == nil {
		preparer, ok := s.conn.(driver.ConnPrepareContext)
		if !ok {
			return nil, fmt.Errorf("prepare: the driver's %T can't", s.conn)
		}
		stmt, err := preparer.PrepareContext(ctx, query)
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

// exec runs a statement and returns how many rows it changed.
func (s *session) exec(ctx context.Context, query string, values ...any) (int64, error) {
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

// numbers runs a query whose columns are whole numbers and hands each row to
// found, which must not keep it.
func (s *session) numbers(
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
