package harness

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"portalhooks/ent/enttest"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"
)

// Revive starts the server after a crash and lets it finish the events first to
// last-1. It returns how many calls were repeated, how many events were lost,
// and how long the new server took from its start to have delivered all that the
// dead one owed.
func (r *Rig) Revive(
	t *testing.T, l *Ledger, left Remains, first, last int,
) (again, lost int, took time.Duration) {
	t.Helper()
	began := time.Now()
	r.Start(t)
	lost = r.Lost(t, l)
	took = time.Since(began)
	lost += r.Finish(t, l, first, last)
	return r.CheckRepeats(t, left), lost, took
}

// Restart reports an operation on so many devices, which are all known by the
// time that the answer comes.
func (r *Rig) Restart(t testing.TB, operation string, devices int, want string) {
	t.Helper()
	workspaces := make([]any, devices)
	for i := range workspaces {
		workspaces[i] = map[string]any{
			"workspace": map[string]any{
				"id": fmt.Sprintf("66b1d0f47c5e2a91d3%06d", i), "name": fmt.Sprintf("WS-%d", i),
				"lastUser": "ACME\\somebody", "reportingGroupId": "665f20d1b4d07e3c9a1f0e51",
				"reportingGroupName": "Barcelona Office",
			},
			"startDate": "2026-01-14T10:00:03Z", "endDate": "2026-01-14T10:02:41Z", "result": "COMPLETED",
		}
	}
	_, answer, err := Ask(t.Context(), r.Server.URL, r.Server.Portal, IngestMutation, map[string]any{
		"input": []any{map[string]any{
			"organizationId": "load", "sourceEventId": operation,
			"event": map[string]any{"operation": map[string]any{
				"operationId": operation, "typeId": "restart", "typeName": "Restart",
				"startDate": "2026-01-14T10:00:02Z", "endDate": "2026-01-14T10:30:04Z", "workspaces": workspaces,
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"status": want, "eventIds.len": fmt.Sprint(devices + 1), "deliveries": "1",
	} {
		if got, err := TextAt(answer, "data.ingestEvents.results.0."+path); err != nil || got != want {
			t.Fatalf("%s = %q (%v), want %s in %.500s%s", path, got, err, want, answer, r.Server.Transcript())
		}
	}
}

// Refused reports events until the server refuses one as it should, and returns
// the number after the last event.
func (r *Rig) Refused(t *testing.T, l *Ledger, next int) int {
	t.Helper()
	err := Eventually(t.Context(), "events are refused", func(ctx context.Context) (bool, error) {
		err := Load(ctx, r.Server, l, next, next+batchSize)
		next += batchSize
		return err != nil && strings.Contains(err.Error(), "UNAVAILABLE"), nil
	})
	if err != nil {
		t.Fatalf("%v%s", err, r.Server.Transcript())
	}
	return next
}

// Ready waits until the server says that it is, or is not, ready.
func (r *Rig) Ready(t *testing.T, want int) {
	t.Helper()
	said := ""
	err := Eventually(t.Context(), fmt.Sprintf("/readyz answers %d", want),
		func(ctx context.Context) (bool, error) {
			status, body, err := Get(ctx, r.Server.URL+"/readyz")
			said = string(body)
			return status == want, err
		})
	if err != nil {
		t.Fatalf("%v: it says %q%s", err, said, r.Server.Transcript())
	}
}

// OpenSocket subscribes to the delivery log over WebSocket.
func (r *Rig) OpenSocket(t *testing.T) *websocket.Conn {
	t.Helper()
	dialer := &websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	c, resp, err := dialer.DialContext(t.Context(),
		strings.Replace(r.Server.URL, "http", "ws", 1)+"/graphql", nil)
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
	say(`{"type": "connection_init", "payload": {"Authorization": "Bearer ` + r.Server.Operator + `"}}`)
	for { // until the subscription has begun
		_, text, err := c.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		switch kind, _ := TextAt(text, "type"); kind {
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

// Begin starts a program and returns when its error stream says what is given.
func (r *Rig) Begin(t *testing.T, says *regexp.Regexp, name string, args ...string) *Process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Env = r.Dir, r.Env
	p, err := StartProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	if _, err := p.WaitFor(&p.Err, says); err != nil {
		t.Fatal(err)
	}
	return p
}

// FirstCursor has one event delivered and returns the cursor of its entry.
func (r *Rig) FirstCursor(t *testing.T, l *Ledger) string {
	t.Helper()
	tail := r.Begin(t, regexp.MustCompile("Watching"), "portalhooks", "tail", "--json", "--count", "1")
	if err := Load(t.Context(), r.Server, l, 0, 1); err != nil {
		t.Fatal(err)
	}
	if err := tail.Wait(); err != nil {
		t.Fatal(err)
	}
	text, _ := tail.Out.Read()
	cursor, err := TextAt([]byte(text), "cursor")
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

// CheckOrder fails t unless the alerts of a path came in the order of their
// numbers, each from 0 on to count-1 and repeats right after the first.
func (w *witness) CheckOrder(t *testing.T, path string, count int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	numbers := make([]int, len(w.order[path]))
	for i, element := range w.order[path] {
		n, err := strconv.Atoi(strings.TrimPrefix(element, "element-"))
		if err != nil {
			t.Fatal(err)
		}
		numbers[i] = n
	}
	if !slices.IsSorted(numbers) {
		t.Errorf("%s: out of order: %v", path, numbers)
	}
	if distinct := slices.Compact(slices.Clone(numbers)); len(distinct) != count {
		t.Errorf("%s: %d alerts came, want %d", path, len(distinct), count)
	}
}

// NewNetwork puts a proxy in front of the server of a database and returns the
// database's URL through it.
func NewNetwork(t *testing.T, database string) (*toxiproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal("the database is not named by a URL")
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics have a logger of their own
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "postgres", "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	return proxy, u.String()
}

// ExpectAck reads the acknowledgement of a WebSocket connection.
func ExpectAck(socket *websocket.Conn) error {
	var m struct{ Type string }
	if err := socket.ReadJSON(&m); err != nil || m.Type != "connection_ack" {
		return fmt.Errorf("the server answered %q: %w", m.Type, errors.Join(err))
	}
	return nil
}

// Databases are the kinds that every story runs on; each function returns the
// URL of an empty one, or "" for the program's own default.
var Databases = map[string]func(testing.TB) string{
	"sqlite":   func(testing.TB) string { return "" },
	"postgres": enttest.Postgres,
}
