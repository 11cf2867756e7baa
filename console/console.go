// Package console serves the web console: for now a single start page, which the
// admin console will replace.
//
// The source is in app and the build in dist, which is committed and embedded so
// that building the server requires no Node. "make console" rebuilds dist.
package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

//go:embed dist
var dist embed.FS

var page = template.Must(template.ParseFS(dist, "dist/index.html"))

// contentPolicy allows the page its own style sheet, the API, and the sign-out
// form.
const contentPolicy = "default-src 'none'; style-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'"

// A Page is the content of the start page.
type Page struct {
	Version     string // of the server
	Caller      string // name of the signed-in person; empty if signed out
	SignIn      bool   // whether sign-in with an identity provider is enabled
	Development bool   // whether the server is in development mode
}

// Handler serves the start page at "/" and its static files. It calls describe for
// the content of each page request.
func Handler(describe func(r *http.Request) Page) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		if err := page.Execute(&text, describe(r)); err != nil {
			http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("Referrer-Policy", "same-origin") // a stricter one removes Origin from the sign-out form
		_, _ = w.Write(text.Bytes())
	})
	mux.HandleFunc("GET /index.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, dist, "dist/index.css")
	})
	return mux
}
