package httpserver

import (
	"net/http"
	"slices"
	"strings"
)

// Origins are the origins of web pages, besides the server's own, whose scripts
// may call the server.
type Origins []string

// Has reports whether origin is one of them.
func (o Origins) Has(origin string) bool {
	return slices.ContainsFunc(o, func(listed string) bool {
		return strings.EqualFold(strings.TrimSuffix(listed, "/"), origin)
	})
}

// preflightAge is for how many seconds browsers remember that they may call; none
// remembers it for longer.
const preflightAge = "7200"

// Handler lets the scripts of these origins call next and read its answers.
// Cookies are not for them: they authenticate by a header. Requests of other
// origins reach next as they are.
func (o Origins) Handler(next http.Handler) http.Handler {
	if len(o) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origins := r.Header.Values("Origin")
		if len(origins) != 1 || !o.Has(origins[0]) {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origins[0])
		h.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
		h.Set("Access-Control-Max-Age", preflightAge)
		w.WriteHeader(http.StatusNoContent)
	})
}
