package transport

import (
	"context"
	"crypto/rand"
	"net/http"
)

// requestIDHeader tells a client the id of its request. An id that the client
// brings is not believed: it would let one caller's records pass for another's.
const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, by which it is
// found in the log: that of the HTTP request or, on a socket, of the operation.
// It is "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID returns ctx with the id of a request that begins.
func WithRequestID(ctx context.Context) context.Context {
	return context.WithValue(ctx, requestIDKey{}, rand.Text())
}

// identified gives a request its id, and tells the client.
func identified(w http.ResponseWriter, r *http.Request) *http.Request {
	ctx := WithRequestID(r.Context())
	w.Header().Set(requestIDHeader, RequestID(ctx))
	return r.WithContext(ctx)
}
