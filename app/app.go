package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
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
	"portalhooks/graph"
	"portalhooks/graph/transport"
	"portalhooks/httpserver"
)

// An App is the assembled server: the store, the service on it, and the API on
// that.
type App struct {
	Settings *Settings
	Log      *slog.Logger
	Store    *ent.Store
	owner    delivery.Owner
	Service  *service.Service
	Auth     *auth.Authenticator
	api      *transport.Handler
	metrics  *prometheus.Registry
	refusals *httpserver.Refusals
	traces   *tracing     // nil without a collector
	signIn   *auth.SignIn // nil without an identity provider
	dev      *development // nil in production

	certificate *httpserver.Certificate // nil if a proxy terminates TLS
}

// Run serves until ctx ends, then finishes the attempts in flight. It greets the
// person at the terminal on out, and logs to logs.
func Run(ctx context.Context, c *Settings, out, logs io.Writer) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	bare, err := Listen(ctx, c.Listen, "--listen")
	if err != nil {
		return err
	}
	PaceCollector()
	a, err := New(ctx, c, newLogger(c, logs), bare.Addr().String())
	if err != nil {
		return errors.Join(err, bare.Close())
	}
	a.greet(out, bare.Addr().String())
	return errors.Join(a.Run(ctx, bare), a.Store.Close())
}

// New opens the store and assembles the server. Only the export of traces runs
// already.
func New(ctx context.Context, c *Settings, log *slog.Logger, addr string) (_ *App, err error) {
	a := &App{Settings: c, Log: log, metrics: prometheus.NewRegistry()}
	a.metrics.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	c.warnOfKeyFile(ctx, log)
	a.refusals = httpserver.NewRefusals(a.metrics, log)
	keyring, err := c.Keyring()
	if err != nil {
		return nil, err
	}
	if c.TLSCert != "" {
		if a.certificate, err = httpserver.LoadCertificate(c.TLSCert, c.TLSKey, log); err != nil {
			return nil, err
		}
	}
	if a.Store, err = ent.Open(ctx, c.storeOptions(log)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Store.Close())
			a.traces.close(ctx)
		}
	}()
	if _, err := a.Store.Migrate(ctx); err != nil {
		return nil, err
	}
	if err := a.Store.Prepare(ctx, time.Now()); err != nil {
		return nil, fmt.Errorf("prepare the database: %w", err)
	}
	host, _ := os.Hostname()
	if a.owner, err = a.Store.Join(ctx, fmt.Sprintf("%s:%d", host, os.Getpid()), delivery.SlotTTL); err != nil {
		return nil, fmt.Errorf("lease a slot: %w", err)
	}
	if a.traces, err = openTracing(ctx, c, log); err != nil {
		return nil, err
	}
	pace := newPace(c, a.refusals)
	options := a.serviceOptions(keyring)
	options.Stored = pace.stored
	a.Service = service.New(a.Store, options)
	a.Auth = &auth.Authenticator{Keys: auth.NewKeys(a.Store), Throttle: pace.address}
	a.Auth.Keys.Local = c.development()
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
	a.api = graph.New(a.Service, graph.Options{
		Authenticate:   identifier{a.Auth, a.refusals},
		RateLimit:      pace.caller,
		Charge:         pace.executed,
		Overloaded:     func(remote string) { a.refusals.Note(httpserver.Overload, httpserver.Address(remote)) },
		AllowedOrigins: c.AllowedOrigins,
		Origin:         c.origin(),
		Network:        httpserver.Address,
		Development:    c.development(),
		Logger:         log,
		Registry:       a.metrics,
		InitTimeout:    c.Timeouts.Init,
		PingInterval:   c.Timeouts.Ping,
		WriteTimeout:   c.Timeouts.Write,
		Tracer:         a.traces.tracer("portalhooks/graph"),
	})
	return a, nil
}

func (c *Settings) storeOptions(log *slog.Logger) ent.Options {
	return ent.Options{URL: c.Database, Direct: c.DatabaseDirect, Logger: log}
}

func (a *App) serviceOptions(keyring *seal.Keyring) service.Options {
	c := a.Settings
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
		MaxKeyLife: c.MaxKeyLife, Version: Version(), Logger: a.Log,
		Tracer: a.traces.tracer("portalhooks/delivery"),
	}
}

// requireKey refuses to serve in production while no caller could authenticate.
func (a *App) requireKey(ctx context.Context) error {
	if a.Auth.Tokens != nil {
		return nil
	}
	keys, err := a.Store.Keys(ctx, 0, time.Now())
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Works(time.Now()) && !k.Local {
			return nil
		}
	}
	return errors.New("no caller could authenticate: create an API key first, with the same --database, " +
		"such as \"portalhooks key create --role portal --name portal\", or set an identity provider " +
		"with --oidc-issuer")
}

// Run serves on listener until ctx ends or a part fails. The API stops first,
// so that everything it has acknowledged reaches the service, which then
// finishes what is in flight.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
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
	group.Go(func() error { return a.Auth.Run(groupCtx, a.Log) })
	group.Go(func() error { return a.Service.Run(serving) })
	err := group.Wait()
	a.traces.close(ctx)
	return err
}

// How long requests in progress may take to end.
const httpDrain = 15 * time.Second

// serveHTTP serves the API until ctx ends.
func (a *App) serveHTTP(ctx context.Context, listener net.Listener) error {
	connections, err := a.connections(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	listener = httpserver.Listen(listener, a.Settings.TrustedProxies, connections, a.refusals)
	server := a.Settings.Timeouts.server(a.routes(), a.Log)
	server.ConnContext = httpserver.ConnContext
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
	a.Log.InfoContext(ctx, "stopping: finishing requests and attempts")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpDrain)
	defer cancel()
	err = errors.Join(a.api.Shutdown(drain), server.Shutdown(drain))
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if serve := <-failed; !errors.Is(serve, http.ErrServerClosed) {
		err = errors.Join(err, serve)
	}
	return err
}

// serveMetrics serves metrics and profiles on their own address, if there is one,
// until ctx ends.
func (a *App) serveMetrics(ctx context.Context) error {
	if a.Settings.MetricsListen == "" {
		return nil
	}
	listener, err := Listen(ctx, a.Settings.MetricsListen, "--metrics-listen")
	if err != nil {
		return err
	}
	server := a.Settings.Timeouts.server(a.operatorRoutes(), a.Log)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
