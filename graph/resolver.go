package graph

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"portalhooks/delivery"
	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
	"portalhooks/graph/limits"
	"portalhooks/graph/transport"
	"portalhooks/schema"
)

// A Resolver answers the root fields.
type Resolver struct {
	Service *service.Service
	pace    Pace
}

// An Authenticator finds out who is calling, and until when that holds (the
// zero time: without end). The zero Caller is nobody.
type Authenticator interface {
	// Request looks at r's headers and cookies.
	Request(r *http.Request) (delivery.Caller, time.Time, error)
	// Watch returns a channel that is closed when r no longer proves that c
	// calls, whom Request found for it, or c may do less; nil when that can't
	// be. It is let go when ctx ends.
	Watch(ctx context.Context, r *http.Request, c delivery.Caller) <-chan struct{}
}

// A Pace bounds how often a caller may call. It is told of each operation, with
// no events, and then of the events that the operation brings. It returns how
// long the caller has to wait, 0 when it may go on.
type Pace func(c delivery.Caller, events int) (wait time.Duration)

// Options fit the API into a program.
type Options struct {
	Authenticate   Authenticator
	Pace           Pace     // nobody is held up if nil
	AllowedOrigins []string // of web pages that may call besides the server's own
	Development    bool     // show the schema to everybody
	Registry       prometheus.Registerer
	Tracer         trace.Tracer // makes spans; none if nil
	Logger         *slog.Logger

	// As in [transport.Options].
	InitTimeout, PingInterval, WriteTimeout time.Duration
}

// Limits of a request's body.
const (
	strangerBodyLimit = 64 << 10 // for who has no credentials, and can do next to nothing
	bodyLimit         = 1 << 20
	ingestBodyLimit   = 8 << 20 // for Portal: one operation on 20,000 devices is 5.4 MB
)

// New returns the GraphQL API over service: POST, server-sent events and
// WebSocket on one address.
func New(service *service.Service, o Options) *transport.Handler {
	presenter := &presenter{o.Logger}
	if o.Pace == nil {
		o.Pace = func(delivery.Caller, int) time.Duration { return 0 }
	}
	return transport.New(
		gen.NewExecutableSchema(gen.Config{
			Resolvers:  &Resolver{service, o.Pace},
			Complexity: complexity(),
		}),
		transport.Options{
			Authenticate: func(ctx context.Context, r *http.Request) (context.Context, error) {
				return identify(ctx, o.Authenticate, r)
			},
			Admit: func(ctx context.Context) error { return tooFast(o.Pace(callerOf(ctx), 0)) },
			ConnectionInit: func(ctx context.Context, payload map[string]any) (context.Context, time.Time, error) {
				return initConnection(ctx, o.Authenticate, payload)
			},
			Expires:       func(ctx context.Context) time.Time { return identityOf(ctx).end },
			Ended:         func(ctx context.Context) <-chan struct{} { return ended(ctx, o.Authenticate) },
			CallerKey:     func(ctx context.Context) string { return identityOf(ctx).caller.Name },
			BodyLimit:     limitBody,
			Decoders:      map[string]func([]byte) (any, bool){reportsType: decodeReports},
			Introspection: func(ctx context.Context) bool { return o.Development || identityOf(ctx).caller.Known() },

			AllowedOrigins: o.AllowedOrigins,
			EventID:        cursorOf,
			ErrorPresenter: presenter.present,
			Limits:         limits.Limits{OnlyOnce: []string{"ingestEvents"}},
			Tracer:         o.Tracer,
			Logger:         o.Logger,

			InitTimeout: o.InitTimeout, PingInterval: o.PingInterval, WriteTimeout: o.WriteTimeout,
		})
}

// SDL returns the contract's text.
func SDL() string {
	var b strings.Builder
	_ = fs.WalkDir(schema.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := schema.Files.ReadFile(path)
		b.Write(text)
		b.WriteByte('\n')
		return err
	})
	return b.String()
}

func limitBody(ctx context.Context) int64 {
	switch caller := callerOf(ctx); {
	case caller.Portal:
		return ingestBodyLimit
	case caller.Known():
		return bodyLimit
	}
	return strangerBodyLimit
}
