package sqldb

import (
	"context"
	"fmt"

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

// Unavailable makes failures that pass, and refusals of every change, errors with
// the code UNAVAILABLE, and says what to do about them. Other errors stay as they
// are.
func Unavailable(err error) error {
	if err == nil || delivery.CodeOf(err) == delivery.Unavailable {
		return err
	}
	message := refusedBecause(err)
	if message == "" && (isConflict(err) || IsLost(err)) {
		message = noAnswer
	}
	if message == "" {
		return err
	}
	return fmt.Errorf("%w (%w)", delivery.Errorf(delivery.Unavailable, "", "%s", message), err)
}
