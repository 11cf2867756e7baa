package main

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"portalhooks/torture"
)

// A server that is asked to stop under load ends in good order and takes leave
// of its watchers; its successor delivers what was left, and nothing is sent
// twice.
func TestTortureStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	const each = 150
	rounds := torture.Rounds(2, 100)
	onEveryKind(t, func(t *testing.T, r *rig) {
		l := newLedger()
		r.watch(t)
		result := torture.Result{Fault: "SIGTERM under load", Database: kindOf(r.database), Rounds: rounds}
		longest := time.Duration(0)
		for round := range rounds {
			first, left := round*each, make(chan error, 1)
			socket := r.openSocket(t)
			go func() { left <- readToEnd(socket) }()
			r.interrupted(t, l, first, first+each, first+each/3, func() error {
				began := time.Now()
				err := r.server.stop() // which wants it to exit with 0
				longest = max(longest, time.Since(began))
				return err
			})
			if err := <-left; !websocket.IsCloseError(err, websocket.CloseGoingAway) {
				t.Errorf("the watcher's socket ended with %v, want close code %d", err, websocket.CloseGoingAway)
			}
			began := time.Now()
			r.start(t)
			result.Lost += r.lost(t, l)
			result.Recovery = max(result.Recovery, time.Since(began))
			result.Lost += r.finish(t, l, first, first+each)
			if t.Failed() {
				break
			}
		}
		r.saw(t)
		r.stop(t)
		r.witness.checkIdentity(t)
		if result.Duplicated = r.witness.repeated(); result.Duplicated > 0 {
			t.Errorf("%d calls were repeated although nothing failed", result.Duplicated)
		}
		result.Note = "every socket closed with 1001, exit code 0 after " +
			longest.Round(time.Millisecond).String() + " at most"
		result.Report(t)
	})
}

// openSocket subscribes to the live log over WebSocket.
func (r *rig) openSocket(t *testing.T) *websocket.Conn {
	t.Helper()
	dialer := &websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	c, resp, err := dialer.DialContext(t.Context(),
		strings.Replace(r.server.url, "http", "ws", 1)+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	say := func(message string) {
		if err := c.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	say(`{"type": "connection_init", "payload": {"Authorization": "Bearer ` + r.server.Operator + `"}}`)
	for { // until the subscription has begun
		_, text, err := c.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		switch kind, _ := textAt(text, "type"); kind {
		case "connection_ack":
			say(`{"id": "1", "type": "subscribe", "payload": {
				"query": "subscription { deliveryLog { __typename } }"}}`)
		case "next":
			return c
		case "error", "complete":
			t.Fatalf("the subscription was refused: %s", text)
		}
	}
}

// readToEnd reads from a socket until it is closed and returns how.
func readToEnd(c *websocket.Conn) error {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return err
		}
	}
}
