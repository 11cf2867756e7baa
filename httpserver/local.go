package httpserver

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forwardedHeaders are what proxies add to the requests of others.
var forwardedHeaders = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
}

// LocalOnly answers requests of programs and browsers on this machine. It
// refuses those that a proxy forwards, and those to a name other than localhost:
// a page of a name that leads to loopback could read the answers.
func LocalOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !localHost(r.Host) {
			http.Error(w, "In development mode the server answers only as localhost, 127.0.0.1 or [::1]. "+
				"To serve other hosts, start it with --production.", http.StatusMisdirectedRequest)
			return
		}
		for _, name := range forwardedHeaders {
			if r.Header.Get(name) != "" {
				http.Error(w, "In development mode the server answers no requests that a proxy forwards ("+name+
					"). To serve behind a proxy, start it with --trusted-proxies.", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// localHost reports whether the Host of a request is a loopback address or
// localhost.
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
