package transport

import (
	"context"
	"crypto/rand"
	"net/http"
)

// requestIDHeader is the response header with the request id. An id in the
// request is ignored, as it would let a caller forge the records of another.
const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// RequestID returns the request id of ctx, which identifies the HTTP request or,
// on a socket, the operation in the log. It is "" outside of a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID returns ctx with a new request id.
func WithRequestID(ctx context.Context) context.Context {
	return context.WithValue(ctx, requestIDKey{}, rand.Text())
}

// identified returns r with a new request id, which it sets as a response header.
func identified(w http.ResponseWriter, r *http.Request) *http.Request {
	ctx := WithRequestID(r.Context())
	w.Header().Set(requestIDHeader, RequestID(ctx))
	return r.WithContext(ctx)
}
