package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// A Querier runs statements, inside a transaction or each in its own.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Collect reads all rows of a query, whose results are its first arguments.
func Collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
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

// ScanInt64 reads a row of one number.
func ScanInt64(rows *sql.Rows) (n int64, err error) {
	err = rows.Scan(&n)
	return n, err
}

// ScanPair reads a row of two numbers.
func ScanPair(rows *sql.Rows) (p [2]int64, err error) {
	err = rows.Scan(&p[0], &p[1])
	return p, err
}

// ScanTriple reads a row of three numbers.
func ScanTriple(rows *sql.Rows) (t [3]int64, err error) {
	err = rows.Scan(&t[0], &t[1], &t[2])
	return t, err
}

// Affected returns how many rows a statement changed.
func Affected(r sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// InList writes the operator and the list for "column IN (…)". An empty list
// matches nothing. The ids are numbers, so they are written into the statement,
// which has room for more of them than for parameters.
func InList[T ~int64](ids []T) string {
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
