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

// The subscribers: each socket carries the maximum number of subscriptions.
const (
	sockets          = 10
	perSocket        = 100
	quickSockets     = 1
	socketsHandshake = 10 * time.Second
)

// watchQuery subscribes to the failures in the organization. The server matches every
// entry against it.
const watchQuery = `subscription($org: ID!) {` +
	` deliveryLog(organizationId: $org, filter: {states: [FAILED, RETRYING]}) {` +
	` __typename ... on DeliveryLogEntry { state } } }`

// subscribers measures the same as graphql, with subscribers to the delivery log.
func (b *bench) subscribers(ctx context.Context, s *roundFixtures) (_ sample, err error) {
	n := sockets
	if b.o.Quick {
		n = quickSockets
	}
	all := &subscriptions{}
	defer func() { err = errors.Join(err, all.close()) }()
	for range n {
		if err := all.open(ctx, s.server); err != nil {
			return sample{}, err
		}
	}
	return b.deliverThroughAPI(ctx, s.server)
}

// subscriptions is a set of open sockets with subscriptions.
type subscriptions struct {
	sockets []*websocket.Conn
	readers sync.WaitGroup
}

type socketMessage struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// open opens a socket and waits for the first message of each of its subscriptions.
func (a *subscriptions) open(ctx context.Context, s *serverProcess) error {
	dialer := websocket.Dialer{
		Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: socketsHandshake,
	}
	socket, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/graphql",
		http.Header{"Authorization": {"Bearer " + s.keys.Operator}})
	if err != nil {
		return fmt.Errorf("open a WebSocket: %w", err)
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
				return // closed
			}
			if m.Type == "ping" && socket.WriteJSON(socketMessage{Type: "pong"}) != nil {
				return
			}
		}
	})
	return nil
}

// subscribe starts the subscriptions of a socket and waits for the first message of
// each.
func subscribe(socket *websocket.Conn) error {
	if err := socket.WriteJSON(socketMessage{Type: "connection_init"}); err != nil {
		return err
	}
	var m socketMessage
	if err := socket.ReadJSON(&m); err != nil || m.Type != "connection_ack" {
		return fmt.Errorf("the server responded with %q: %w", m.Type, errors.Join(err))
	}
	for i := range perSocket {
		err := socket.WriteJSON(socketMessage{ID: fmt.Sprint(i), Type: "subscribe", Payload: map[string]any{
			"query": watchQuery, "variables": map[string]any{"org": orgRef},
		}})
		if err != nil {
			return err
		}
	}
	started := map[string]bool{}
	for len(started) < perSocket {
		var m socketMessage
		if err := socket.ReadJSON(&m); err != nil {
			return err
		}
		switch m.Type {
		case "next":
			started[m.ID] = true
		case "error", "complete":
			return fmt.Errorf("the server responded with %v", m)
		}
	}
	return nil
}

func (a *subscriptions) close() error {
	var errs []error
	for _, s := range a.sockets {
		errs = append(errs, s.Close())
	}
	a.readers.Wait()
	return errors.Join(errs...)
}
