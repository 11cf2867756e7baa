package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
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
	size := t.h.bodySize(r)
	if !t.h.bodies.TryAcquire(size) {
		t.h.refuse(w, r, http.StatusServiceUnavailable,
			later(coded(CodeUnavailable, "The server is overloaded with request bodies. Try again.")))
		return
	}
	defer t.h.bodies.Release(size)
	ctx, params, status, err := t.read(w, r, accept)
	if err != nil {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		t.h.refuse(w, r, status, err)
		return
	}
	params.Headers = r.Header
	op, refused := t.h.prepare(ctx, params)
	switch {
	case refused == nil && r.Method == http.MethodGet && op.Operation.Operation == ast.Mutation:
		w.Header().Set("Allow", http.MethodPost)
		t.h.refuse(w, r, http.StatusMethodNotAllowed, coded(CodeBadInput, "Mutations must be sent by POST."))
	case accept.json == "" || refused == nil && op.Operation.Operation == ast.Subscription && accept.events:
		newEventStream(t.h, w, r.WithContext(ctx)).serve(op, refused)
	case refused == nil && op.Operation.Operation == ast.Subscription:
		t.h.refuse(w, r, http.StatusNotAcceptable,
			coded(CodeBadInput, "A subscription requires a client that accepts text/event-stream, or a WebSocket."))
	case refused != nil:
		t.h.answer(w, statusFor(accept.json, refused), accept.json, refused)
	default:
		resp := t.h.single(ctx, op)
		t.h.answer(w, statusFor(accept.json, resp), accept.json, resp)
	}
}

// read decodes the GraphQL request in an HTTP request and returns it with the
// context to execute it in, or with an error and its status.
func (t httpTransport) read(
	w http.ResponseWriter, r *http.Request, accept accepted,
) (context.Context, *graphql.RawParams, int, *gqlerror.Error) {
	start := time.Now()
	ctx := r.Context()
	var params *graphql.RawParams
	var err *gqlerror.Error
	switch r.Method {
	case http.MethodPost:
		data, status, refused := t.readBody(w, r)
		if refused != nil {
			return nil, nil, status, refused
		}
		if ctx, params = t.h.decodeDirect(ctx, data); params == nil {
			params, err = decodeParams(data)
		}
	case http.MethodGet:
		if !accept.events && r.Header.Get("Cookie") != "" {
			return nil, nil, http.StatusMethodNotAllowed, coded(CodeBadInput, "Requests must be sent by POST.")
		}
		params, err = paramsOfURL(r.URL.Query())
	default:
		return nil, nil, http.StatusMethodNotAllowed, coded(CodeBadInput, "Requests must be sent by POST.")
	}
	if err != nil {
		return nil, nil, http.StatusBadRequest, err
	}
	params.ReadTime = graphql.TraceTiming{Start: start, End: time.Now()}
	return ctx, params, http.StatusOK, nil
}

// bodySize returns the maximum size of r's body in memory.
func (h *Handler) bodySize(r *http.Request) int64 {
	limit := h.opts.BodyLimit(r.Context())
	if r.ContentLength < 0 {
		return limit
	}
	return min(r.ContentLength, limit)
}

func (t httpTransport) readBody(w http.ResponseWriter, r *http.Request) ([]byte, int, *gqlerror.Error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != typeJSON || !isUTF8(params) {
		return nil, http.StatusUnsupportedMediaType,
			coded(CodeBadInput, "The Content-Type of the request must be application/json.")
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		w.Header().Set("Accept-Encoding", "identity")
		return nil, http.StatusUnsupportedMediaType,
			coded(CodeBadInput, "The request must be sent without a Content-Encoding.")
	}
	limit := t.h.opts.BodyLimit(r.Context())
	tooLarge := coded(CodeLimit, "The request body is longer than "+strconv.FormatInt(limit, 10)+" bytes.")
	if r.ContentLength > limit {
		return nil, http.StatusRequestEntityTooLarge, tooLarge
	}
	var data bytes.Buffer
	data.Grow(int(min(max(r.ContentLength, 0), maxPrealloc)) + bytes.MinRead)
	_, err = data.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, http.StatusRequestEntityTooLarge, tooLarge
	}
	if err != nil {
		return nil, http.StatusBadRequest, coded(CodeBadInput, "The request body is incomplete.")
	}
	return data.Bytes(), http.StatusOK, nil
}

// maxPrealloc is the largest buffer that is allocated before the body arrives.
const maxPrealloc = 128 << 10

// paramsOfURL decodes a GraphQL request from the query of a URL.
func paramsOfURL(values map[string][]string) (*graphql.RawParams, *gqlerror.Error) {
	var r request
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		given := values[name]
		if len(given) == 0 || given[0] == "" {
			continue
		}
		if len(given) > 1 {
			return nil, coded(CodeBadInput, "The request has "+name+" twice.")
		}
		var err *gqlerror.Error
		switch name {
		case "query":
			r.Query = &given[0]
		case "operationName":
			r.OperationName = &given[0]
		case "variables":
			err = decode([]byte(given[0]), &r.Variables)
		case "extensions":
			err = decode([]byte(given[0]), &r.Extensions)
		}
		if err != nil {
			return nil, coded(CodeBadInput, "The parameter "+name+" must be a JSON object.")
		}
	}
	return r.params()
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
