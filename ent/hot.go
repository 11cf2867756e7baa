package ent

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"portalhooks/delivery"
)

// hot keeps the queue, the events, the log and the membership of processes:
// everything whose statements are written by hand.
//
// On PostgreSQL a batch of ingest or settle is one statement on one connection
// of the pool. On SQLite all changes go through one writer, which stores what
// waits in one transaction.
type hot struct {
	write   *sql.DB
	read    *sql.DB
	dialect dialect
	logger  *slog.Logger
	// prepared runs the statements of the hot path on PostgreSQL; nil through a
	// transaction pooler, where they are run as they are.
	prepared *prepared
	writer   *writer      // SQLite only
	presence *presence    // SQLite only
	bell     *bell        // nil where nobody could hear it, as link is
	link     *link        // PostgreSQL only, and not through a transaction pooler
	missing  missing      // processes whose lock was found free
	clock    clock        // the database's
	turn     atomic.Int64 // the webhook after which the next fair claim looks first
	circle   circle
	low      lowMark // below which nothing is due
}

// newHot starts the background work of the hot tables; close ends it. The
// tables need not exist yet. Without a direct way to PostgreSQL there is no
// link.
func newHot(write, read *sql.DB, src source, direct string, logger *slog.Logger) *hot {
	h := &hot{write: write, read: read, dialect: src.dialect, logger: logger}
	switch {
	case src.dialect == sqliteDialect:
		h.presence = &presence{path: src.path + lockSuffix}
		h.writer = newWriter(write, read, logger)
	case direct != "":
		h.bell = newBell(write, logger)
		h.link = newLink(direct, h.bell.hear, h.markLocked, logger)
	}
	return h
}

// close waits for the changes that were begun.
func (h *hot) close() error {
	if h.writer != nil {
		h.writer.close()
		return h.presence.close()
	}
	if h.link != nil {
		h.link.close()
		h.bell.close()
	}
	return nil
}

// A querier runs statements, inside a transaction or each in its own.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// change runs fn in one transaction, again from its start while the database
// asks for that: fn must not keep anything from an earlier run, and must find
// out what a run did whose commit got lost.
func (h *hot) change(ctx context.Context, fn func(ctx context.Context, q querier) error) error {
	if h.writer != nil {
		err := h.writer.do(ctx, func(ctx context.Context, t *writing) error { return fn(ctx, t) })
		return unavailable(err)
	}
	return persist(ctx, func() error {
		tx, err := h.write.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if _, err = tx.ExecContext(ctx, abandon); err == nil {
			err = fn(ctx, tx)
		}
		if err != nil {
			_ = tx.Rollback() // what made the transaction fail is the error to tell
			return err
		}
		return tx.Commit()
	})
}

// abandon lets PostgreSQL end a transaction in which nothing happens any more:
// the rows that a frozen process has changed must not stay locked to those who
// take over from it. It lasts as long as the transaction, as a pooler wants it.
const abandon = "SET LOCAL idle_in_transaction_session_timeout = '5s'"

// sqliteClock is an expression for SQLite's clock in microseconds.
const sqliteClock = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"

// now is an expression for the database's clock in microseconds.
func (d dialect) now() string {
	if d == sqliteDialect {
		return sqliteClock
	}
	return "(extract(epoch FROM now()) * 1000000)::bigint"
}

// sql puts the database's clock in the place of @now.
func (d dialect) sql(query string) string {
	return strings.ReplaceAll(query, "@now", d.now())
}

// rowsOf reads all rows of a query.
func rowsOf[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func scanInt64(rows *sql.Rows) (n int64, err error) {
	err = rows.Scan(&n)
	return n, err
}

// affected returns how many rows a statement changed.
func affected(r sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// inList writes the operator and the list for "column IN (…)". An empty list
// matches nothing.
func inList[T ~int64](ids []T) string {
	if len(ids) == 0 {
		return " IN (NULL)"
	}
	var b strings.Builder
	b.Grow(6 + 20*len(ids))
	b.WriteString(" IN (")
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d", int64(id))
	}
	b.WriteByte(')')
	return b.String()
}

// ofOrg narrows to an organization; 0 is any.
func ofOrg(org delivery.OrgID) string {
	if org == 0 {
		return ""
	}
	return fmt.Sprintf(" AND org = %d", int64(org))
}
