package sqldb

import (
	"errors"
	"sync"
	"time"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// refusalLife is how long a refused write counts when no other of its kind comes:
// callers who are turned away write nothing.
const refusalLife = 10 * time.Second

// A Health remembers which writes the database has refused, although it answers:
// its disk is full, it is a replica now, or its file is locked. It is safe for concurrent use, and its
// zero value is ready.
type Health struct {
	mu      sync.Mutex
	refused map[string]refusal // by kind of write
}

type refusal struct {
	err error
	at  time.Time
}

// Note remembers how a write has ended. A refusal counts until a write of the same
// kind is stored: a full tablespace refuses some kinds and takes others.
func (h *Health) Note(kind string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		delete(h.refused, kind)
	case refusedBecause(err) != "":
		if h.refused == nil {
			h.refused = make(map[string]refusal)
		}
		h.refused[kind] = refusal{err, time.Now()}
	}
}

// Refusal returns why the database took no changes lately, or nil if it did.
func (h *Health) Refusal() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var latest refusal
	for kind, one := range h.refused {
		if time.Since(one.at) > refusalLife {
			delete(h.refused, kind)
		} else if one.at.After(latest.at) {
			latest = one
		}
	}
	return latest.err
}

// What people are told about a database that answers but takes no changes.
const (
	readOnly = "The database is read-only, as a replica is, so nothing can be stored. " +
		"Connect to the primary, or wait for the end of its failover."
	diskFull = "The disk of the database is full, so nothing more can be stored. Free some space, " +
		"then try again."
	locked = "Another program has locked the file of the database, so nothing can be stored. End it, or wait " +
		"until it is done."
	diskBroken  = "The database can't write to its disk. Check the disk, then try again."
	exhausted   = "The database has no memory or connections left. Give it more, or try again in a moment."
	outOfOrder  = "The database reports an error of its own. Read its log, then try again."
	noAnswer    = "The database does not answer. Try again in a moment."
	classLength = 2 // of an SQLSTATE: the rest is the condition
)

// refusedBecause says why the database takes no changes if err is about that, and
// "" for every other error.
func refusedBecause(err error) string {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return diskFull
		case sqlite3.SQLITE_IOERR:
			return diskBroken
		case sqlite3.SQLITE_READONLY:
			return readOnly
		case sqlite3.SQLITE_BUSY:
			return locked
		}
		return ""
	}
	if isReadOnly(err) {
		return readOnly
	}
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return refusedByPostgres(string(e.Code))
	}
	return ""
}

func refusedByPostgres(state string) string {
	if state == "53100" {
		return diskFull
	}
	switch state[:min(len(state), classLength)] {
	case "53":
		return exhausted
	case "58":
		return diskBroken
	case "XX":
		return outOfOrder
	}
	return ""
}

// isReadOnly reports whether PostgreSQL refused a write because it is a replica, or
// was made read-only. A replica also refuses to begin a transaction that may write,
// which the driver asks for, as a setting that it does not support.
func isReadOnly(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "25006" || e.Code == "0A000" && e.Routine == "call_bool_check_hook")
}

// IsUnstorable reports whether the database refused what it was given: a value, a
// constraint or a limit. The same is refused again; other things are not.
func IsUnstorable(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		switch e.Code[:min(len(e.Code), classLength)] {
		case "22", "23", "54":
			return true
		}
		return false
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
			return true
		}
	}
	return false
}
