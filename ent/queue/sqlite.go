package queue

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A sqliteQueue is the queue in a SQLite database. All changes go through one
// writer, which stores what waits in one transaction.
type sqliteQueue struct {
	read   *sql.DB
	writer *sqldb.Writer
	lock   *processLock
}

func newSQLiteQueue(db *sqldb.SQLite, logger *slog.Logger) *sqliteQueue {
	return &sqliteQueue{
		read:   db.Reader(),
		writer: sqldb.NewWriter(db, logger),
		lock:   &processLock{path: db.Path + lockSuffix},
	}
}

// sqliteClock is SQLite's clock in microseconds.
const sqliteClock = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"

// There is one writer, so no row is ever locked, and no webhook changes in a
// transaction.
var sqliteSyntax = strings.NewReplacer("@now", sqliteClock, "@skip_locked", "", "@for_update", "",
	"@share_webhook", "", "@keep", "", "@leased_rows", sqliteLeasedRows)

func (s *sqliteQueue) sql(query string) string { return sqliteSyntax.Replace(query) }

// sqliteLeasedRows names the index, or SQLite would go through the ids in their
// order.
const sqliteLeasedRows = "queue q INDEXED BY queue_lent"

func (s *sqliteQueue) leasedRows() string { return sqliteLeasedRows }

func (s *sqliteQueue) unindexed() string { return "+" }

func (s *sqliteQueue) contains(part string) (operator, pattern string) { return "GLOB", globOf(part) }

func (s *sqliteQueue) ofSource(org delivery.OrgID, source string) string {
	return fmt.Sprintf(`SELECT id FROM event WHERE source_key = %d AND source_key <> 0 UNION ALL
		SELECT id FROM event WHERE key = x'%x'`, shortHash(org, source), ownKey(org, delivery.SourceKey(source)))
}

func (s *sqliteQueue) change(ctx context.Context, fn func(ctx context.Context, q sqldb.Querier) error) error {
	return s.writer.Change(ctx, fn)
}

func (s *sqliteQueue) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.read.QueryContext(ctx, s.sql(query), args...)
}

// A session is the connection that writes, with the statements of the queue.
type session struct {
	*sqldb.Session

	// What a statement is run with, made once: rows are many.
	args   []any
	event  keyedRow
	queued queueRow
	entry  logRow
}

// batch runs fn in one transaction, below database/sql.
func (s *sqliteQueue) batch(ctx context.Context, fn func(ctx context.Context, s *session) error) error {
	return s.writer.Batch(ctx, func(ctx context.Context, one *sqldb.Session) error {
		return fn(ctx, &session{Session: one})
	})
}

// events reads the events by literal ids.
func (s *sqliteQueue) events(ctx context.Context, ids []delivery.EventID) ([]delivery.Event, error) {
	return eventsByID(ctx, s.read, 0, ids)
}

// prepare has nothing to do: SQLite has no partitions.
func (s *sqliteQueue) prepare(context.Context, time.Time) error { return nil }

// oldestTransaction is zero: a reader of SQLite ends with its method.
func (s *sqliteQueue) oldestTransaction(context.Context) (time.Duration, error) { return 0, nil }

func (s *sqliteQueue) ping(ctx context.Context) error {
	if err := s.writer.Refusal(); err != nil {
		return sqldb.Unavailable(err)
	}
	_, err := numbers(ctx, s.read, "SELECT 1")
	return sqldb.Unavailable(err)
}

func (s *sqliteQueue) wake() <-chan struct{} { return nil }

func (s *sqliteQueue) notify() {}

// close releases the lock after the last change.
func (s *sqliteQueue) close() error {
	s.writer.Close()
	return s.lock.close()
}
