// Package console serves what people see in a browser. For now that is one page
// that says what the server is; the admin console takes its place here.
//
// The source is in app, the build in dist: committed and embedded, so that the
// server needs no Node. "make console" makes dist anew.
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

// contentPolicy lets the page load its own style sheet, ask the API, and sign
// out.
const contentPolicy = "default-src 'none'; style-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'"

// A Page says what the page shows.
type Page struct {
	Version     string // of the server
	Caller      string // who is signed in; empty for nobody
	SignIn      bool   // whether people sign in, and out, below /auth/
	Development bool   // whether the server is in development mode
}

// Handler returns what is served below "/": the page, and the files that
// belong to it. Describe says what the page shows to whoever sends r.
func Handler(describe func(r *http.Request) Page) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		if err := page.Execute(&text, describe(r)); err != nil {
			http.Error(w, "The page could not be made.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("Referrer-Policy", "same-origin") // with less, a form does not say where it comes from
		_, _ = w.Write(text.Bytes())
	})
	mux.HandleFunc("GET /index.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, dist, "dist/index.css")
	})
	return mux
}
