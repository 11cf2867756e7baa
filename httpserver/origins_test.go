package httpserver

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Scripts of listed origins may call and read; browsers keep all others from it.
func TestOrigins(t *testing.T) {
	t.Parallel()
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	const listed = "https://admin.example.com"
	for name, c := range map[string]struct {
		method, origin, preflight string
		status                    int
		allowed, headers          string
	}{
		"a preflight":                  {"OPTIONS", listed, "POST", http.StatusNoContent, listed, "Authorization, Content-Type, Last-Event-ID"},
		"a call":                       {"POST", listed, "", http.StatusTeapot, listed, ""},
		"an OPTIONS that is none":      {"OPTIONS", listed, "", http.StatusTeapot, listed, ""},
		"another port":                 {"OPTIONS", listed + ":8443", "POST", http.StatusTeapot, "", ""},
		"another scheme":               {"OPTIONS", "http://admin.example.com", "POST", http.StatusTeapot, "", ""},
		"a subdomain":                  {"POST", "https://x.admin.example.com", "", http.StatusTeapot, "", ""},
		"no origin":                    {"POST", "", "", http.StatusTeapot, "", ""},
		"the origin of a sandbox":      {"POST", "null", "", http.StatusTeapot, "", ""},
		"an origin with a final slash": {"POST", "https://slash.example", "", http.StatusTeapot, "https://slash.example", ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "/graphql", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.preflight != "" {
			r.Header.Set("Access-Control-Request-Method", c.preflight)
		}
		w := httptest.NewRecorder()
		Origins{listed, "https://slash.example/"}.Handler(teapot).ServeHTTP(w, r)
		h := w.Header()
		if w.Code != c.status || h.Get("Access-Control-Allow-Origin") != c.allowed ||
			h.Get("Access-Control-Allow-Headers") != c.headers {
			t.Errorf("%s: %d with %v, want %d for the origin %q", name, w.Code, h, c.status, c.allowed)
		}
		if h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: the headers are %v, want Vary, and no credentials", name, h)
		}
	}
}
