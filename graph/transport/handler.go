package transport

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

	"portalhooks/graph/limits"
)

// A Handler serves GraphQL at one address. Create it with New and stop it with
// Shutdown. It is safe for concurrent use.
type Handler struct {
	opts       Options
	guard      *limits.Guard
	exec       graphql.GraphExecutor
	transports []graphql.Transport
	stop       chan struct{} // closed by Shutdown: streams end
	idle       chan struct{} // closed when the last request after Shutdown has ended

	bodies   *pool // bytes of requests
	answers  *pool // bytes of responses
	requests *pool // in flight
	streams  *pool // sockets and event streams, by the share
	callers  *pool // the same, by the caller
	turns    *turns

	mu      sync.Mutex
	closing bool
	serving int
}

// New returns a Handler that executes operations on schema.
func New(schema graphql.ExecutableSchema, opts Options) *Handler {
	h := &Handler{
		opts: opts.withDefaults(),
		stop: make(chan struct{}),
		idle: make(chan struct{}),
	}
	h.bodies = newPool(h.opts.BodiesLimit, h.opts.BodiesLimit/reserve)
	h.answers = newPool(h.opts.AnswersLimit, h.opts.AnswersLimit/reserve)
	h.requests = newPool(int64(h.opts.Requests), requestsEach)
	h.streams = newPool(int64(h.opts.Streams), streamsEach)
	h.callers = newPool(math.MaxInt64, int64(h.opts.Connections))
	h.turns = newTurns(h.opts.Running)
	h.guard = limits.New(schema, h.opts.Limits)
	h.guard.Owner = func(ctx context.Context) (string, bool) {
		return h.opts.Share(ctx, "").Key, h.opts.CallerKey(ctx) != ""
	}
	h.exec = newExecutor(h.guard, h.opts)
	h.transports = []graphql.Transport{webSocketTransport{h}, httpTransport{h}}
	return h
}

func newExecutor(guard *limits.Guard, opts Options) *executor.Executor {
	exec := executor.New(guard.Executable())
	exec.SetQueryCache(guard)
	exec.SetParserTokenLimit(guard.TokenLimit())
	exec.SetDefaultRulesFn(guard.Rules)
	exec.SetErrorPresenter(opts.ErrorPresenter)
	exec.SetRecoverFunc(opts.Recover)
	exec.Use(guard)
	exec.Use(introspection{opts.Introspection})
	exec.AroundRootFields(boundRoot)
	for _, extension := range opts.Extensions {
		exec.Use(extension)
	}
	if opts.AroundOperations != nil {
		exec.AroundOperations(opts.AroundOperations)
	}
	if opts.AroundResponses != nil {
		exec.AroundResponses(opts.AroundResponses)
	}
	return exec
}

// ServeHTTP handles one request, which may be the upgrade to a WebSocket. It
// returns when all operations of the request have ended.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	r = identified(w, r)
	if !h.enter() {
		h.refuse(w, r, http.StatusServiceUnavailable,
			later(coded(CodeUnavailable, "The server is shutting down. Try again.")))
		return
	}
	defer h.leave()
	ctx, err := h.identify(r)
	w, r, end := h.traced(w, r.WithContext(ctx), began)
	defer end()
	if err != nil {
		h.refuseCaller(w, r, err)
		return
	}
	r = r.WithContext(graphql.StartOperationTrace(r.Context()))
	for _, t := range h.transports {
		if t.Supports(r) {
			t.Do(w, r, h.exec)
			return
		}
	}
}

// identify returns r's context with the identity of its sender, or an error.
func (h *Handler) identify(r *http.Request) (context.Context, error) {
	if r.Header.Get("Webhook-Id") != "" {
		return r.Context(), coded(CodeForbidden,
			"Webhooks can't call this API: each event would raise the next one.")
	}
	if !h.originAllowed(r) {
		return r.Context(), coded(CodeForbidden, "Requests from web pages of this origin are not allowed. "+
			"The operator of the server can allow them with --allowed-origins.")
	}
	ctx, err := h.opts.Authenticate(r.Context(), r)
	if err != nil {
		return r.Context(), err
	}
	return ctx, nil
}

// Shutdown stops the handler. New requests are refused with UNAVAILABLE, sockets
// are closed with 1001, and event streams end without "complete", so that their
// clients reconnect to another server. It returns when all requests have ended,
// or with ctx's error if ctx ends first.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	if !h.closing {
		h.closing = true
		close(h.stop)
		if h.serving == 0 {
			close(h.idle)
		}
	}
	h.mu.Unlock()
	select {
	case <-h.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Handler) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closing {
		h.serving++
	}
	return !h.closing
}

func (h *Handler) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.serving--; h.closing && h.serving == 0 {
		close(h.idle)
	}
}

// acquire counts a socket or event stream: of the caller up to Options.Connections,
// of its share, and of all. release ends the count; it must be called once.
func (h *Handler) acquire(ctx context.Context, remote string) (release func(), ok bool) {
	share := h.opts.Share(ctx, remote)
	caller := Share{Key: cmp.Or(h.opts.CallerKey(ctx), share.Key)}
	if !h.callers.take(caller, 1, 0) {
		h.opts.Overloaded(remote)
		return nil, false
	}
	if !h.streams.take(share, 1, 0) {
		h.callers.release(caller, 1)
		h.opts.Overloaded(remote)
		return nil, false
	}
	return func() {
		h.streams.release(share, 1)
		h.callers.release(caller, 1)
	}, true
}

// originAllowed reports whether requests from r's Origin are allowed. Clients
// other than browsers send no Origin, and browsers none with a GET that a page of
// another site may cause; they say so in Sec-Fetch-Site.
func (h *Handler) originAllowed(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "same-origin" || site == "none"
	}
	origin := origins[0]
	if len(origins) > 1 {
		return false
	}
	same := func(allowed string) bool { return strings.EqualFold(strings.TrimSuffix(allowed, "/"), origin) }
	if slices.ContainsFunc(h.opts.AllowedOrigins, same) {
		return true
	}
	if h.opts.Origin != "" {
		return same(h.opts.Origin)
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && strings.EqualFold(u.Host, r.Host)
}
