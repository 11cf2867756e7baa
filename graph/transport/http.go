package transport

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// httpTransport handles all requests that are not upgrades: GraphQL over HTTP,
// and event streams for clients that accept text/event-stream.
//
// GET is for queries, and refused with a cookie, as a link on another site could
// have sent it. Event streams by GET are for EventSource, whose cross-origin
// requests have an Origin and are refused before.
type httpTransport struct{ h *Handler }

func (httpTransport) Supports(*http.Request) bool { return true }

func (t httpTransport) Do(w http.ResponseWriter, r *http.Request, _ graphql.GraphExecutor) {
	accept := accepts(r)
	if accept.json == "" && !accept.events {
		t.h.refuse(w, r, http.StatusNotAcceptable,
			coded(CodeBadInput, "The Accept header must allow application/json or text/event-stream."))
		return
	}
	if err := t.h.opts.Admit(r.Context()); err != nil {
		t.h.refuseCaller(w, r, err)
		return
	}
	share := t.h.opts.Share(r.Context(), r.RemoteAddr)
	if !t.h.requests.take(share, 1, 0) {
		t.h.opts.Overloaded(r.RemoteAddr)
		t.h.refuse(w, r, http.StatusServiceUnavailable,
			later(coded(CodeUnavailable, "Too many requests are in flight. Wait for their answers, then try again.")))
		return
	}
	answered := sync.OnceFunc(func() { t.h.requests.release(share, 1) })
	defer answered()
	memory := &reservation{pool: t.h.bodies, share: share}
	defer memory.release()
	ctx, params, status, err := t.read(w, r, accept, memory)
	if err != nil {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		if status == http.StatusServiceUnavailable {
			t.h.opts.Overloaded(r.RemoteAddr)
		}
		t.h.refuse(w, r, status, err)
		return
	}
	params.Headers = r.Header
	t.respond(w, r.WithContext(ctx), accept, params, answered)
}

// respond executes the request that was read. It calls answered when what follows
// is a stream.
func (t httpTransport) respond(
	w http.ResponseWriter, r *http.Request, accept accepted, params *parameters, answered func(),
) {
	op, refused := t.h.prepare(r.Context(), params)
	switch {
	case refused == nil && r.Method == http.MethodGet && op.Operation.Operation == ast.Mutation:
		w.Header().Set("Allow", http.MethodPost)
		t.h.refuse(w, r, http.StatusMethodNotAllowed, coded(CodeBadInput, "Mutations must be sent by POST."))
	case accept.json == "" || refused == nil && op.Operation.Operation == ast.Subscription && accept.events:
		newEventStream(t.h, w, r, answered).serve(op, refused)
	case refused == nil && op.Operation.Operation == ast.Subscription:
		t.h.refuse(w, r, http.StatusNotAcceptable,
			coded(CodeBadInput, "A subscription requires a client that accepts text/event-stream, or a WebSocket."))
	case refused != nil:
		t.h.answer(w, statusFor(accept.json, refused), accept.json, refused)
	default:
		share := t.h.opts.Share(r.Context(), r.RemoteAddr)
		t.h.single(r.Context(), share, op, func(resp *graphql.Response) {
			t.h.answer(w, statusFor(accept.json, resp), accept.json, resp)
		})
	}
}

// statusFor returns the status of a response. A legacy client, which accepts
// application/json, expects 200 for every well-formed request. Transient errors
// are the exception: a client that looks only at the status must not take such a
// request for done.
func statusFor(mediaType string, resp *graphql.Response) int {
	if len(resp.Data) > 0 && !bytes.Equal(resp.Data, []byte("null")) || len(resp.Errors) == 0 {
		return http.StatusOK
	}
	status := statusOf(resp.Errors[0])
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return status
	}
	if mediaType != typeGraphQL || len(resp.Data) > 0 {
		return http.StatusOK
	}
	return status
}

// refuse responds to a request that is not executed.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, err *gqlerror.Error) {
	mediaType := accepts(r).json
	if mediaType == "" {
		mediaType = typeJSON
	}
	h.answer(w, status, mediaType, &graphql.Response{Errors: gqlerror.List{err}})
}

// refuseCaller responds to a request that Authenticate or Admit refused.
func (h *Handler) refuseCaller(w http.ResponseWriter, r *http.Request, err error) {
	presented := h.present(r.Context(), err)
	switch codeOf(presented) {
	case CodeUnauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case CodeLimit:
		if presented.Extensions[retryAfter] == nil {
			presented = later(presented)
		}
	}
	h.refuse(w, r, statusOf(presented), presented)
}

func (h *Handler) present(ctx context.Context, err error) *gqlerror.Error {
	if presented := h.opts.ErrorPresenter(ctx, err); presented != nil {
		return fit(gqlerror.List{presented}, true)[0]
	}
	return Internal(ctx)
}

func (h *Handler) answer(w http.ResponseWriter, status int, mediaType string, resp *graphql.Response) {
	body := encode(resp)
	header := w.Header()
	header.Set("Content-Type", mediaType+"; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	switch {
	case status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable:
	case len(resp.Errors) > 0 && resp.Errors[0].Extensions[retryAfter] != nil:
		header.Set("Retry-After", fmt.Sprint(resp.Errors[0].Extensions[retryAfter]))
	default:
		header.Set("Retry-After", "1")
	}
	// Not every ResponseWriter has deadlines; those of net/http do.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.opts.WriteTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has disconnected
}
