package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"portalhooks/graph/transport"
)

// The rate limit applies to all transports, with the time after which to retry.
func TestOneOperationTooMany(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	opts := options()
	opts.Admit = func(context.Context) error {
		if !full.Load() {
			return nil
		}
		return &gqlerror.Error{Message: "Wait.", Extensions: map[string]any{
			"code": transport.CodeLimit, "retryAfter": 7,
		}}
	}
	url, _ := serve(t, opts)
	s := connect(t, url, nil).initialise()
	full.Store(true)
	for _, accept := range []string{"application/json", graphqlJSON, "text/event-stream"} {
		got := post(t, url, "{__typename}", "Accept", accept)
		if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "7" {
			t.Errorf("%s: %d, Retry-After %q, want 429 and 7", accept, got.status, got.header.Get("Retry-After"))
		}
	}
	s.subscribe("a", "{__typename}")
	if r := s.expect("error"); !strings.Contains(string(r.Payload), `"retryAfter":7`) {
		t.Errorf("the socket says %s", r.Payload)
	}
	full.Store(false)
	s.subscribe("a", "{__typename}")
	s.expect("next")
}

// The request bodies of all callers share a limit: a body beyond it is refused
// before it is read, until another request has ended.
func TestBodiesShareTheirMemory(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.BodyLimit = func(context.Context) int64 { return 1000 }
	opts.BodiesLimit = 1500
	opts.Share = func(_ context.Context, remote string) transport.Share { return transport.Share{Key: remote} }
	base, _ := serve(t, opts)
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Content-Length and 100 Continue: the memory is reserved before the body is sent.
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	slow := bufio.NewReader(conn)
	if line, err := slow.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the server says %q, %v, want to be sent the body", line, err)
	}
	if _, err := slow.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	request := `{"query": "{__typename}"}` + strings.Repeat(" ", 900)
	got := ask(t, http.MethodPost, base, request)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d %v %s, want 503 with Retry-After", got.status, got.header, got.body)
	}
	if got := post(t, base, "{__typename}"); got.status != http.StatusOK {
		t.Errorf("a small one: %d %s, want it answered", got.status, got.body)
	}
	full := request + strings.Repeat(" ", 1000-len(request))
	answered(t, conn, slow, full)
	// On one connection a request starts after the end of the previous one.
	answered(t, conn, slow, fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: 1000\r\n\r\n%s", u.Host, full))
}

// answered sends text and fails t unless the status is 200.
func answered(t *testing.T, w io.Writer, r *bufio.Reader, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200", resp.StatusCode)
	}
}
