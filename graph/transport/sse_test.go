package transport_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"portalhooks/graph/transport"
)

const resumable = "subscription($after: Cursor) {count(to: 3, after: $after) {n cursor}}"

func event(n string) string {
	data := `{"data":{"count":{"cursor":"c` + n + `","n":` + n + `}}}`
	return "event: next\nid: c" + n + "\ndata: " + data + "\n\n"
}

func TestEventsCarryTheirCursorAndResumeAfterIt(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, options())
	const end = "event: complete\ndata: \n\n"
	for name, tt := range map[string]struct {
		query, lastID string
		variables     map[string]any
		want          string
	}{
		"from the start":            {query: resumable, want: event("1") + event("2") + event("3") + end},
		"after an event":            {query: resumable, lastID: "c2", want: event("3") + end},
		"after the last one":        {query: resumable, lastID: "c3", want: end},
		"after a variable":          {query: resumable, variables: map[string]any{"after": "c1"}, want: event("2") + event("3") + end},
		"the event is newer":        {query: resumable, variables: map[string]any{"after": "c1"}, lastID: "c2", want: event("3") + end},
		"without a variable":        {query: "subscription {count(to: 3) {n cursor}}", lastID: "c2", want: event("3") + end},
		"the cursor is no variable": {query: `subscription {count(to: 3, after: "c0") {n cursor}}`, lastID: "c2", want: event("3") + end},
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{"Accept", "text/event-stream"}
			if tt.lastID != "" {
				headers = append(headers, "Last-Event-ID", tt.lastID)
			}
			got := ask(t, http.MethodPost, address, body(t, tt.query, tt.variables), headers...)
			if events := strings.TrimPrefix(got.body, ":\n\n"); events != tt.want {
				t.Errorf("events:\n%s\nwant:\n%s", events, tt.want)
			}
			if kind := got.header.Get("Content-Type"); kind != "text/event-stream; charset=utf-8" {
				t.Errorf("type %q", kind)
			}
		})
	}
}

func TestALastEventIDThatCannotBeOursIsRefused(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, options())
	got := post(t, address, resumable, "Accept", "text/event-stream", "Last-Event-ID", strings.Repeat("c", 2000))
	if !strings.Contains(got.body, transport.CodeBadInput) || strings.Contains(got.body, "id:") {
		t.Errorf("events:\n%s", got.body)
	}
}

func TestAnEventStreamShowsWhyItFailed(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, options())
	for name, tt := range map[string]struct {
		query, code string
		events      int
	}{
		"invalid":                 {query: "subscription {nope}", code: "BAD_USER_INPUT", events: 1},
		"refused by its resolver": {query: "subscription {refused {n}}", code: "INTERNAL", events: 1},
		"panic":                   {query: "subscription {crashes {n}}", code: "INTERNAL", events: 1},
		"broken off":              {query: "subscription {broken {n}}", code: "UNAVAILABLE", events: 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := post(t, address, tt.query, "Accept", "text/event-stream")
			if n := strings.Count(got.body, "event: next\n"); n != tt.events || !strings.Contains(got.body, tt.code) {
				t.Errorf("%d events, want %d, the last %s:\n%s", n, tt.events, tt.code, got.body)
			}
			if !strings.HasSuffix(got.body, "event: complete\ndata: \n\n") || strings.Contains(got.body, "hunter2") {
				t.Errorf("events:\n%s", got.body)
			}
		})
	}
}

// The client's own mistake is not an internal error, on any transport.
func TestASubscriptionWithTwoFieldsIsTheClientsMistake(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, options())
	const query = `subscription {a: count(to: 1) {n} b: count(to: 1) {n}}`
	got := ask(t, http.MethodPost, address, body(t, query, nil), "Accept", "text/event-stream")
	if !strings.Contains(got.body, `"code":"BAD_USER_INPUT"`) {
		t.Errorf("event stream: got %s, want BAD_USER_INPUT", got.body)
	}
	if got := post(t, address, query); got.code() != "BAD_USER_INPUT" {
		t.Errorf("POST: got %s, want BAD_USER_INPUT", got.body)
	}
}

func TestSubscriptionsChooseEventsWhenTheClientReadsBoth(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, options())
	both := "application/graphql-response+json, text/event-stream"
	kind := post(t, address, resumable, "Accept", both).header.Get("Content-Type")
	if !strings.HasPrefix(kind, "text/event-stream") {
		t.Errorf("a subscription was answered as %s", kind)
	}
	if got := post(t, address, "{nope}", "Accept", both); got.status != 400 {
		t.Errorf("an invalid query was answered with status %d", got.status)
	}
}

// The timeouts of a request and of a message must not end a stream without events:
// it must still send heartbeats after several of them.
func TestAStreamOutlivesTheServersTimeouts(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options()
			opts.Heartbeat, opts.WriteTimeout = 700*time.Millisecond, 500*time.Millisecond
			handler := transport.New(newTestSchema(t), opts)
			server := httptest.NewUnstartedServer(handler)
			server.Config.ReadTimeout = 500 * time.Millisecond
			server.Config.WriteTimeout = 500 * time.Millisecond
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			followQuietly(t, server, 4)
		})
	}
}

// followQuietly fails t unless a stream sends n comments.
func followQuietly(t *testing.T, server *httptest.Server, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	target := server.URL + "?query=" + url.QueryEscape("subscription {forever {n}}")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := len(comments(bufio.NewScanner(resp.Body), n)); got != n {
		t.Errorf("%d comments before the stream ended, want %d", got, n)
	}
}
