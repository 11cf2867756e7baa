package queue

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A Queue keeps the pending deliveries, the events, the delivery log, the
// counts and the members. It implements those parts of [delivery.Store] whose
// statements are written by hand, and may be used by many goroutines at once.
type Queue struct {
	db       backend
	read     *sql.DB
	record   Recorder
	logger   *slog.Logger
	clock    clock        // the database's
	turn     atomic.Int64 // the webhook after which the next fair claim starts
	webhooks webhookCache // the webhooks that have rows in the queue
	low      *watermarks  // nil on SQLite, which leaves no dead rows behind
}

// A Recorder adds entries to the audit log in the transaction that q belongs to.
type Recorder func(ctx context.Context, q sqldb.Querier, entries ...delivery.AuditEntry) error

// New starts the background work of a queue; Close ends it. The tables need not
// exist yet.
func New(db sqldb.Database, record Recorder, logger *slog.Logger) *Queue {
	q := &Queue{read: db.Reader(), record: record, logger: logger}
	switch db := db.(type) {
	case *sqldb.SQLite:
		q.db = newSQLiteQueue(db, logger)
	case *sqldb.Postgres:
		q.db, q.low = newPostgresQueue(db, logger), &watermarks{}
	}
	return q
}

// Close waits for the changes that were begun and ends the background work.
func (q *Queue) Close() error { return q.db.close() }

// A backend does what SQLite and PostgreSQL do differently.
type backend interface {
	syntax
	batches
	liveness
	maintenance

	// change runs fn in one transaction, again from its start while the backend
	// asks for that: fn must not keep anything from an earlier run, and must find
	// out what a run did whose commit got lost.
	change(ctx context.Context, fn func(ctx context.Context, q sqldb.Querier) error) error
	// query completes a statement that comes often and runs it.
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	// close waits for the changes that were begun.
	close() error
}

// A syntax writes what the statements of both databases share.
type syntax interface {
	// sql completes a statement: @now is the database's clock in microseconds,
	// @skip_locked passes over locked rows, @for_update locks them, @share_webhook
	// keeps the webhook w from being changed, @keep keeps rows from being deleted,
	// and @leased_rows is leasedRows.
	sql(query string) string
	// leasedRows is the table of the queue where leased rows are looked for.
	leasedRows() string
	// unindexed comes before a column whose index must not be used.
	unindexed() string
	// contains is the operator, and its argument, that finds text which has part
	// in it, in any case.
	contains(part string) (operator, pattern string)
	// ofSource selects the ids of the events of one source.
	ofSource(org delivery.OrgID, source string) string
}

// A batches runs the statements that many rows go through.
type batches interface {
	// ingest stores a batch in one transaction. errKeyGone asks for another run.
	ingest(
		ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
	) ([]delivery.Ingested, error)
	// keyed calls found for each of an organization's keys that has an event.
	keyed(ctx context.Context, org delivery.OrgID, keys []string, found func(key string, k keyed)) error
	// claim leases up to n due rows, of each webhook its share at most.
	claim(ctx context.Context, c delivery.ClaimRequest, list []share, n int) ([]delivery.Job, error)
	// claimOrdered leases the first rows of webhooks whose deliveries go out in
	// order, of each its share at most.
	claimOrdered(ctx context.Context, c delivery.ClaimRequest, list []share) ([]delivery.Job, error)
	// events reads the events of claimed rows.
	events(ctx context.Context, ids []delivery.EventID) ([]delivery.Event, error)
	// settle stores a batch in one transaction and reports where the fence held.
	settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error)
}

// A liveness shows the other servers that this one lives, and finds out which
// of them do not.
type liveness interface {
	// joining is what the transaction of a Join does first.
	joining() func(ctx context.Context, q sqldb.Querier) error
	// joined comes after the transaction in which owner got its slot, left after
	// the one in which it gave that up.
	joined(owner delivery.Owner)
	left(owner delivery.Owner)
	// endDeadLeases ends the leases of servers that are dead for certain.
	endDeadLeases(ctx context.Context) error
}

// A maintenance keeps the database fit.
type maintenance interface {
	prepare(ctx context.Context, now time.Time) error
	discard(ctx context.Context, t time.Time) (more bool, err error)
	oldestTransaction(ctx context.Context) (time.Duration, error)
	// ping returns nil if the database answers and takes changes, else UNAVAILABLE
	// with the reason.
	ping(ctx context.Context) error
	// wake gets a value when another server may have written; nil where the
	// database can't tell. notify is its counterpart.
	wake() <-chan struct{}
	notify()
}

// numbers reads one column.
func (q *Queue) numbers(ctx context.Context, query string, args ...any) ([]int64, error) {
	return numbers(ctx, q.read, q.db.sql(query), args...)
}

func numbers(ctx context.Context, db sqldb.Querier, query string, args ...any) (all []int64, err error) {
	err = sqldb.Persist(ctx, func() error {
		rows, err := db.QueryContext(ctx, query, args...)
		all, err = sqldb.Collect(rows, err, sqldb.ScanInt64)
		return err
	})
	return all, err
}

// ofOrg narrows to an organization; 0 is any.
func ofOrg(org delivery.OrgID) string {
	if org == 0 {
		return ""
	}
	return fmt.Sprintf(" AND org = %d", int64(org))
}
