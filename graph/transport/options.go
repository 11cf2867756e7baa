package transport

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"go.opentelemetry.io/otel/trace"

	"portalhooks/graph/limits"
)

// Options configure a Handler. The zero value is ready for use: all callers are
// anonymous, introspection is off, and internal errors have no details.
type Options struct {
	// Authenticate identifies the sender of r, an HTTP request or WebSocket
	// upgrade, and returns ctx with that identity, or with none. An error
	// refuses the request: it is presented by ErrorPresenter, and its code
	// determines the status. All callers are anonymous if nil.
	Authenticate func(ctx context.Context, r *http.Request) (context.Context, error)

	// ConnectionInit authorizes a WebSocket connection with the payload of its
	// connection_init message, nil if it has none. It returns a context derived
	// from ctx, which has the identity from Authenticate at the upgrade, and
	// the expiry of the credentials, zero for never. An error closes the socket
	// with 4403. All connections are authorized if nil.
	ConnectionInit func(ctx context.Context, payload map[string]any) (context.Context, time.Time, error)

	// Expires returns the expiry of the identity in ctx, zero for never. An
	// event stream ends at that time, and so does a WebSocket unless
	// ConnectionInit returned an expiry. Identities do not expire if nil.
	Expires func(ctx context.Context) time.Time

	// Ended returns a channel that is closed when the identity in ctx is revoked
	// before it expires, by revoking its key or signing out; nil if that is not
	// possible. It is called once for each event stream or WebSocket, and need
	// not close the channel after ctx has ended. Identities are not revoked if
	// nil.
	Ended func(ctx context.Context) <-chan struct{}

	// Admit applies the caller's rate limit to an operation. An error refuses
	// the operation, over HTTP before the body is read. If it has a number of
	// seconds as extensions.retryAfter, the status is 429 with a Retry-After
	// header. There is no rate limit if nil.
	Admit func(ctx context.Context) error

	// Charge is told what an operation costs that is about to be executed. It can't
	// refuse it: the caller's next ones wait. Nothing is charged if nil.
	Charge func(ctx context.Context, cost limits.Cost)

	// CallerKey returns the key by which sockets and event streams are counted.
	// The key of the share counts if it is nil or returns "".
	CallerKey func(ctx context.Context) string

	// Share returns whose share of the server's memory, requests and streams the
	// caller in ctx uses, who has sent the request from the address remote. Every
	// address has a share of its own if nil.
	Share func(ctx context.Context, remote string) Share

	// Overloaded is called when a request from the address remote is refused
	// because there is no room for it: in memory, in flight or among the streams.
	// It may be nil.
	Overloaded func(remote string)

	// BodyLimit returns the maximum size of the caller's request bodies in
	// bytes; 1 MiB if nil.
	BodyLimit func(ctx context.Context) int64

	// Decoders decode the only variable of an operation directly from its JSON,
	// by the type of the variable as the schema writes it. A decoder accepts
	// only what is certainly valid for the type; false leaves the request to
	// the general decoder, which also says what is wrong. The resolver gets the
	// value from [limits.Value], and its argument empty.
	Decoders map[string]func(json []byte) (value any, ok bool)

	// Introspection reports whether introspection, and suggestions in errors, are
	// allowed for the caller. They are not allowed if nil.
	Introspection func(ctx context.Context) bool

	// AllowedOrigins are the origins ("https://app.example.com") from which web
	// pages may send requests, in addition to the server's own.
	AllowedOrigins []string

	// Origin is the origin of the server's own pages. Pages of the host that the
	// request is sent to, of either scheme, are its own if it is "".
	Origin string

	// EventID returns the cursor of a subscription's response, "" if it has
	// none. The cursor becomes the id of the server-sent event. Events have no
	// id if nil.
	EventID func(*graphql.Response) string

	// ExtraTime returns how long a query or a mutation may take beyond
	// OperationTimeout, because it waits for others. No operation may if nil.
	ExtraTime func(*ast.OperationDefinition) time.Duration

	// ErrorPresenter returns the error that a client gets for an error. If it is
	// nil, errors without an extensions.code are logged and presented as
	// INTERNAL. It also presents the errors of Authenticate and ConnectionInit,
	// with a context without an operation.
	ErrorPresenter graphql.ErrorPresenterFunc

	Recover          graphql.RecoverFunc         // converts a panic to an error; logs it with its stack if nil
	Extensions       []graphql.HandlerExtension  // run after the limits, in this order
	AroundOperations graphql.OperationMiddleware // runs inside of Extensions
	AroundResponses  graphql.ResponseMiddleware  // runs inside of Extensions; its response may be nil
	Limits           limits.Limits               // for documents

	OperationTimeout time.Duration // for a query or a mutation; 10s if zero
	InitTimeout      time.Duration // for connection_init and its check; 10s if zero
	PingInterval     time.Duration // between pings on a WebSocket; 20s if zero
	Heartbeat        time.Duration // between comments in an event stream; 15s if zero
	WriteTimeout     time.Duration // for writing one message; 10s if zero
	MessageLimit     int64         // bytes of a WebSocket message; 64 KiB if zero
	AnswerLimit      int64         // bytes of a response; 8 MiB if zero
	Subscriptions    int           // concurrent operations of a WebSocket; 100 if zero
	Connections      int           // concurrent WebSockets and event streams of a caller; 20 if zero
	Running          int           // concurrent queries and mutations of a share; 8 if zero

	// Of all callers together. A share may take an eighth of the bytes, 32 of the
	// requests and 100 of the streams, and without [Share.Whole] no more than
	// seven eighths are taken.
	BodiesLimit  int64 // bytes of requests in memory; 256 MiB if zero
	AnswersLimit int64 // bytes of responses in memory; 128 MiB if zero
	Requests     int   // requests in flight; 1,000 if zero
	Streams      int   // WebSockets and event streams; 1,000 if zero

	Tracer trace.Tracer // traces requests and the operations of WebSockets; no traces if nil
	Logger *slog.Logger // slog.Default() if nil
}

// The most requests and streams of one share.
const (
	requestsEach = 32
	streamsEach  = 100
)

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
	if o.Charge == nil {
		o.Charge = func(context.Context, limits.Cost) {}
	}
	if o.CallerKey == nil {
		o.CallerKey = func(context.Context) string { return "" }
	}
	if o.Share == nil {
		o.Share = func(_ context.Context, remote string) Share {
			host, _, err := net.SplitHostPort(remote)
			if err != nil {
				host = remote
			}
			return Share{Key: host}
		}
	}
	if o.Overloaded == nil {
		o.Overloaded = func(string) {}
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
	if o.ExtraTime == nil {
		o.ExtraTime = func(*ast.OperationDefinition) time.Duration { return 0 }
	}
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.ErrorPresenter == nil {
		o.ErrorPresenter = presenter(o.Logger)
	}
	if o.Recover == nil {
		o.Recover = logPanic(o.Logger)
	}
	return o.withDefaultLimits()
}

func (o Options) withDefaultLimits() Options {
	o.OperationTimeout = cmp.Or(o.OperationTimeout, 10*time.Second)
	o.InitTimeout = cmp.Or(o.InitTimeout, 10*time.Second)
	o.PingInterval = cmp.Or(o.PingInterval, 20*time.Second)
	o.Heartbeat = cmp.Or(o.Heartbeat, 15*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.MessageLimit = cmp.Or(o.MessageLimit, 64<<10)
	o.AnswerLimit = cmp.Or(o.AnswerLimit, 8<<20)
	o.BodiesLimit = cmp.Or(o.BodiesLimit, 256<<20)
	o.AnswersLimit = cmp.Or(o.AnswersLimit, 128<<20)
	o.Requests = cmp.Or(o.Requests, 1000)
	o.Streams = cmp.Or(o.Streams, 1000)
	o.Running = cmp.Or(o.Running, 8)
	o.Subscriptions = cmp.Or(o.Subscriptions, 100)
	o.Connections = cmp.Or(o.Connections, 20)
	return o
}
