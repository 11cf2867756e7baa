package app

import (
	"cmp"
	"io"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"portalhooks/console"
	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph"
	"portalhooks/httpserver"
)

// routes returns everything that the server answers.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	origins := httpserver.Origins(a.Settings.AllowedOrigins)
	mux.Handle("/graphql", origins.Handler(a.endpoint()))
	schema := http.NewServeMux()
	schema.Handle("GET /schema.graphql", a.paced(http.HandlerFunc(a.serveSchema)))
	mux.Handle("/schema.graphql", origins.Handler(schema))
	// Health checks are not paced: they cost less than to refuse them, and must
	// not fail for what others send from the same address.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /readyz", &readiness{ping: a.Store.Ping, log: a.Log})
	mux.Handle("/", a.paced(console.Handler(a.describePage)))
	if a.signIn != nil {
		mux.Handle("/auth/", a.signIn)
	}
	if a.dev != nil {
		if a.dev.sessions != nil {
			mux.Handle("/dev/sign-in", a.dev.sessions)
		}
		mux.Handle(console.GraphiQLPath, console.GraphiQLFiles())
		mux.Handle("/dev/receiver/", http.StripPrefix("/dev/receiver", a.dev.receiver))
		if a.Settings.MetricsListen == "" {
			mux.Handle("GET /metrics", a.Metrics())
		}
	}
	var all http.Handler = mux
	if a.dev != nil {
		all = httpserver.LocalOnly(all)
	}
	proxies := httpserver.Proxies(a.Settings.TrustedProxies)
	return proxies.Handler(httpserver.Harden(all, proxies.Secure))
}

// endpoint returns the API, in development mode with a page for browsers.
func (a *App) endpoint() http.Handler {
	if a.dev == nil {
		return a.api
	}
	return console.GraphiQL(a.api)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// Metrics returns the page of metrics.
func (a *App) Metrics() http.Handler {
	return promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{})
}

// operatorRoutes are what --metrics-listen serves: metrics and profiles. They
// are for operators: profiles are never served on the main listener.
func (a *App) operatorRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.Metrics())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// paced refuses addresses that send too many requests without valid credentials.
func (a *App) paced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.Auth.Pace(r); err != nil {
			w.Header().Set("Retry-After", "1")
			plain(w, http.StatusTooManyRequests, service.DatabaseFault(err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveSchema serves the text of the schema: in production to callers with valid
// credentials only, as introspection is.
func (a *App) serveSchema(w http.ResponseWriter, r *http.Request) {
	if a.dev == nil {
		caller, _, err := a.Auth.Identify(r)
		switch code := delivery.CodeOf(err); {
		case code == delivery.Unauthenticated, err == nil && !caller.Known():
			if err != nil {
				a.refusals.Note(httpserver.BadCredentials, httpserver.Address(r.RemoteAddr))
			}
			w.Header().Set("WWW-Authenticate", "Bearer")
			plain(w, http.StatusUnauthorized, service.DatabaseFault(cmp.Or(err, error(delivery.ErrUnauthenticated))))
			return
		case code == delivery.Forbidden:
			plain(w, http.StatusForbidden, service.DatabaseFault(err))
			return
		case err != nil:
			plain(w, http.StatusServiceUnavailable, service.DatabaseFault(err))
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, graph.SDL()) // in place: a copy would wait for slow readers
}

// describePage says what the page in the browser shows.
func (a *App) describePage(r *http.Request) console.Page {
	caller, _, err := a.Auth.Identify(r)
	if err != nil {
		a.Log.DebugContext(r.Context(), "find out who opens the page", "err", err)
	}
	return console.Page{
		Version: Version(), Caller: caller.Name, SignIn: a.signIn != nil, Development: a.dev != nil,
	}
}
