package faults

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"portalhooks/test/harness"
)

// A server that is asked to stop under load shuts down gracefully and closes its
// subscriptions. Its successor delivers the rest, and nothing is sent twice.
func TestTortureStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	const each = 150
	rounds := Rounds(2, 100)
	harness.OnEveryKind(t, func(t *testing.T, r *harness.Rig) {
		l := harness.NewLedger()
		r.Watch(t)
		result := Result{Fault: "SIGTERM under load", Database: kindOf(r.Database), Rounds: rounds}
		longest := time.Duration(0)
		for round := range rounds {
			first, left := round*each, make(chan error, 1)
			socket := r.OpenSocket(t)
			go func() { left <- readToEnd(socket) }()
			r.Interrupted(t, l, first, first+each, first+each/3, func() error {
				began := time.Now()
				err := r.Server.Stop() // which wants it to exit with 0
				longest = max(longest, time.Since(began))
				return err
			})
			if err := <-left; !websocket.IsCloseError(err, websocket.CloseGoingAway) {
				t.Errorf("the subscriber's socket ended with %v, want close code %d", err, websocket.CloseGoingAway)
			}
			began := time.Now()
			r.Start(t)
			result.Lost += r.Lost(t, l)
			result.Recovery = max(result.Recovery, time.Since(began))
			result.Lost += r.Finish(t, l, first, first+each)
			if t.Failed() {
				break
			}
		}
		r.Saw(t)
		r.Stop(t)
		r.Witness.CheckIdentity(t)
		if result.Duplicated = r.Witness.Repeated(); result.Duplicated > 0 {
			t.Errorf("%d calls were repeated although nothing failed", result.Duplicated)
		}
		result.Note = "every socket closed with 1001, exit code 0 after " +
			longest.Round(time.Millisecond).String() + " at most"
		result.Report(t)
	})
}

// readToEnd reads from a socket until it is closed and returns how.
func readToEnd(c *websocket.Conn) error {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return err
		}
	}
}
