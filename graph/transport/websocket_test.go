package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"portalhooks/graph/transport"
)

func TestUpgradesThatAreRefused(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	for name, tt := range map[string]struct {
		header http.Header
		status int
	}{
		"foreign origin": {header: http.Header{"Origin": {"https://evil.example"}}, status: 403},
		"null origin":    {header: http.Header{"Origin": {"null"}}, status: 403},
		"two origins":    {header: http.Header{"Origin": {url, "https://evil.example"}}, status: 403},
		"wrong token":    {header: http.Header{"Authorization": {"Bearer no"}}, status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			target := strings.Replace(url, "http", "ws", 1)
			ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), target, tt.header)
			if err == nil {
				ws.Close()
				t.Fatal("the upgrade was accepted")
			}
			defer resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
		})
	}
}

func TestASocketMayUseTheIdentityOfItsRequest(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	s := connect(t, url, http.Header{"Authorization": {"Bearer good"}, "Origin": {url}})
	s.send(`{"type": "connection_init"}`)
	s.expect("connection_ack")
	s.subscribe("a", "{caller}")
	if r := s.expect("next"); !strings.Contains(string(r.Payload), `{"data":{"caller":"good"}`) {
		t.Errorf("answer %s", r.Payload)
	}
	s.expect("complete")
}

func TestConnectionInitDecidesHowTheSocketIsClosed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		code int
	}{
		"refused":     {err: refusal("FORBIDDEN"), code: 4403},
		"unknown":     {err: refusal("UNAUTHENTICATED"), code: 4403},
		"unavailable": {err: refusal("UNAVAILABLE"), code: 1013},
		"too often":   {err: refusal("LIMIT_EXCEEDED"), code: 1013},
		"own fault":   {err: errPrivate, code: 4500},
		"panic":       {code: 4500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options()
			opts.ConnectionInit = func(ctx context.Context, _ map[string]any) (context.Context, time.Time, error) {
				if tt.err == nil {
					panic("init")
				}
				return ctx, time.Time{}, tt.err
			}
			url, _ := serve(t, opts)
			s := connect(t, url, nil)
			s.send(`{"type": "connection_init"}`)
			s.expectClose(tt.code)
		})
	}
}

func TestMessagesThatCloseTheSocket(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	for name, tt := range map[string]struct {
		message string
		code    int
	}{
		"longer than 64 KiB": {message: `{"type": "ping", "payload": {"a": "` + strings.Repeat("x", 900<<10) + `"}}`, code: 1009},
		"type twice":         {message: `{"type": "ping", "type": "pong"}`, code: 4400},
		"type in capitals":   {message: `{"TYPE": "ping"}`, code: 4400},
		"nested deep":        {message: `{"type": "ping", "payload": {"a": ` + strings.Repeat("[", 30000), code: 4400},
		"an endless id":      {message: `{"type": "complete", "id": "` + strings.Repeat("x", 65) + `"}`, code: 4400},
		"a batch of queries": {message: `{"type": "subscribe", "id": "1", "payload": [{"query": "{a}"}]}`, code: 4400},
		"empty query":        {message: `{"type": "subscribe", "id": "1", "payload": {"query": " "}}`, code: 4400},
		"empty message":      {code: 4400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connect(t, url, nil).initialise()
			s.send(tt.message)
			s.expectClose(tt.code)
		})
	}
}

func TestASocketHasRoomForAHundredOperations(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	s := connect(t, url, nil).initialise()
	for i := range 100 {
		s.subscribe(fmt.Sprint(i), "subscription {forever {n}}")
		s.expect("next")
	}
	s.subscribe("one too many", "{__typename}")
	r := s.expect("error")
	if r.ID != "one too many" || !strings.Contains(string(r.Payload), transport.CodeLimit) {
		t.Errorf("refused %s with %s", r.ID, r.Payload)
	}
	s.send(`{"type": "complete", "id": "7"}`)
	s.subscribe("now there is room", "{__typename}")
	s.expect("next")
	s.expect("complete")
}

func TestACallerHasTwentyConnections(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	var sockets []*socket
	for range 19 {
		sockets = append(sockets, connect(t, url, nil).initialise())
	}
	asCaller := []string{"Authorization", "Bearer good", "Accept", "text/event-stream"}
	if got := post(t, url, "{__typename}", asCaller...); got.status != 200 {
		t.Fatalf("status %d for the twentieth", got.status)
	}
	sockets = append(sockets, connect(t, url, nil).initialise())
	late := connect(t, url, nil)
	late.send(`{"type": "connection_init", "payload": {"Authorization": "Bearer good"}}`)
	late.expectClose(1013)
	if got := post(t, url, "{__typename}", asCaller...); got.status != 429 || got.code() != transport.CodeLimit {
		t.Errorf("status %d code %s for the 21st as a stream, want 429", got.status, got.code())
	}
	if got := post(t, url, "{__typename}", "Accept", "text/event-stream"); got.status != 200 {
		t.Errorf("status %d for another caller", got.status)
	}
	goodbye := websocket.FormatCloseMessage(1000, "")
	if err := sockets[0].ws.WriteMessage(websocket.CloseMessage, goodbye); err != nil {
		t.Fatal(err)
	}
	sockets[0].expectClose(1000)
	// The server releases the count before it closes the connection.
	if _, err := io.Copy(io.Discard, sockets[0].ws.NetConn()); err != nil {
		t.Fatal(err)
	}
	connect(t, url, nil).initialise()
}

func TestAPanicEndsItsOperationAlone(t *testing.T) {
	t.Parallel()
	url, schema := serve(t, options())
	s := connect(t, url, nil).initialise()
	s.subscribe("live", "subscription {forever {n}}")
	s.expect("next")
	<-schema.waiting
	for name, tt := range map[string]struct {
		query string
		want  []string
	}{
		"in a resolver":      {query: "{panics}", want: []string{"next", "complete"}},
		"around resolvers":   {query: "{crashes}", want: []string{"error"}},
		"starting a source":  {query: "subscription {crashes {n}}", want: []string{"error"}},
		"in an item's field": {query: "subscription {count(to: 3) {crashes: n}}", want: []string{"next", "next", "next", "complete"}},
	} {
		s.subscribe(name, tt.query)
		for i, kind := range tt.want {
			r := s.expect(kind)
			if r.ID != name {
				t.Fatalf("got a message for %s, want %s", r.ID, name)
			}
			fails := i == 0 && !strings.Contains(tt.query, "count")
			if fails && !strings.Contains(string(r.Payload), transport.CodeInternal) {
				t.Errorf("%s: payload %s", name, r.Payload)
			}
		}
	}
	select {
	case <-schema.ended:
		t.Error("the other subscription has ended")
	default:
	}
}

func TestASubscriptionThatFailsDoesNotComplete(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	s := connect(t, url, nil).initialise()
	for name, tt := range map[string]struct {
		query, code string
		items       int
	}{
		"refused by its resolver": {query: "subscription {refused {n}}", code: "INTERNAL"},
		"broken off":              {query: "subscription {broken {n}}", code: "UNAVAILABLE", items: 1},
		"invalid":                 {query: "subscription {nope}", code: "BAD_USER_INPUT"},
		"of two fields":           {query: "subscription {refused {n} broken {n}}", code: "BAD_USER_INPUT"},
	} {
		s.subscribe(name, tt.query)
		for range tt.items {
			s.expect("next")
		}
		r := s.expect("error")
		payload := string(r.Payload)
		if r.ID != name || !strings.Contains(payload, tt.code) || strings.Contains(payload, "hunter2") {
			t.Errorf("%s: error %s for %s", name, payload, r.ID)
		}
		s.send(`{"type": "ping"}`)
		s.expect("pong")
	}
}

func TestMutationsRunOverSockets(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	s := connect(t, url, nil).initialise()
	s.subscribe("a", "mutation {add(n: 2)}")
	if r := s.expect("next"); !strings.Contains(string(r.Payload), `{"data":{"add":2}`) {
		t.Errorf("answer %s", r.Payload)
	}
	s.expect("complete")
}

func TestOperationsEndWithTheirSocket(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Running = 10
	url, schema := serve(t, opts)
	s := connect(t, url, nil).initialise()
	for i := range 10 {
		s.subscribe(fmt.Sprint("s", i), "subscription {forever {n}}")
		s.subscribe(fmt.Sprint("q", i), "{wait}")
	}
	for range 20 {
		<-schema.waiting
	}
	s.close()
	for range 20 {
		<-schema.ended
	}
}

func TestAnOperationEndsWhenItsClientCompletesIt(t *testing.T) {
	t.Parallel()
	url, schema := serve(t, options())
	s := connect(t, url, nil).initialise()
	s.subscribe("a", "{wait}")
	<-schema.waiting
	s.send(`{"type": "complete", "id": "a"}`)
	<-schema.ended
	s.send(`{"type": "ping"}`)
	s.expect("pong")
}

// A client must not accumulate operations by completing each one immediately:
// operations that are slow to end still use resources.
func TestASocketCannotPileUpOperationsThatAreSlowToEnd(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Subscriptions = 2
	started, release := make(chan struct{}), make(chan struct{})
	opts.AroundOperations = func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		if graphql.GetOperationContext(ctx).Operation.Name == "Stubborn" {
			started <- struct{}{}
			<-release
		}
		return next(ctx)
	}
	url, _ := serve(t, opts)
	s := connect(t, url, nil).initialise()
	for range 4 {
		s.subscribe("a", "query Stubborn {__typename}")
		<-started
		s.send(`{"type": "complete", "id": "a"}`)
	}
	s.subscribe("b", "{__typename}")
	if r := s.expect("error"); !strings.Contains(string(r.Payload), transport.CodeLimit) {
		t.Errorf("refused with %s", r.Payload)
	}
	close(release)
}

// wrapped is a ResponseWriter as wrapped by middleware.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestMiddlewareMayWrapTheResponse(t *testing.T) {
	t.Parallel()
	handler := transport.New(newTestSchema(t), options())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(wrapped{w}, r)
	}))
	defer server.Close()
	s := connect(t, server.URL, nil).initialise()
	s.subscribe("a", "{__typename}")
	s.expect("next")
	s.close()
	got := post(t, server.URL, resumable, "Accept", "text/event-stream")
	if !strings.Contains(got.body, "complete") {
		t.Errorf("events:\n%s", got.body)
	}
}
