package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"portalhooks/delivery"
)

// A Postgres is an open PostgreSQL database.
type Postgres struct {
	// Direct is the URL for connections that keep a session; empty when there
	// are none, because a transaction pooler is in between.
	Direct string
	// Pooled is set when a transaction pooler is in between.
	Pooled bool

	pool     *sql.DB
	prepared *prepared // nil where statements are run without being prepared
	dialer   *deadlineDialer
	logger   *slog.Logger
	health   Health
}

// openPostgres returns a database that can be closed also when it fails.
func openPostgres(ctx context.Context, src source, o Options) (*Postgres, error) {
	db := &Postgres{dialer: newDeadlineDialer(), logger: o.Logger}
	var err error
	if db.pool, err = openPool(db.dialer.open, src.driver, src.write, o.Connections); err != nil {
		return db, err
	}
	if err := db.pool.PingContext(ctx); err != nil {
		return db, err
	}
	if db.Direct, err = db.reach(ctx, src, o.Direct); err != nil {
		return db, err
	}
	if !db.Pooled {
		db.prepare(ctx, src, o.Connections)
	}
	return db, nil
}

// prepare gives most of the connections to statements that are prepared, if
// there are enough. A pooler of whole sessions may refuse the setting: then no
// statement is prepared.
func (db *Postgres) prepare(ctx context.Context, src source, connections int) {
	rest := max(2, connections-preparedConnections)
	if connections <= rest {
		return
	}
	pool, err := openPool(db.dialer.open, src.driver, src.prepare, connections-rest)
	if err != nil {
		return
	}
	if err := pool.PingContext(ctx); err != nil {
		db.logger.InfoContext(ctx, "the statements of the queue are not prepared: "+
			"the connection does not take the setting plan_cache_mode", "error", explain(err))
		_ = pool.Close() // it was never used
		return
	}
	db.pool.SetMaxOpenConns(rest)
	db.pool.SetMaxIdleConns(rest)
	db.prepared = &prepared{db: pool, made: make(map[string]*madeStatement)}
}

// String names the database for people.
func (*Postgres) String() string { return "PostgreSQL" }

// Dialect implements [Database].
func (*Postgres) Dialect() string { return postgresName }

// Writer implements [Database].
func (db *Postgres) Writer() *sql.DB { return db.pool }

// Reader implements [Database]. It is the pool that writes.
func (db *Postgres) Reader() *sql.DB { return db.pool }

// Serializable implements [Database].
func (*Postgres) Serializable() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelSerializable}
}

// Snapshot implements [Database].
func (*Postgres) Snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// Extremes implements [Database].
func (*Postgres) Extremes() (greatest, least string) { return "GREATEST", "LEAST" }

// Query runs a statement that comes often, prepared where that is possible.
func (db *Postgres) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if db.prepared != nil {
		return db.prepared.query(ctx, query, args...)
	}
	return db.pool.QueryContext(ctx, query, args...)
}

// endIdle makes PostgreSQL end a transaction that goes idle: the rows that a
// frozen server has changed must not stay locked to the servers that take over
// from it. The setting lasts as long as the transaction, as a pooler needs it.
const endIdle = "SET LOCAL idle_in_transaction_session_timeout = '5s'"

// Change runs fn in one transaction, again from its start while the database
// asks for that: fn must not keep anything from an earlier run, and must find
// out what a run did whose commit got lost. Failures that pass are UNAVAILABLE.
func (db *Postgres) Change(ctx context.Context, fn func(ctx context.Context, q Querier) error) error {
	err := Persist(ctx, func() error {
		tx, err := db.pool.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if _, err = tx.ExecContext(ctx, endIdle); err == nil {
			err = fn(ctx, tx)
		}
		if err != nil {
			_ = tx.Rollback() // what made the transaction fail is the error to tell
			return err
		}
		return tx.Commit()
	})
	db.Note("change", err)
	return Unavailable(err)
}

// Note remembers how a write has ended. Where the database is read-only, none of
// the connections that there are now is used again.
func (db *Postgres) Note(kind string, err error) {
	db.health.Note(kind, err)
	if isReadOnly(err) {
		db.dialer.age.outdate()
	}
}

// isPrimary reports whether the database takes changes.
const isPrimary = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"

// Ping returns nil if the database answers, is a primary, and has stored what it
// was last given to store.
func (db *Postgres) Ping(ctx context.Context) error {
	var primary bool
	if err := db.pool.QueryRowContext(ctx, isPrimary).Scan(&primary); err != nil {
		return Unavailable(err)
	}
	if !primary {
		db.dialer.age.outdate()
		return delivery.Errorf(delivery.Unavailable, "", "%s", readOnly)
	}
	return Unavailable(db.health.Refusal())
}

// WithoutDeadline runs statements that may take long.
func (db *Postgres) WithoutDeadline(run func() error) error {
	db.dialer.patient.Store(true)
	defer db.dialer.patient.Store(false)
	return run()
}

// Close implements [Database].
func (db *Postgres) Close() error {
	if db.prepared != nil {
		db.prepared.close()
	}
	if db.pool == nil {
		return nil
	}
	return db.pool.Close()
}
