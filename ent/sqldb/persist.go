package sqldb

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"portalhooks/delivery"
)

// Persist repeats what is safe to repeat even when the result of its commit is
// unknown, until it works, fails for another reason, or ctx ends.
func Persist(ctx context.Context, idempotent func() error) error {
	pause := Pauses()
	for {
		err := idempotent()
		if err == nil || !isConflict(err) && !IsLost(err) {
			return err
		}
		if !pause.Sleep(ctx) {
			return Unavailable(err)
		}
	}
}

// Unavailable makes failures that pass, and those of the disk, errors with the
// code UNAVAILABLE, and says what to do about them. Other errors stay as they
// are.
func Unavailable(err error) error {
	if err == nil {
		return nil
	}
	message := diskFailure(err)
	if message == "" && (isConflict(err) || IsLost(err)) {
		message = "The database does not answer. Try again in a moment."
	}
	if message == "" {
		return err
	}
	return fmt.Errorf("%w (%w)", delivery.Errorf(delivery.Unavailable, "", "%s", message), err)
}

// diskFailure says what is wrong with the disk if err is about that.
func diskFailure(err error) string {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return "The disk of the server is full, so nothing more can be stored. Free some space, then try again."
		case sqlite3.SQLITE_IOERR:
			return "The server can't write to its disk. Check the disk, then try again."
		}
	}
	return ""
}
