package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The subscribers: a socket carries as many subscriptions as a server lets it.
const (
	sockets          = 10
	perSocket        = 100
	quickSockets     = 1
	socketsHandshake = 10 * time.Second
)

// What each subscriber watches: what goes wrong in the organization. The server
// looks at every entry for each of them.
const watchQuery = `subscription($org: ID!) {` +
	` deliveryLog(organizationId: $org, filter: {states: [FAILED, RETRYING]}) {` +
	` __typename ... on DeliveryLogEntry { state } } }`

// subscribers measures what graphql does, with subscribers of the live log.
func (b *bench) subscribers(ctx context.Context, s *stage) (_ sample, err error) {
	n := sockets
	if b.o.Quick {
		n = quickSockets
	}
	audience := &audience{}
	defer func() { err = errors.Join(err, audience.close()) }()
	for range n {
		if err := audience.join(ctx, s.server); err != nil {
			return sample{}, err
		}
	}
	return b.throughAPI(ctx, s.server)
}

// An audience is open sockets with subscriptions.
type audience struct {
	sockets []*websocket.Conn
	readers sync.WaitGroup
}

type socketMessage struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// join opens one more socket and returns when the server has answered every
// subscription.
func (a *audience) join(ctx context.Context, s *served) error {
	dialer := websocket.Dialer{
		Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: socketsHandshake,
	}
	socket, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/graphql",
		http.Header{"Authorization": {"Bearer " + s.keys.Operator}})
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return errors.Join(err, socket.Close())
	}
	a.sockets = append(a.sockets, socket)
	if err := subscribe(socket); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	a.readers.Go(func() {
		for {
			var m socketMessage
			if socket.ReadJSON(&m) != nil {
				return // it is closed
			}
			if m.Type == "ping" && socket.WriteJSON(socketMessage{Type: "pong"}) != nil {
				return
			}
		}
	})
	return nil
}

// subscribe makes the subscriptions of a socket and waits for the first message
// of each.
func subscribe(socket *websocket.Conn) error {
	if err := socket.WriteJSON(socketMessage{Type: "connection_init"}); err != nil {
		return err
	}
	var m socketMessage
	if err := socket.ReadJSON(&m); err != nil || m.Type != "connection_ack" {
		return fmt.Errorf("the server answered %q: %w", m.Type, errors.Join(err))
	}
	for i := range perSocket {
		err := socket.WriteJSON(socketMessage{ID: fmt.Sprint(i), Type: "subscribe", Payload: map[string]any{
			"query": watchQuery, "variables": map[string]any{"org": orgRef},
		}})
		if err != nil {
			return err
		}
	}
	heard := map[string]bool{}
	for len(heard) < perSocket {
		var m socketMessage
		if err := socket.ReadJSON(&m); err != nil {
			return err
		}
		switch m.Type {
		case "next":
			heard[m.ID] = true
		case "error", "complete":
			return fmt.Errorf("the server answered %v", m)
		}
	}
	return nil
}

func (a *audience) close() error {
	var errs []error
	for _, s := range a.sockets {
		errs = append(errs, s.Close())
	}
	a.readers.Wait()
	return errors.Join(errs...)
}
