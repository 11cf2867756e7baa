package queue

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A postgresQueue is the queue in a PostgreSQL database. A batch is one
// statement on one connection.
type postgresQueue struct {
	*sqldb.Postgres

	pool      *sql.DB
	logger    *slog.Logger
	notifier  *sqldb.Notifier // nil through a transaction pooler, as listener is
	listener  *sqldb.Listener
	freeLocks freeLocks // locks that were found free
}

// newPostgresQueue starts to listen if there is a direct way to PostgreSQL.
func newPostgresQueue(db *sqldb.Postgres, logger *slog.Logger) *postgresQueue {
	p := &postgresQueue{Postgres: db, pool: db.Writer(), logger: logger}
	if db.Direct != "" {
		p.notifier = sqldb.NewNotifier(p.pool, logger)
		p.listener = sqldb.NewListener(db.Direct, p.notifier.Receive, p.markLocked, logger)
	}
	return p
}

// postgresClock is PostgreSQL's clock in microseconds: the time at which the
// transaction began.
const postgresClock = "(extract(epoch FROM now()) * 1000000)::bigint"

var postgresSyntax = strings.NewReplacer("@now", postgresClock, "@skip_locked", "FOR UPDATE SKIP LOCKED",
	"@for_update", "FOR UPDATE", "@share_webhook", "FOR SHARE OF w", "@keep", "FOR KEY SHARE",
	"@leased_rows", "queue q")

func (p *postgresQueue) sql(query string) string { return postgresSyntax.Replace(query) }

func (p *postgresQueue) leasedRows() string { return "queue q" }

// unindexed has no effect: PostgreSQL chooses indexes by statistics.
func (p *postgresQueue) unindexed() string { return "" }

func (p *postgresQueue) contains(part string) (operator, pattern string) { return "~", regexpOf(part) }

func (p *postgresQueue) ofSource(org delivery.OrgID, source string) string {
	return fmt.Sprintf(`SELECT id FROM event WHERE source_key = %d UNION ALL
		SELECT event FROM event_key WHERE key = '\x%x' AND org = %d`,
		shortHash(org, source), delivery.SourceKey(source), org)
}

func (p *postgresQueue) change(
	ctx context.Context, fn func(ctx context.Context, q sqldb.Querier) error,
) error {
	return p.Change(ctx, fn)
}

// query prepares the statement where that is possible.
func (p *postgresQueue) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.Query(ctx, p.sql(query), args...)
}

func (p *postgresQueue) ping(ctx context.Context) error { return p.Ping(ctx) }

func (p *postgresQueue) wake() <-chan struct{} {
	if p.notifier == nil {
		return nil
	}
	return p.notifier.Wake
}

func (p *postgresQueue) notify() {
	if p.notifier != nil {
		p.notifier.Notify()
	}
}

func (p *postgresQueue) close() error {
	if p.listener != nil {
		p.listener.Close()
		p.notifier.Close()
	}
	return nil
}
