package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// errTwoTrips says what to do about a pooler, in the words of the settings.
var errTwoTrips = errors.New("the database is behind a transaction pooler, which mixes up the answers of " +
	"statements that are prepared first: take binary_parameters out of the database URL, or set it to yes")

// reach finds out whether a transaction pooler is between this server and
// PostgreSQL, and returns the URL of a direct way, "" when there is none.
// Through such a pooler everything works but what a connection keeps between two
// transactions: notifications and the locks of a session.
func (db *Postgres) reach(ctx context.Context, src source, direct string) (string, error) {
	pooled, err := isPooled(ctx, db.pool)
	if err != nil {
		return "", fmt.Errorf("look for a pooler: %w", err)
	}
	db.Pooled = pooled
	if pooled && src.twoTrips {
		return "", errTwoTrips
	}
	if direct != "" {
		return db.checkDirect(ctx, src.driver, direct)
	}
	if !pooled {
		return src.write, nil
	}
	db.logger.WarnContext(ctx, "the database is behind a transaction pooler: live updates from other servers "+
		"come up to two seconds late, and a server that dies is noticed after six; set --database-direct to the "+
		"URL of PostgreSQL itself to have both at once")
	return "", nil
}

// checkDirect returns the direct URL for use, once it is known to lead to the
// same database without a transaction pooler.
func (db *Postgres) checkDirect(ctx context.Context, driver, direct string) (string, error) {
	src, err := parseURL(direct)
	if err == nil && src.kind != postgresName {
		err = errors.New("it must be one of PostgreSQL")
	}
	if err != nil {
		return "", fmt.Errorf("the URL of the direct connection: %w", err)
	}
	other, err := openPool(db.dialer.open, driver, src.write, 2)
	if err != nil {
		return "", fmt.Errorf("the direct connection: %w", err)
	}
	defer other.Close()
	pooled, err := isPooled(ctx, other)
	if err != nil {
		return "", fmt.Errorf("the direct connection: %w", explain(err))
	}
	if pooled {
		return "", errors.New("the direct connection leads through a transaction pooler: " +
			"give the address of PostgreSQL itself")
	}
	mine, err := identity(ctx, db.pool)
	if err != nil {
		return "", err
	}
	theirs, err := identity(ctx, other)
	if err != nil {
		return "", err
	}
	if mine != theirs {
		return "", errors.New("the direct connection leads to another database than the database URL")
	}
	return src.write, nil
}

// identity returns text that no other database shares.
func identity(ctx context.Context, db *sql.DB) (text string, err error) {
	err = db.QueryRowContext(ctx, "SELECT current_database() || ' ' || pg_postmaster_start_time()").Scan(&text)
	if err != nil {
		return "", fmt.Errorf("identify the database: %w", err)
	}
	return text, nil
}

// probes is how often isPooled looks. Poolers assign the connection that was
// released last, so that once is enough for most.
const probes = 3

// isPooled reports whether connections share backends, which those of PostgreSQL
// itself never do: while one is in a transaction, another either was served by
// the same backend before, or is by another after.
func isPooled(ctx context.Context, db *sql.DB) (bool, error) {
	one, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = one.Close() }() // a broken one has failed before
	for range probes {
		before, err := servedBy(ctx, one)
		if err != nil {
			return false, err
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return false, poolerError(err)
		}
		other, err := servedBy(ctx, tx)
		after := before
		if err == nil && other != before {
			after, err = servedBy(ctx, one)
		}
		if err = errors.Join(err, tx.Rollback()); err != nil {
			return false, poolerError(err)
		}
		if other == before || after != before {
			return true, nil
		}
	}
	return false, nil
}

// servedBy returns the id of the backend that answers.
func servedBy(ctx context.Context, q Querier) (int64, error) {
	rows, err := q.QueryContext(ctx, "SELECT pg_backend_pid()::bigint")
	pids, err := Collect(rows, err, ScanInt64)
	if err != nil {
		return 0, err
	}
	return pids[0], nil
}

func poolerError(err error) error {
	if strings.Contains(err.Error(), "statement pooling") {
		return fmt.Errorf("%w (set pool_mode = transaction, or session, in the pooler)", err)
	}
	return err
}
