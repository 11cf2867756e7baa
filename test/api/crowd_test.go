package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// A caller has so many sockets and event streams, and no more, whatever address
// they come from; others have theirs.
func TestACallerHasTwentyConnections(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	greedy := s.Key(t, delivery.AdminKey, "acme")
	header := http.Header{"Authorization": {"Bearer " + greedy}}
	sockets := make([]*websocket.Conn, 20)
	for i := range sockets {
		sockets[i] = s.Socket(t, header)
	}
	more, err := openStream(s, t, greedy)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	if err := more.WriteJSON(map[string]any{"type": "connection_init"}); err != nil {
		t.Fatal(err)
	}
	if _, message, err := more.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseTryAgainLater) {
		t.Errorf("one socket more: %s %v, want 1013", message, err)
	}
	stream := s.Request(t, greedy, `subscription { deliveryLog { __typename } }`, nil)
	stream.Header.Set("Accept", "application/graphql-response+json, text/event-stream")
	if a := s.Exchange(t, stream); a.Status != http.StatusTooManyRequests || a.Code() != "LIMIT_EXCEEDED" {
		t.Errorf("an event stream more: %d %s, want 429", a.Status, a.Body)
	}
	s.Must(t, greedy, harness.WhoAmI, nil)
	s.Socket(t, http.Header{"Authorization": {"Bearer " + s.Key(t, delivery.AdminKey, "acme")}})
}

func TestASocketHasAHundredSubscriptions(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	key := s.Key(t, delivery.AdminKey, "acme")
	socket := s.Socket(t, http.Header{"Authorization": {"Bearer " + key}})
	for i := range 101 {
		subscribe := fmt.Sprintf(`{"id": "%d", "type": "subscribe", "payload": %s}`, i,
			harness.Query(`subscription { deliveryLog { ... on DeliveryLogEntry { cursor } } }`, nil))
		if err := socket.WriteMessage(websocket.TextMessage, []byte(subscribe)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, message, err := socket.ReadMessage()
		if err != nil {
			t.Fatalf("the socket ended: %v", err)
		}
		if !strings.Contains(string(message), `"error"`) {
			continue // a heartbeat
		}
		if !strings.Contains(string(message), "LIMIT_EXCEEDED") || !strings.Contains(string(message), `"100"`) {
			t.Errorf("the server answered %s, want LIMIT_EXCEEDED for the last one", message)
		}
		return
	}
}
