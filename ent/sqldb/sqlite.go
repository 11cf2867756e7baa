package sqldb

import (
	"context"
	"database/sql"
	"errors"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// A SQLite is an open SQLite database.
type SQLite struct {
	Path string // of its file

	write *sql.DB // one connection, whose transactions begin as writers
	read  *sql.DB // a pool that can only read
}

// openSQLite returns a database that can be closed also when it fails.
func openSQLite(ctx context.Context, src source, o Options) (*SQLite, error) {
	db := &SQLite{Path: src.path}
	open := func(open func(driver, name string) (*sql.DB, error), name string, n int) (*sql.DB, error) {
		pool, err := openPool(open, src.driver, name, n)
		if err != nil {
			return nil, err
		}
		return pool, Retry(ctx, func() error { return pool.PingContext(ctx) })
	}
	var err error
	// The writer comes first: it is the one that may turn the file to WAL. Of
	// several that do so at the same moment SQLite lets all but one fail.
	if db.write, err = open(openSessions, src.write, 1); err != nil {
		return db, err
	}
	db.read, err = open(sql.Open, src.read, o.Connections)
	return db, err
}

// String names the database for people.
func (*SQLite) String() string { return "SQLite" }

// Dialect implements [Database].
func (*SQLite) Dialect() string { return sqliteName }

// Writer implements [Database]. The pool has one connection.
func (db *SQLite) Writer() *sql.DB { return db.write }

// Reader implements [Database]. The pool refuses to write.
func (db *SQLite) Reader() *sql.DB { return db.read }

// Serializable implements [Database]. One connection writes, so every
// transaction follows another.
func (*SQLite) Serializable() *sql.TxOptions { return nil }

// Snapshot implements [Database]. Every transaction of SQLite is a snapshot.
func (*SQLite) Snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }

// Extremes implements [Database].
func (*SQLite) Extremes() (greatest, least string) { return "MAX", "MIN" }

// Close implements [Database].
func (db *SQLite) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{db.read, db.write} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}
