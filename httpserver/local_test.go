package httpserver

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// In development mode neither a proxy nor a name that leads to loopback opens
// the server to others.
func TestLocalOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		host, header string
		want         int
	}{
		"localhost":              {"localhost:8080", "", http.StatusOK},
		"localhost in capitals":  {"LOCALHOST", "", http.StatusOK},
		"IPv4":                   {"127.0.0.1:8080", "", http.StatusOK},
		"IPv6":                   {"[::1]:8080", "", http.StatusOK},
		"IPv6 without a port":    {"[::1]", "", http.StatusOK},
		"a public name":          {"hooks.example.com", "", http.StatusMisdirectedRequest},
		"a name below localhost": {"localhost.example.com", "", http.StatusMisdirectedRequest},
		"a name that rebinds":    {"127.0.0.1.example.com:8080", "", http.StatusMisdirectedRequest},
		"a public address":       {"203.0.113.9:8080", "", http.StatusMisdirectedRequest},
		"no host":                {"", "", http.StatusMisdirectedRequest},
		"forwarded for":          {"127.0.0.1:8080", "X-Forwarded-For", http.StatusForbidden},
		"forwarded host":         {"localhost", "X-Forwarded-Host", http.StatusForbidden},
		"forwarded proto":        {"localhost", "X-Forwarded-Proto", http.StatusForbidden},
		"forwarded":              {"localhost", "Forwarded", http.StatusForbidden},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = c.host
		if c.header != "" {
			r.Header.Set(c.header, "203.0.113.9")
		}
		w := httptest.NewRecorder()
		LocalOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: the status is %d, want %d", name, w.Code, c.want)
		}
	}
}
