package api

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portalhooks/test/harness"
)

// Metrics and profiles have a listener of their own. The public one serves neither
// to any caller.
func TestProfilesAreOnTheMetricsListenerAlone(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(receiver.Close)
	settings := harness.APISettings(t, harness.APIDatabases["SQLite"](t), receiver.URL)
	settings.MetricsListen = freeAddress(t)
	harness.MakeFirstKey(t, settings)
	s := harness.StartApp(t, settings)
	main := strings.TrimSuffix(s.URL, "/graphql")
	operators := "http://" + settings.MetricsListen
	err := harness.Eventually(
		t.Context(),
		"the metrics listener answers",
		func(ctx context.Context) (bool, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", settings.MetricsListen)
			if err != nil {
				return false, nil //nolint:nilerr // not yet
			}
			return true, conn.Close()
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/metrics": "portalhooks_memory_deliveries", "/debug/pprof/": "goroutine",
		"/debug/pprof/heap?debug=1": "heap profile", "/debug/pprof/cmdline": "test",
	} {
		if status, text := fetch(t, operators+path); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s on the metrics listener: %d %.200s, want %q", path, status, text, want)
		}
		if _, text := fetch(t, main+path); strings.Contains(text, want) {
			t.Errorf("%s on the public listener: %.200s", path, text)
		}
	}
}

// freeAddress returns an address on loopback on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
