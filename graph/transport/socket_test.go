package transport_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// A socket is a WebSocket client without automatic behavior.
type socket struct {
	tb testing.TB
	ws *websocket.Conn
}

type reply struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

func connect(tb testing.TB, url string, header http.Header) *socket {
	tb.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	return dial(tb, dialer, strings.Replace(url, "http", "ws", 1), header)
}

func dial(tb testing.TB, dialer websocket.Dialer, url string, header http.Header) *socket {
	tb.Helper()
	ws, resp, err := dialer.DialContext(tb.Context(), url, header)
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	resp.Body.Close()
	tb.Cleanup(func() { ws.Close() })
	return &socket{tb: tb, ws: ws}
}

func (s *socket) send(text string) {
	s.tb.Helper()
	if err := s.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		s.tb.Fatalf("send: %v", err)
	}
}

func (s *socket) subscribe(id, query string) {
	s.tb.Helper()
	payload, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.send(`{"type": "subscribe", "id": "` + id + `", "payload": ` + string(payload) + `}`)
}

// expect reads one message, which must have this type.
func (s *socket) expect(kind string) reply {
	s.tb.Helper()
	_, data, err := s.ws.ReadMessage()
	if err != nil {
		s.tb.Fatalf("waiting for %s: %v", kind, err)
	}
	var r reply
	if err := json.Unmarshal(data, &r); err != nil {
		s.tb.Fatal(err)
	}
	if r.Type != kind {
		s.tb.Fatalf("got %s, want %s", data, kind)
	}
	return r
}

// expectClose reads until the server closes the socket, which must be next.
func (s *socket) expectClose(code int) {
	s.tb.Helper()
	_, data, err := s.ws.ReadMessage()
	if err == nil {
		s.tb.Fatalf("got %s, want close %d", data, code)
	}
	if !websocket.IsCloseError(err, code) {
		s.tb.Errorf("got %v, want close %d", err, code)
	}
}

func (s *socket) initialise() *socket {
	s.tb.Helper()
	s.send(`{"type": "connection_init", "payload": {"Authorization": "Bearer good"}}`)
	s.expect("connection_ack")
	return s
}

func (s *socket) close() {
	s.ws.Close()
}
