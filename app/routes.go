package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"portalhooks/console"
	"portalhooks/delivery"
	"portalhooks/graph"
	"portalhooks/httpserver"
)

// routes returns everything that the server answers.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/graphql", a.api)
	mux.HandleFunc("GET /schema.graphql", serveSchema)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", a.serveReady)
	mux.Handle("/", console.Handler(a.describePage))
	if a.signIn != nil {
		mux.Handle("/auth/", a.signIn)
	}
	if a.dev != nil {
		if a.dev.sessions != nil {
			mux.Handle("/dev/sign-in", a.dev.sessions)
		}
		mux.Handle("/dev/receiver/", http.StripPrefix("/dev/receiver", a.dev.receiver))
		if a.Settings.MetricsListen == "" {
			mux.Handle("GET /metrics", a.Metrics())
		}
	}
	proxies := httpserver.Proxies(a.Settings.TrustedProxies)
	return proxies.Handler(httpserver.Harden(mux, proxies.Secure))
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// readyTimeout bounds the question whether the database answers.
const readyTimeout = 2 * time.Second

// serveReady tells a load balancer whether to send requests here.
func (a *App) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := a.Store.Ping(ctx); err != nil {
		a.Log.WarnContext(ctx, "not ready", "err", err)
		reason := "The database does not answer."
		if e, ok := errors.AsType[*delivery.Error](err); ok {
			reason = e.Message
		}
		plain(w, http.StatusServiceUnavailable, reason)
		return
	}
	plain(w, http.StatusOK, "ready")
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

func serveSchema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(graph.SDL()))
}

// describePage says what the page in the browser shows.
func (a *App) describePage(r *http.Request) console.Page {
	caller, _, err := a.Auth.Request(r)
	if err != nil {
		a.Log.DebugContext(r.Context(), "find out who opens the page", "err", err)
	}
	return console.Page{
		Version: Version(), Caller: caller.Name, SignIn: a.signIn != nil, Development: a.dev != nil,
	}
}
