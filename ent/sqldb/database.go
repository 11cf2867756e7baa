package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
)

// Options say which database to open.
type Options struct {
	URL    string       // sqlite:path/to/file.db, or postgres://…
	Logger *slog.Logger // slog.Default() if nil
	// Direct is the URL of the same PostgreSQL without a transaction pooler in
	// between, for the one connection that listens and holds locks. Needed only
	// when URL leads through such a pooler.
	Direct string
	// Connections is how many connections to PostgreSQL may be opened for
	// statements, 2 or more; 5 if zero. One more listens. SQLite has one
	// connection that writes, and as many that read.
	Connections int
	// Existing refuses to make a SQLite file that does not exist.
	Existing bool
	// Driver is the database/sql driver to open the database with; the one that
	// belongs to the URL if empty. With a driver that wraps it, every statement
	// can be observed.
	Driver string
}

func (o Options) withDefaults() Options {
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.Connections = max(2, cmp.Or(o.Connections, 5))
	return o
}

// A Database is an open database: a [*SQLite] or a [*Postgres].
type Database interface {
	fmt.Stringer // SQLite or PostgreSQL, for people

	// Dialect is the name that ent has for the database's SQL.
	Dialect() string
	// Writer is the pool for transactions that may write.
	Writer() *sql.DB
	// Reader is the pool for reads.
	Reader() *sql.DB
	// Serializable are the options of transactions that run as if one followed
	// the other.
	Serializable() *sql.TxOptions
	// Snapshot are the options of transactions that read one state of the
	// database.
	Snapshot() *sql.TxOptions
	// Extremes are the functions that return the greatest and the least of their
	// arguments.
	Extremes() (greatest, least string)
	// Close closes the connections.
	Close() error
}

// Open opens the database and checks that it answers. It does not change its
// tables. A SQLite file that does not exist is made, with its folder, unless
// Existing is set.
func Open(ctx context.Context, o Options) (Database, error) {
	o = o.withDefaults()
	src, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	src.driver = cmp.Or(o.Driver, src.driver)
	var db Database
	if src.kind == sqliteName {
		if err := src.findFile(o.Existing); err != nil {
			return nil, err
		}
		db, err = openSQLite(ctx, src, o)
	} else {
		db, err = openPostgres(ctx, src, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s database: %w", db, explain(err)), db.Close())
	}
	return db, nil
}

// openPool opens a pool whose connections are kept open: each costs PostgreSQL
// a process, and SQLite its page cache.
func openPool(open func(driver, name string) (*sql.DB, error), driver, name string, n int) (*sql.DB, error) {
	db, err := open(driver, name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}
