package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"portalhooks/test/harness"

	"github.com/gorilla/websocket"
)

// dialSlow opens a connection with little room for what is not read.
func dialSlow(ctx context.Context, s *harness.APIServer) (net.Conn, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
		})
	}}
	return dialer.DialContext(ctx, "tcp", u.Host)
}

// dripping sends text, then some more again and again, and reads.
func dripping(text, more string) func(*testing.T, *harness.APIServer, string) error {
	return func(t *testing.T, s *harness.APIServer, _ string) error {
		conn, err := dialSlow(t.Context(), s)
		if err != nil {
			return err
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, conn) // ends with the connection, in whatever way
		}()
		defer func() { _ = conn.Close(); <-read }()
		if _, err := io.WriteString(conn, text); err != nil {
			return err
		}
		tick := time.NewTicker(dripPause)
		defer tick.Stop()
		for {
			select {
			case <-read:
				return nil
			case <-tick.C:
				_, _ = io.WriteString(conn, more) // the end is seen by reading
			}
		}
	}
}

// deaf sends requests and reads nothing. It notices its end by sending more.
func deaf(text string) func(*testing.T, *harness.APIServer, string) error {
	return func(t *testing.T, s *harness.APIServer, _ string) error {
		conn, err := dialSlow(t.Context(), s)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			return err
		}
		return untilRefused(t, func() error {
			_, err := io.WriteString(conn, "\r\n")
			return err
		})
	}
}

// deafReader asks for the schema again and again and reads nothing.
func deafReader(t *testing.T, s *harness.APIServer, key string) error {
	request := "GET /schema.graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\n\r\n"
	return deaf(strings.Repeat(request, 500))(t, s, key)
}

// deafCaller sends a good request of a known caller and reads nothing.
func deafCaller(accept, body string) func(*testing.T, *harness.APIServer, string) error {
	return func(t *testing.T, s *harness.APIServer, key string) error {
		header := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"Accept: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", accept, key, len(body))
		return deaf(header+body)(t, s, key)
	}
}

// untilRefused sends until that fails.
func untilRefused(t *testing.T, send func() error) error {
	t.Helper()
	return harness.Eventually(t.Context(), "the server lets go", func(context.Context) (bool, error) {
		return send() != nil, nil
	})
}

// openStream opens a WebSocket that does not read much, and says nothing yet.
func openStream(s *harness.APIServer, t *testing.T, key string) (*websocket.Conn, error) {
	t.Helper()
	dialer := websocket.Dialer{
		Subprotocols:   []string{"graphql-transport-ws"},
		NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSlow(ctx, s) },
	}
	header := http.Header{"Authorization": {"Bearer " + key}}
	socket, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), header)
	if err != nil {
		return nil, err
	}
	return socket, resp.Body.Close()
}

// admitted opens a WebSocket that has been let in.
func admitted(s *harness.APIServer, t *testing.T, key string) (*websocket.Conn, error) {
	t.Helper()
	socket, err := openStream(s, t, key)
	if err != nil {
		return nil, err
	}
	return socket, errors.Join(
		socket.WriteJSON(map[string]any{"type": "connection_init"}), harness.ExpectAck(socket),
	)
}

func withoutInit(t *testing.T, s *harness.APIServer, key string) error {
	socket, err := openStream(s, t, key)
	if err != nil {
		return err
	}
	defer socket.Close()
	_, _, err = socket.ReadMessage()
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code == 4408 {
		return nil
	}
	return fmt.Errorf("the socket ended with %w, want 4408", err)
}

func withoutPongs(t *testing.T, s *harness.APIServer, key string) error {
	socket, err := admitted(s, t, key)
	if err != nil {
		return err
	}
	defer socket.Close()
	socket.SetPingHandler(func(string) error { return nil })
	_, message, err := socket.ReadMessage()
	if err == nil {
		return fmt.Errorf("the server sent %s", message)
	}
	return nil
}

// deafSocket asks for as much as it may and reads nothing.
func deafSocket(body string) func(*testing.T, *harness.APIServer, string) error {
	return func(t *testing.T, s *harness.APIServer, key string) error {
		socket, err := admitted(s, t, key)
		if err != nil {
			return err
		}
		defer socket.Close()
		for i := range 4 {
			message := fmt.Appendf(nil, `{"id": "%d", "type": "subscribe", "payload": %s}`, i, body)
			if err := socket.WriteMessage(websocket.TextMessage, message); err != nil {
				return err
			}
		}
		return untilRefused(t, func() error { return socket.WriteJSON(map[string]any{"type": "pong"}) })
	}
}
