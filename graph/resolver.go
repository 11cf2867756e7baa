package graph

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/limits"
	"portalhooks/graph/transport"
)

// A Resolver implements the resolvers of the schema.
type Resolver struct {
	Service   *service.Service
	rateLimit RateLimit
}

// An Authenticator authenticates requests.
type Authenticator interface {
	// Request authenticates r by its headers and cookies. It returns the caller,
	// which is the zero Caller if r has no credentials, and their expiry, zero
	// for never.
	Request(r *http.Request) (delivery.Caller, time.Time, error)
	// Watch returns a channel that is closed when the credentials of r, for which
	// Request returned c, are revoked or lose a permission; nil if that is not
	// possible. Its resources are released when ctx ends.
	Watch(ctx context.Context, r *http.Request, c delivery.Caller) <-chan struct{}
}

// A RateLimit limits the operations and events of a caller. It is called for each
// operation, with no events, and again with the number of events in the operation.
// It returns how long the caller has to wait, 0 if the call is admitted.
type RateLimit func(c delivery.Caller, events int) (wait time.Duration)

// Options configure the API.
type Options struct {
	// Charge is told what an operation costs that is about to be executed, in points
	// of complexity; nothing is charged if nil.
	Charge func(c delivery.Caller, points int)

	Authenticate   Authenticator
	RateLimit      RateLimit // no limit if nil
	Overloaded     func(remote string)
	AllowedOrigins []string // of web pages that may send requests, besides the server's own
	Origin         string   // of the server's own pages; "" for that of the request's host
	Development    bool     // allow introspection for all callers

	// Network returns the network of an address, whose unauthenticated callers
	// have one share together; the address itself if nil.
	Network func(address string) string

	Registry prometheus.Registerer
	Tracer   trace.Tracer // no traces if nil
	Logger   *slog.Logger

	// As in [transport.Options].
	InitTimeout, PingInterval, WriteTimeout time.Duration
}

// Limits of request bodies in bytes.
const (
	anonymousBodyLimit = 64 << 10
	bodyLimit          = 1 << 20
	ingestBodyLimit    = 8 << 20 // for Portal: one operation on 20,000 devices is 5.4 MB
)

// New returns the GraphQL API over service: POST, server-sent events and
// WebSocket on one address.
func New(service *service.Service, o Options) *transport.Handler {
	presenter := &presenter{o.Logger}
	if o.RateLimit == nil {
		o.RateLimit = func(delivery.Caller, int) time.Duration { return 0 }
	}
	if o.Charge == nil {
		o.Charge = func(delivery.Caller, int) {}
	}
	return transport.New(
		gen.NewExecutableSchema(gen.Config{
			Schema:     executedSchema(),
			Resolvers:  &Resolver{service, o.RateLimit},
			Complexity: complexity(),
		}),
		transport.Options{
			Authenticate: func(ctx context.Context, r *http.Request) (context.Context, error) {
				return identify(ctx, o.Authenticate, r)
			},
			Admit:  func(ctx context.Context) error { return rateLimited(o.RateLimit(callerOf(ctx), 0)) },
			Charge: func(ctx context.Context, cost limits.Cost) { o.Charge(callerOf(ctx), cost.Requested) },
			ConnectionInit: func(ctx context.Context, payload map[string]any) (context.Context, time.Time, error) {
				return initConnection(ctx, o.Authenticate, payload)
			},
			Expires:       func(ctx context.Context) time.Time { return identityOf(ctx).end },
			Ended:         func(ctx context.Context) <-chan struct{} { return ended(ctx, o.Authenticate) },
			CallerKey:     func(ctx context.Context) string { return identityOf(ctx).caller.Name },
			Share:         o.share,
			Overloaded:    o.Overloaded,
			BodyLimit:     limitBody,
			Decoders:      map[string]func([]byte) (any, bool){reportsType: decodeReports},
			Introspection: func(ctx context.Context) bool { return o.Development || identityOf(ctx).caller.Known() },

			AllowedOrigins: o.AllowedOrigins,
			Origin:         o.Origin,
			EventID:        cursorOf,
			ExtraTime:      extraTime,
			ErrorPresenter: presenter.present,
			Limits:         limits.Limits{OnlyOnce: []string{"ingestEvents"}, OpenEnums: reportEnums},
			Tracer:         o.Tracer,
			Logger:         o.Logger,

			InitTimeout: o.InitTimeout, PingInterval: o.PingInterval, WriteTimeout: o.WriteTimeout,
		})
}

// share returns whose share of the server a request uses. Portal's own credentials
// have the whole, as its reports are about every organization.
func (o *Options) share(ctx context.Context, remote string) transport.Share {
	switch caller := callerOf(ctx); {
	case caller.Known():
		return transport.Share{Key: caller.Share(), Whole: caller.Portal && caller.Scope == 0}
	case o.Network != nil:
		return transport.Share{Key: o.Network(remote)}
	}
	return transport.Share{Key: hostOf(remote)}
}

func limitBody(ctx context.Context) int64 {
	switch caller := callerOf(ctx); {
	case caller.Portal:
		return ingestBodyLimit
	case caller.Known():
		return bodyLimit
	}
	return anonymousBodyLimit
}
