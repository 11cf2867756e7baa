package storetest

import (
	"testing"

	"portalhooks/delivery"
)

// Run runs the whole suite. Open returns an empty store, whose tables exist,
// and closes it when its test ends.
func Run(t *testing.T, open func(t *testing.T) delivery.Store) {
	t.Run("config", func(t *testing.T) {
		t.Parallel()
		runConfig(t, open)
	})
	t.Run("queue", func(t *testing.T) {
		t.Parallel()
		runQueue(t, open)
	})
}
