package transport

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"go.opentelemetry.io/otel/trace"

	"portalhooks/graph/limits"
)

// Options fit a Handler into a program. The zero value is ready for use: it
// lets everybody in, shows nobody the schema and hides what went wrong.
type Options struct {
	// Authenticate finds out who sends r, on every HTTP request and WebSocket
	// upgrade, and returns ctx with that identity, or with none. An error
	// refuses the request: it goes through ErrorPresenter, and its code
	// decides the status. Everyone is anonymous if nil.
	Authenticate func(ctx context.Context, r *http.Request) (context.Context, error)

	// ConnectionInit admits a WebSocket connection with the payload of its
	// connection_init message, nil when it has none. It returns a context made
	// from ctx, which carries what Authenticate found at the upgrade, and when
	// these credentials expire, the zero time for never. An error closes the
	// socket with 4403. Every connection is admitted if nil.
	ConnectionInit func(ctx context.Context, payload map[string]any) (context.Context, time.Time, error)

	// Expires tells when the identity in ctx expires, the zero time for never.
	// A stream of events ends then; so does a WebSocket, unless ConnectionInit
	// gave it a time of its own. Nothing expires if nil.
	Expires func(ctx context.Context) time.Time

	// Ended returns a channel that is closed when the identity in ctx ends
	// before it expires, because its key was revoked or the person has signed
	// out, and nil when it can't. It is asked once for a stream of events or a
	// WebSocket, and need not close the channel after ctx has ended. Nothing
	// ends early if nil.
	Ended func(ctx context.Context) <-chan struct{}

	// Admit is asked before each operation whether the caller may make one more
	// now. An error refuses it, over HTTP before the body is read: with a
	// number of seconds as extensions.retryAfter, the status is 429 and the
	// answer says when to come back. Nobody is refused if nil.
	Admit func(ctx context.Context) error

	// CallerKey names the caller whose sockets and streams are counted
	// together. The remote address counts if it is nil or returns "".
	CallerKey func(ctx context.Context) string

	// BodyLimit returns the longest request body, in bytes, that the caller
	// may send; 1 MiB if nil.
	BodyLimit func(ctx context.Context) int64

	// Decoders decode the only variable of an operation directly from its JSON,
	// by the type of the variable as the schema writes it. A decoder accepts
	// only what is certainly valid for the type; false leaves the request to
	// the general decoder, which also says what is wrong. The resolver gets the
	// value from [limits.Value], and its argument empty.
	Decoders map[string]func(json []byte) (value any, ok bool)

	// Introspection reports whether the caller may read the schema and be
	// helped with suggestions. Nobody may if nil.
	Introspection func(ctx context.Context) bool

	// AllowedOrigins are the origins ("https://hooks.example.com") of web pages
	// that may call, besides those of the request's own host.
	AllowedOrigins []string

	// EventID returns the cursor of a subscription's response, "" if it has
	// none. It becomes the id of a server-sent event. No event has one if nil.
	EventID func(*graphql.Response) string

	// ErrorPresenter decides what a client sees of an error; errors without an
	// extensions.code are INTERNAL, and logged, if it is nil. It also sees the
	// errors of Authenticate and ConnectionInit, with a context that belongs to
	// no operation.
	ErrorPresenter graphql.ErrorPresenterFunc

	Recover          graphql.RecoverFunc         // turns a panic into an error; logs it with its stack if nil
	Extensions       []graphql.HandlerExtension  // run after the limits, in order
	AroundOperations graphql.OperationMiddleware // runs inside of Extensions
	AroundResponses  graphql.ResponseMiddleware  // runs inside of Extensions; its response may be nil
	Limits           limits.Limits               // for documents

	OperationTimeout time.Duration // for a query or a mutation; 10s if zero
	InitTimeout      time.Duration // for connection_init and its check; 10s if zero
	PingInterval     time.Duration // between pings on a socket; 20s if zero
	Heartbeat        time.Duration // between comments in an event stream; 15s if zero
	WriteTimeout     time.Duration // for one message to be taken by the client; 10s if zero
	MessageLimit     int64         // bytes of a WebSocket message; 64 KiB if zero
	BodiesLimit      int64         // bytes of all bodies that are being answered; 256 MiB if zero
	Subscriptions    int           // operations at once on a socket; 100 if zero
	Connections      int           // sockets and event streams of a caller; 20 if zero

	Tracer trace.Tracer // makes a span of each request, and of each operation on a socket; none if nil
	Logger *slog.Logger // slog.Default() if nil
}

func (o Options) withDefaults() Options {
	if o.Authenticate == nil {
		o.Authenticate = func(ctx context.Context, _ *http.Request) (context.Context, error) { return ctx, nil }
	}
	if o.ConnectionInit == nil {
		o.ConnectionInit = func(ctx context.Context, _ map[string]any) (context.Context, time.Time, error) {
			return ctx, time.Time{}, nil
		}
	}
	if o.Expires == nil {
		o.Expires = func(context.Context) time.Time { return time.Time{} }
	}
	if o.Ended == nil {
		o.Ended = func(context.Context) <-chan struct{} { return nil }
	}
	if o.Admit == nil {
		o.Admit = func(context.Context) error { return nil }
	}
	if o.CallerKey == nil {
		o.CallerKey = func(context.Context) string { return "" }
	}
	if o.BodyLimit == nil {
		o.BodyLimit = func(context.Context) int64 { return 1 << 20 }
	}
	if o.Introspection == nil {
		o.Introspection = func(context.Context) bool { return false }
	}
	if o.EventID == nil {
		o.EventID = func(*graphql.Response) string { return "" }
	}
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.ErrorPresenter == nil {
		o.ErrorPresenter = presenter(o.Logger)
	}
	if o.Recover == nil {
		o.Recover = logPanic(o.Logger)
	}
	return o.withDefaultFigures()
}

func (o Options) withDefaultFigures() Options {
	o.OperationTimeout = cmp.Or(o.OperationTimeout, 10*time.Second)
	o.InitTimeout = cmp.Or(o.InitTimeout, 10*time.Second)
	o.PingInterval = cmp.Or(o.PingInterval, 20*time.Second)
	o.Heartbeat = cmp.Or(o.Heartbeat, 15*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.MessageLimit = cmp.Or(o.MessageLimit, 64<<10)
	o.BodiesLimit = cmp.Or(o.BodiesLimit, 256<<20)
	o.Subscriptions = cmp.Or(o.Subscriptions, 100)
	o.Connections = cmp.Or(o.Connections, 20)
	return o
}
