package transport_test

import (
	"net/http"
	"net/url"
	"testing"
)

// The pages of the server have one origin, with its scheme: a page of the same host
// that came without TLS may have been written by anyone on the way.
func TestTheSchemeIsPartOfTheOrigin(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Origin, opts.AllowedOrigins = "https://hooks.example.com", []string{"https://app.example.com"}
	base, _ := serve(t, opts)
	for origin, want := range map[string]int{
		"https://hooks.example.com": http.StatusOK,
		"https://app.example.com":   http.StatusOK,
		"http://hooks.example.com":  http.StatusForbidden,
		"https://hooks.example":     http.StatusForbidden,
		base:                        http.StatusForbidden,
	} {
		if got := post(t, base, "{__typename}", "Origin", origin); got.status != want {
			t.Errorf("%s: %d, want %d", origin, got.status, want)
		}
	}
}

// A page of another site may cause a GET without an Origin, with the session's
// cookie. The browser says where it comes from.
func TestRequestsFromOtherSitesAreRefusedWithoutAnOrigin(t *testing.T) {
	t.Parallel()
	base, _ := serve(t, options())
	for site, want := range map[string]int{
		"same-origin": http.StatusOK, "none": http.StatusOK, "": http.StatusOK,
		"same-site": http.StatusForbidden, "cross-site": http.StatusForbidden,
	} {
		got := ask(t, http.MethodGet, base+"?query="+url.QueryEscape("{__typename}"), "",
			"Cookie", "portalhooks_session=x", "Accept", "text/event-stream", "Sec-Fetch-Site", site)
		if got.status != want {
			t.Errorf("Sec-Fetch-Site %q: %d, want %d", site, got.status, want)
		}
	}
}
