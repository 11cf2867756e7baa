package console

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What comes from others is what was reviewed: its checksums are beside it.
func TestGraphiQLIsThePinnedOne(t *testing.T) {
	sums, err := graphiQL.ReadFile("graphiql/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for lines := bufio.NewScanner(bytes.NewReader(sums)); lines.Scan(); checked++ {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		text, err := graphiQL.ReadFile("graphiql/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not the file that SHA256SUMS names: run `make graphiql`", name)
		}
	}
	if checked < 6 {
		t.Errorf("%d files were compared, want all that come from npm", checked)
	}
}

// A browser that opens the address gets the page, programs get the API.
func TestGraphiQLIsForBrowsersThatOpenTheAPI(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for name, tt := range map[string]struct {
		method, target, accept string
		page                   bool
	}{
		"a browser":               {"GET", "/graphql", browser, true},
		"a browser with a query":  {"GET", "/graphql?query=%7B__typename%7D", browser, false},
		"an EventSource":          {"GET", "/graphql?query=subscription", "text/event-stream", false},
		"a WebSocket":             {"GET", "/graphql", "", false},
		"a call":                  {"POST", "/graphql", "application/json", false},
		"a call that takes pages": {"POST", "/graphql", browser, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.target, nil)
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		GraphiQL(api).ServeHTTP(w, r)
		got := w.Code == http.StatusOK && strings.Contains(w.Body.String(), "/dev/graphiql/graphiql.min.js")
		if got != tt.page || !tt.page && w.Code != http.StatusTeapot {
			t.Errorf("%s: %d, the page: %t, want %t", name, w.Code, got, tt.page)
		}
	}
}

func TestGraphiQLFiles(t *testing.T) {
	for path, want := range map[string]string{
		"graphiql.min.js": "javascript", "graphiql.min.css": "text/css", "page.js": "javascript",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, GraphiQLPath+path, nil)
		GraphiQLFiles().ServeHTTP(w, r)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Type"), want) {
			t.Errorf("%s: %d, %s, want %s", path, w.Code, w.Header().Get("Content-Type"), want)
		}
	}
}
