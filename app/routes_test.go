package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/auth"
	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
	"portalhooks/graph"
)

// A sink takes answers and keeps nothing of them.
type sink struct {
	header  http.Header
	written int
}

func (s *sink) Header() http.Header { return s.header }
func (*sink) WriteHeader(int)       {}
func (s *sink) Write(b []byte) (int, error) {
	s.written += len(b)
	return len(b), nil
}

func (s *sink) WriteString(text string) (int, error) {
	s.written += len(text)
	return len(text), nil
}

func get(t *testing.T, path string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
}

// The schema is the longest text that is served, and a client may take its time
// to read it: a request takes no memory of its own for it.
func TestSchemaIsServedInPlace(t *testing.T) {
	a := &App{dev: &development{}, Auth: &auth.Authenticator{}}
	const requests = 100
	request, w := get(t, "/schema.graphql"), &sink{header: http.Header{}}
	a.serveSchema(w, request)
	w.written = 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range requests {
		a.serveSchema(w, request)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / requests; each > 1<<10 {
		t.Errorf("a request for the schema takes %d bytes, want less than 1 KiB", each)
	}
	if want := requests * len(graph.SDL()); w.written != want {
		t.Errorf("%d bytes were served, want %d", w.written, want)
	}
}

// In production the contract is for callers with valid credentials, as
// introspection is.
func TestSchemaNeedsCredentialsInProduction(t *testing.T) {
	t.Parallel()
	a := &App{Auth: &auth.Authenticator{Keys: auth.NewKeys(memstore.New())}}
	for name, header := range map[string]string{"no credentials": "", "a wrong key": "Bearer phk_wrong"} {
		request, w := get(t, "/schema.graphql"), httptest.NewRecorder()
		if header != "" {
			request.Header.Set("Authorization", header)
		}
		a.serveSchema(w, request)
		if w.Code != http.StatusUnauthorized || w.Body.Len() > 1000 {
			t.Errorf("%s: %d with %d bytes, want 401 and no schema", name, w.Code, w.Body.Len())
		}
	}
}

// Whatever an unauthenticated caller asks for counts for its address.
func TestUnauthenticatedRequestsArePacedOnEveryPath(t *testing.T) {
	t.Parallel()
	left := 3
	a := &App{Auth: &auth.Authenticator{
		Keys: auth.NewKeys(memstore.New()),
		Throttle: func(string) time.Duration {
			if left == 0 {
				return time.Second
			}
			left--
			return 0
		},
	}, Log: slog.New(slog.DiscardHandler)}
	paced := a.paced(http.NotFoundHandler())
	for _, path := range []string{"/", "/schema.graphql", "/no-such-page"} {
		w := httptest.NewRecorder()
		if paced.ServeHTTP(w, get(t, path)); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want it let through", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	paced.ServeHTTP(w, get(t, "/another"))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many: %d %v, want 429 with Retry-After", w.Code, w.Header())
	}
}

// However many ask whether the server is ready, the database is asked twice a
// second.
func TestReadinessIsSharedByThoseWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, broken := 0, delivery.Errorf(delivery.Unavailable, "", "The disk is full.")
		var answer error = broken
		ready := &readiness{
			ping: func(context.Context) error { asked++; return answer }, log: slog.New(slog.DiscardHandler),
		}
		for range 100 {
			w := httptest.NewRecorder()
			ready.ServeHTTP(w, get(t, "/readyz"))
			if w.Code != http.StatusServiceUnavailable || w.Body.String() != "The disk is full.\n" {
				t.Fatalf("got %d %s, want 503 with the reason", w.Code, w.Body)
			}
		}
		if asked != 1 {
			t.Errorf("the database was asked %d times at once, want once", asked)
		}
		time.Sleep(readyFor)
		answer = nil
		if err := ready.check(t.Context()); err != nil || asked != 2 {
			t.Errorf("later: %v after %d questions, want the new answer", err, asked)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(readyFor)
		ready.ping = func(ctx context.Context) error { return ctx.Err() }
		if err := ready.check(canceled); errors.Is(err, context.Canceled) {
			t.Error("a client that went away decides for the others")
		}
	})
}
