package console

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed graphiql
var graphiQL embed.FS

// GraphiQLPath is where the files of GraphiQL are.
const GraphiQLPath = "/dev/graphiql/"

// graphiQLPolicy allows the page its own scripts, the styles and fonts that they
// bring, and the API.
const graphiQLPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"font-src data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'"

// GraphiQL shows GraphiQL to browsers that open the address of the API, and leaves
// everything else to api. It is for development mode.
func GraphiQL(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		opened := r.Method == http.MethodGet && r.URL.RawQuery == "" &&
			strings.Contains(r.Header.Get("Accept"), "text/html")
		if !opened {
			api.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", graphiQLPolicy)
		http.ServeFileFS(w, r, graphiQL, "graphiql/page.html")
	})
}

// GraphiQLFiles serves the files of GraphiQL below GraphiQLPath.
func GraphiQLFiles() http.Handler {
	files, err := fs.Sub(graphiQL, "graphiql")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return http.StripPrefix(GraphiQLPath, http.FileServerFS(files))
}
