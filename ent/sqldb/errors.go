package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"portalhooks/delivery/loop"
)

// IsDuplicate reports whether a statement violated a unique index.
func IsDuplicate(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return e.Code == "23505"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// IsOrphan reports whether a statement referred to a row that does not exist.
func IsOrphan(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return e.Code == "23503"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
	}
	return false
}

// isConflict reports whether the database gave a transaction up in favor of
// another: nothing of it was stored, and the same again may work.
func isConflict(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return e.Code == "40001" || e.Code == "40P01"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		// The high bits say more; the low eight say BUSY or LOCKED.
		kind := e.Code() & 0xff
		return kind == sqlite3.SQLITE_BUSY || kind == sqlite3.SQLITE_LOCKED
	}
	return false
}

// IsLost reports whether the connection to the database broke or could not be
// made. Before a commit nothing was stored; during one that is unknown.
func IsLost(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		switch e.Code {
		case "57P01", "57P02", "57P03": // shut down, crashed, not up yet
			return true
		}
		return strings.HasPrefix(string(e.Code), "08")
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true // also one whose deadline was set here, which is no end of a context
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF)
}

// A CommitError is a commit that failed. Unless the database said that it gave
// the transaction up, it may have been stored all the same.
type CommitError struct{ Err error }

// Error implements error.
func (e *CommitError) Error() string { return "commit: " + e.Err.Error() }

// Unwrap returns the error of the database.
func (e *CommitError) Unwrap() error { return e.Err }

// isRetriable reports whether running a whole transaction again is safe and may
// help.
func isRetriable(err error) bool {
	if isConflict(err) {
		return true
	}
	_, unsure := errors.AsType[*CommitError](err)
	return !unsure && IsLost(err)
}

// maxTries bounds how often a transaction is run.
const maxTries = 8

// Pauses returns the pauses between two runs of a transaction: 10 ms to a
// second, so that a restart of the database is bridged and transactions that
// conflicted do not meet again.
func Pauses() *loop.Backoff {
	return &loop.Backoff{Min: 10 * time.Millisecond, Max: time.Second, Jitter: 0.5}
}

// Retry runs a transaction again while the database asks for it, and returns the
// error of the last run.
func Retry(ctx context.Context, transaction func() error) error {
	pause := Pauses()
	for try := 1; ; try++ {
		err := transaction()
		if err == nil || try == maxTries || !isRetriable(err) || !pause.Sleep(ctx) {
			return err
		}
	}
}

// explain adds advice to errors that occur when a database is set up.
func explain(err error) error {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		switch e.Code {
		case "3D000":
			return fmt.Errorf("%w (make it first: CREATE DATABASE …)", err)
		case "28000", "28P01":
			return fmt.Errorf("%w (check the user and the password in the database URL)", err)
		case "53300":
			return fmt.Errorf("%w (raise max_connections, or let fewer programs use the server)", err)
		}
	}
	if strings.Contains(err.Error(), "unsupported startup parameter") {
		return fmt.Errorf("%w (add it to ignore_startup_parameters of the pooler, "+
			"or take it out of the database URL)", err)
	}
	if errors.Is(err, pq.ErrSSLNotSupported) {
		return fmt.Errorf("%w (if the way to the server is private, add sslmode=disable to the database URL)", err)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_NOTADB {
		return fmt.Errorf("%w (the file is something else; name another)", err)
	}
	return err
}
