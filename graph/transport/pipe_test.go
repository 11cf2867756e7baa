package transport_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"

	"portalhooks/graph/transport"
)

// pipes is a listener whose connections are pipes in memory, which work in a
// synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A world is a server and its client in virtual time.
type world struct {
	t       *testing.T
	handler *transport.Handler
	schema  *testSchema
	client  *http.Client
	pipes   *pipes
	served  chan struct{} // receives when the server has ended a request
}

const worldURL = "http://pipe/graphql"

// inVirtualTime runs test in a synctest bubble.
func inVirtualTime(t *testing.T, opts transport.Options, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t:      t,
			schema: newTestSchema(t),
			pipes:  &pipes{conns: make(chan net.Conn), closed: make(chan struct{})},
			served: make(chan struct{}, 100),
		}
		w.handler = transport.New(w.schema, opts)
		web := &http.Transport{DialContext: w.pipes.dial}
		w.client = &http.Client{Transport: web}
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			defer func() { w.served <- struct{}{} }()
			w.handler.ServeHTTP(rw, r)
		})}
		done := make(chan error)
		go func() { done <- server.Serve(w.pipes) }()
		test(t, w)
		if err := w.handler.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		web.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
}

// socket opens a WebSocket to the world's server.
func (w *world) socket() *socket {
	w.t.Helper()
	dialer := websocket.Dialer{NetDialContext: w.pipes.dial, Subprotocols: []string{"graphql-transport-ws"}}
	return dial(w.t, dialer, "ws://pipe/graphql", nil)
}
