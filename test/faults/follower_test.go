package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"portalhooks/delivery"
	"portalhooks/delivery/feed"
	"portalhooks/delivery/loop"
	"portalhooks/test/harness"
)

const (
	dropAfter     = 7                     // entries, in the short form
	dropAfterTime = 50 * time.Millisecond // from the first entry on, in the long form
)

// A follower watches over sockets that end.
type follower struct {
	w       *audience
	name    string
	states  []delivery.State // that it wants; all if empty
	drops   bool             // whether it drops its sockets
	server  int              // where it watches next
	cursor  string
	sockets int
	seen    []seenEntry
}

// A seenEntry is what a follower was sent.
type seenEntry struct {
	Type     string `json:"__typename"`
	Cursor   string
	State    delivery.State
	Delivery struct{ ID string }
	Attempt  *struct{ Number int }
}

// name tells entries of the log apart.
func (e *seenEntry) name() string {
	number := 0
	if e.Attempt != nil {
		number = e.Attempt.Number
	}
	return fmt.Sprintf("%s %d %s", e.Delivery.ID, number, e.State)
}

func entryName(e *delivery.LogEntry) string {
	seen := seenEntry{State: e.Delivery.State, Delivery: struct{ ID string }{e.Delivery.ID.String()}}
	if e.Attempt != nil {
		seen.Attempt = &struct{ Number int }{e.Attempt.Number}
	}
	return seen.name()
}

// follow watches, at the other server after each socket, until it has seen
// everything up to the end.
func (f *follower) follow(ctx context.Context, t *testing.T) {
	for !f.finished(t) {
		err := f.watch(ctx, t, f.w.serving[f.server].Load().URL)
		f.server = 1 - f.server
		if ctx.Err() != nil {
			t.Errorf("%s: %d entries on %d sockets: %v", f.name, len(f.seen), f.sockets, err)
			return
		}
		if err != nil {
			loop.Sleep(ctx, moment) // for a server that restarts
		}
	}
}

func (f *follower) finished(t *testing.T) bool {
	end := f.w.end.Load()
	if end == nil {
		return false
	}
	seen := f.position(t, f.cursor)
	for slot, number := range *end {
		if !seen.Has(slot, number) {
			return false
		}
	}
	return true
}

func (f *follower) position(t *testing.T, cursor string) feed.Vector {
	c, err := feed.OpenCursor(cursor, f.w.keys)
	if err != nil {
		t.Errorf("%s: %v", f.name, err)
	}
	return c.Seen
}

// watch opens one socket and reads until that ends, or is dropped.
func (f *follower) watch(ctx context.Context, t *testing.T, url string) error {
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	socket, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(url, "http"),
		http.Header{"Authorization": {"Bearer " + f.w.key}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	defer context.AfterFunc(ctx, func() { _ = socket.Close() })()
	defer socket.Close() // without a word, as a network does
	f.sockets++
	variables := map[string]any{"after": f.cursor}
	if len(f.states) > 0 {
		variables["filter"] = map[string]any{"states": f.states}
	}
	query := `subscription($after: Cursor, $filter: DeliveryFilter) {
		deliveryLog(after: $after, filter: $filter) { __typename
		... on DeliveryLogEntry { cursor state delivery { id } attempt { number } }
		... on DeliveryLogGap { cursor } ... on DeliveryLogHeartbeat { cursor } } }`
	err = errors.Join(socket.WriteJSON(map[string]any{"type": "connection_init"}), harness.ExpectAck(socket),
		socket.WriteJSON(map[string]any{
			"id": "1", "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables},
		}))
	if err != nil {
		return err
	}
	return f.read(t, socket)
}

// read takes what comes until the socket ends, the follower has seen enough, or
// it drops the socket.
func (f *follower) read(t *testing.T, socket *websocket.Conn) error {
	for got := 0; !f.finished(t); {
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if err := socket.ReadJSON(&m); err != nil {
			return err
		}
		if m.Type != "next" {
			return fmt.Errorf("the server sent %q: %s", m.Type, m.Payload)
		}
		var result struct {
			Data struct{ DeliveryLog seenEntry }
		}
		if err := json.Unmarshal(m.Payload, &result); err != nil {
			return err
		}
		item := result.Data.DeliveryLog
		f.cursor = item.Cursor
		switch item.Type {
		case "DeliveryLogHeartbeat":
			continue
		case "DeliveryLogEntry":
			f.seen = append(f.seen, item)
		default:
			t.Errorf("%s: got %s: %s", f.name, item.Type, m.Payload)
		}
		if got++; !f.drops {
			continue
		}
		if Long() && got == 1 {
			timer := time.AfterFunc(dropAfterTime, func() { _ = socket.Close() })
			defer timer.Stop()
		} else if !Long() && got == dropAfter {
			return nil
		}
	}
	return nil
}

// judge compares what the follower saw with the log, up to its cursor.
func (f *follower) judge(t *testing.T) (lost, again int) {
	logged := make(map[string]delivery.LogID, len(f.w.log))
	for i := range f.w.log {
		logged[entryName(&f.w.log[i])] = f.w.log[i].ID
	}
	seen := map[delivery.LogID]bool{}
	at := feed.Vector{}
	for i := range f.seen {
		id, ok := logged[f.seen[i].name()]
		next := f.position(t, f.seen[i].Cursor)
		slot, number := delivery.IDSlot(id), int64(id)
		switch {
		case !ok:
			t.Errorf("%s: saw %s, which is not in the log", f.name, f.seen[i].name())
		case seen[id]:
			again++
		case at.Has(slot, number) || !next.Has(slot, number):
			t.Errorf("%s: saw %d on the way from %v to %v", f.name, id, at, next)
		}
		seen[id], at = true, next
	}
	at = f.position(t, f.cursor)
	for i := range f.w.log {
		e := &f.w.log[i]
		wanted := len(f.states) == 0 || slices.Contains(f.states, e.Delivery.State)
		if wanted && !seen[e.ID] && at.Has(delivery.IDSlot(e.ID), int64(e.ID)) {
			lost++
		}
	}
	return lost, again
}
