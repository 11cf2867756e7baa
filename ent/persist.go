package ent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"portalhooks/delivery"
)

// maxPause bounds the pause between two tries of persist.
const maxPause = time.Second

// persist repeats what is safe to repeat even when its commit got lost, until
// it works, fails for another reason, or ctx ends.
func persist(ctx context.Context, idempotent func() error) error {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := idempotent()
		if err == nil || !isClash(err) && !isLost(err) {
			return err
		}
		if !rest(ctx, pause) {
			return unavailable(err)
		}
	}
}

// rest waits for about pause and reports whether ctx still lasts.
func rest(ctx context.Context, pause time.Duration) bool {
	t := time.NewTimer(pause/2 + rand.N(pause/2)) //nolint:gosec // a pause may be guessed
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// unavailable tells callers of failures that pass, and what to do about those
// that don't pass by themselves. Other errors stay as they are.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	message := diskTrouble(err)
	if message == "" && (isClash(err) || isLost(err)) {
		message = "The database does not answer. Try again in a moment."
	}
	if message == "" {
		return err
	}
	return fmt.Errorf("%w (%w)", delivery.Errorf(delivery.Unavailable, "", "%s", message), err)
}

// diskTrouble says what is wrong with the disk when that is what err is about.
func diskTrouble(err error) string {
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
