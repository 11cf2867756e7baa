package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"portalhooks/auth"
	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/service"
	"portalhooks/ent"
	"portalhooks/front"
	"portalhooks/graph"
	"portalhooks/graph/transport"
)

// An app is the server, put together: the store, the service over it, and the
// API over that.
type app struct {
	settings *serveCmd
	log      *slog.Logger
	store    *ent.Store
	owner    delivery.Owner
	service  *service.Service
	auth     *auth.Authenticator
	api      *transport.Handler
	metrics  *prometheus.Registry
	traces   *tracing     // nil where nobody collects them
	signIn   *auth.SignIn // nil where nobody signs in with an identity provider
	dev      *development // nil in production

	certificate *front.Certificate // nil where something in front speaks TLS
}

// Run serves until ctx ends, then finishes what was begun.
func (c *serveCmd) Run(ctx context.Context, t terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	bare, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	listener := front.Listen(bare, c.TrustedProxies)
	paceCollector()
	a, err := newApp(ctx, c, newLogger(c, t), listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	a.greet(t, listener.Addr().String())
	return errors.Join(a.run(ctx, listener), a.store.Close())
}

// paceCollector lets the garbage collector run less often than Go's default,
// unless GOGC says otherwise: the live memory is small, and collecting took a
// sixth of the time at full speed.
func paceCollector() {
	const percent = 400
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// newApp opens the store and puts the server together. Nothing runs yet but
// what sends traces.
func newApp(ctx context.Context, c *serveCmd, log *slog.Logger, addr string) (_ *app, err error) {
	a := &app{settings: c, log: log, metrics: prometheus.NewRegistry()}
	a.metrics.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	keyring, err := c.keyring()
	if err != nil {
		return nil, err
	}
	if c.TLSCert != "" {
		if a.certificate, err = front.LoadCertificate(c.TLSCert, c.TLSKey, log); err != nil {
			return nil, err
		}
	}
	if a.store, err = ent.Open(ctx, c.storeOptions(log)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.store.Close())
			a.traces.close(ctx)
		}
	}()
	if _, err := a.store.Migrate(ctx); err != nil {
		return nil, err
	}
	if err := a.store.Prepare(ctx, time.Now()); err != nil {
		return nil, fmt.Errorf("prepare the database: %w", err)
	}
	host, _ := os.Hostname()
	if a.owner, err = a.store.Join(ctx, fmt.Sprintf("%s:%d", host, os.Getpid()), delivery.SlotTTL); err != nil {
		return nil, fmt.Errorf("take a slot among the servers of this database: %w", err)
	}
	if a.traces, err = openTracing(ctx, c, log); err != nil {
		return nil, err
	}
	a.service = service.New(a.store, a.serviceOptions(keyring))
	pace := newPace(c)
	a.auth = &auth.Authenticator{Keys: auth.NewKeys(a.store), Strangers: pace.stranger}
	if c.OIDCIssuer != "" {
		if err := a.useProvider(keyring); err != nil {
			return nil, err
		}
	}
	if c.development() {
		if a.dev, err = newDevelopment(ctx, a, addr); err != nil {
			return nil, err
		}
	} else if err := a.requireKey(ctx); err != nil {
		return nil, err
	}
	a.api = graph.New(a.service, graph.Options{
		Authenticate:   a.auth,
		Pace:           pace.caller,
		AllowedOrigins: c.AllowedOrigins,
		Development:    c.development(),
		Logger:         log,
		Registry:       a.metrics,
		InitTimeout:    c.timeouts.init,
		PingInterval:   c.timeouts.ping,
		WriteTimeout:   c.timeouts.write,
		Tracer:         a.traces.tracer("portalhooks/graph"),
	})
	return a, nil
}

func (c *serveCmd) storeOptions(log *slog.Logger) ent.Options {
	return ent.Options{URL: c.Database, Direct: c.DatabaseDirect, Logger: log}
}

func (a *app) serviceOptions(keyring *seal.Keyring) service.Options {
	c := a.settings
	policy := egress.Policy{
		Allow: c.EgressAllow, AllowHTTP: c.EgressAllowHTTP, Ports: c.EgressPorts, Proxy: c.EgressProxy,
	}
	if c.development() {
		policy.Allow = append(policy.Allow, loopbackNetworks...)
		policy.AllowHTTP, policy.AnyPort = true, true
	}
	pages := make(map[delivery.ItemKind]string, len(c.ViewURL))
	for kind, pattern := range c.ViewURL {
		pages[delivery.ItemKind(kind)] = pattern
	}
	return service.Options{
		Owner: a.owner, Keyring: keyring, Registry: a.metrics, Egress: policy, ViewURLs: pages,
		Workers: c.Workers, Concurrency: c.WebhookWorkers, Retention: c.Retention, AuditRetention: c.AuditRetention,
		Version: version(), Logger: a.log, Tracer: a.traces.tracer("portalhooks/delivery"),
	}
}

// requireKey refuses to serve in production when nobody could call.
func (a *app) requireKey(ctx context.Context) error {
	if a.auth.Tokens != nil {
		return nil
	}
	keys, err := a.store.Keys(ctx, 0, time.Now())
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Works(time.Now()) {
			return nil
		}
	}
	return errors.New("nobody could sign in: make an API key first, with the same --database, such as " +
		"\"portalhooks key create --role portal --name portal\", or name an identity provider with --oidc-issuer")
}

// run serves on listener until ctx ends or a part fails. The API stops first,
// so that everything it has acknowledged reaches the service, which then
// finishes what is in flight.
func (a *app) run(ctx context.Context, listener net.Listener) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stopServing()
		return a.serveHTTP(groupCtx, listener)
	})
	group.Go(func() error { return a.serveMetrics(groupCtx) })
	if a.certificate != nil {
		group.Go(func() error { return a.certificate.Run(groupCtx) })
	}
	group.Go(func() error { return a.auth.Run(groupCtx, a.log) })
	group.Go(func() error { return a.service.Run(serving) })
	err := group.Wait()
	a.traces.close(ctx)
	return err
}

// How long requests that are under way may take to end.
const httpDrain = 15 * time.Second

// serveHTTP serves the API until ctx ends.
func (a *app) serveHTTP(ctx context.Context, listener net.Listener) error {
	server := a.settings.timeouts.server(a.routes(), a.log)
	serve := server.Serve
	if a.certificate != nil {
		server.TLSConfig = a.certificate.Config()
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.log.InfoContext(ctx, "stopping: finishing what was begun")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpDrain)
	defer cancel()
	err := errors.Join(a.api.Shutdown(drain), server.Shutdown(drain))
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if serve := <-failed; !errors.Is(serve, http.ErrServerClosed) {
		err = errors.Join(err, serve)
	}
	return err
}

// serveMetrics serves /metrics on its own address, if there is one, until ctx
// ends.
func (a *app) serveMetrics(ctx context.Context) error {
	if a.settings.MetricsListen == "" {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.settings.MetricsListen)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	server := a.settings.timeouts.server(a.metricsPage(), a.log)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// newLogger returns the logger that the settings ask for. It writes to the
// error stream: standard output is for what a command answers.
func newLogger(c *serveCmd, t terminal) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // can't be: the command line takes only the levels
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(c.logHandler(slog.NewJSONHandler(t.err, opts)))
	}
	return slog.New(c.logHandler(slog.NewTextHandler(t.err, opts)))
}
