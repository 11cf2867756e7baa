package transport_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"portalhooks/graph/transport"
)

// Whatever carries it, an answer is bounded, and its refusal has no data.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.AnswerLimit = 100
	base, _ := serve(t, opts)
	long := `{echo(string: "` + strings.Repeat("x", 200) + `")}`
	got := post(t, base, long)
	if got.code() != transport.CodeLimit || got.Data != nil {
		t.Errorf("POST: %s, want LIMIT_EXCEEDED and no data", got.body)
	}
	got = post(t, base, long, "Accept", "text/event-stream")
	if !strings.Contains(got.body, transport.CodeLimit) || strings.Contains(got.body, "xxx") {
		t.Errorf("event stream: %s", got.body)
	}
	s := connect(t, base, nil).initialise()
	s.subscribe("a", long)
	if r := s.expect("error"); !strings.Contains(string(r.Payload), transport.CodeLimit) {
		t.Errorf("socket: %s", r.Payload)
	}
	s.subscribe("b", "subscription {count(to: 1) {"+strings.Repeat("n ", 2)+numbered(20)+"}}")
	if r := s.expect("error"); !strings.Contains(string(r.Payload), transport.CodeLimit) {
		t.Errorf("subscription: %s", r.Payload)
	}
	if got := post(t, base, `{echo(string: "short")}`); len(got.Errors) > 0 {
		t.Errorf("a short one: %s", got.body)
	}
}

func numbered(n int) string {
	var fields strings.Builder
	for i := range n {
		fmt.Fprintf(&fields, "f%d: cursor ", i)
	}
	return fields.String()
}

// Every answer says what its operation costs, and how much one may.
func TestAnswersSayWhatTheyCost(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Limits.Complexity = 3
	base, _ := serve(t, opts)
	for query, want := range map[string]string{
		"{caller}": `"extensions":{"cost":{"requested":1,"limit":3}}}`,
		"{a: caller b: caller c: caller d: caller}": `"extensions":{"cost":{"requested":4,"limit":3}}}`,
	} {
		if got := post(t, base, query); !strings.HasSuffix(got.body, want) {
			t.Errorf("%s: %s, want it to end with %s", query, got.body, want)
		}
	}
}

// Requests whose bodies never come leave room for others, also for others of the
// same caller.
func TestBodiesThatNeverComeTakeNoMemory(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.BodiesLimit = 8 << 20
	base, _ := serve(t, opts)
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The server has begun to read the body when it asks for it.
		_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
			"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
		if _, err := conn.Read(line); err != nil || !strings.Contains(string(line), "100") {
			t.Fatalf("the server says %q, %v, want to be sent the body", line, err)
		}
	}
	request := `{"query": "{__typename}"}` + strings.Repeat(" ", 500<<10)
	if got := ask(t, http.MethodPost, base, request); got.status != http.StatusOK {
		t.Errorf("another request: %d %s, want it answered", got.status, got.body)
	}
}

func TestJSONOfManyValuesIsRefused(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.BodyLimit = func(context.Context) int64 { return 8 << 20 }
	base, _ := serve(t, opts)
	nothing := `{"query": "{__typename}", "variables": {"a": [` + strings.Repeat("[],", 1<<20) + `[]]}}`
	got := ask(t, http.MethodPost, base, nothing)
	if got.status != http.StatusBadRequest || got.code() != transport.CodeLimit {
		t.Errorf("a million lists: %d %s, want LIMIT_EXCEEDED", got.status, got.body)
	}
}

// A caller has 32 requests in flight, of which eight run at once. Others have
// theirs.
func TestAShareHasSoManyRequestsInFlight(t *testing.T) {
	opts := options()
	opts.Share = func(ctx context.Context, _ string) transport.Share {
		return transport.Share{Key: callerOf(ctx), Whole: callerOf(ctx) == "good"}
	}
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		send := func(query, authorization string) (*http.Response, error) {
			text := strings.NewReader(body(t, query, nil))
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, worldURL, text)
			if err != nil {
				return nil, err
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", authorization)
			return w.client.Do(r)
		}
		ended := make(chan struct{})
		for range 32 {
			go func() {
				if resp, err := send("{wait}", ""); err == nil {
					_ = resp.Body.Close()
				}
				ended <- struct{}{}
			}()
		}
		synctest.Wait()
		if n := len(w.schema.waiting); n != 8 {
			t.Errorf("%d operations run at once, want 8", n)
		}
		status := func(who, authorization string, want int) {
			t.Helper()
			resp, err := send("{__typename}", authorization)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: %d, want %d", who, resp.StatusCode, want)
			}
		}
		status("one more", "", http.StatusServiceUnavailable)
		status("another caller", "Bearer good", http.StatusOK)
		cancel()
		for range 32 {
			<-ended
		}
	})
}
