package httpserver

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

var proxies = Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

// The client's address is what the nearest proxy that is trusted was called
// from; what a client writes into the header itself is not believed.
func TestClientBehindProxies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                        {"203.0.113.9:1234", nil, "203.0.113.9:1234"},
		"no proxy, but a header":          {"203.0.113.9:1234", []string{"192.0.2.1"}, "203.0.113.9:1234"},
		"one proxy":                       {"10.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.9:0"},
		"the client lies to the proxy":    {"10.0.0.1:1234", []string{"192.0.2.1, 203.0.113.9"}, "203.0.113.9:0"},
		"two headers are one list":        {"10.0.0.1:1234", []string{"192.0.2.1", "203.0.113.9"}, "203.0.113.9:0"},
		"two proxies":                     {"10.0.0.1:1234", []string{"203.0.113.9, 10.9.9.9"}, "203.0.113.9:0"},
		"with a port":                     {"10.0.0.1:1234", []string{"203.0.113.9:4711"}, "203.0.113.9:0"},
		"IPv6 in brackets":                {"[fd00::1]:1234", []string{"[2001:db8::9]:4711"}, "[2001:db8::9]:0"},
		"IPv4 written as IPv6":            {"[::ffff:10.0.0.1]:1234", []string{"::ffff:203.0.113.9"}, "203.0.113.9:0"},
		"nonsense ends the list":          {"10.0.0.1:1234", []string{"192.0.2.1, unknown"}, "10.0.0.1:0"},
		"a proxy that says nothing":       {"10.0.0.1:1234", nil, "10.0.0.1:0"},
		"nothing but proxies":             {"10.0.0.1:1234", []string{"10.0.0.2"}, "10.0.0.2:0"},
		"a zone opens no network of ours": {"[fe80::1%eth0]:1234", []string{"192.0.2.1"}, "[fe80::1%eth0]:1234"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.forwarded
		got := ""
		proxies.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = r.RemoteAddr
		})).ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("%s: the client is %s, want %s", name, got, c.want)
		}
	}
}

// Browsers are told to keep to TLS by answers over TLS only, and only a proxy
// of ours can say that it spoke TLS.
func TestStrictTransportOverTLSOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer, proto string
		tls         bool
		want        bool
	}{
		"plain":                      {"203.0.113.9:1", "", false, false},
		"TLS":                        {"203.0.113.9:1", "", true, true},
		"the proxy spoke TLS":        {"10.0.0.1:1", "https", false, true},
		"the proxy spoke plain HTTP": {"10.0.0.1:1", "http", false, false},
		"the client lies about it":   {"10.0.0.1:1", "https, http", false, false},
		"no proxy, but a header":     {"203.0.113.9:1", "https", false, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		Harden(http.NotFoundHandler(), proxies.Secure).ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != c.want {
			t.Errorf("%s: the header is set: %t, want %t", name, got, c.want)
		}
		h := w.Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: the headers are %v, want the others in every case", name, h)
		}
	}
}
