package transport

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// traced starts the span of r, with the time at which r arrived, and returns the
// writer and the request to serve and a function that ends the span. The span
// continues the trace of an authenticated caller. The trace context of
// unauthenticated callers is ignored, as it may be forged.
func (h *Handler) traced(
	w http.ResponseWriter, r *http.Request, began time.Time,
) (http.ResponseWriter, *http.Request, func()) {
	if h.opts.Tracer == nil {
		return w, r, func() {}
	}
	ctx := r.Context()
	if h.opts.CallerKey(ctx) != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	name, method := r.Method, semconv.HTTPRequestMethodKey.String(r.Method)
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost}, name) {
		name, method = "HTTP", semconv.HTTPRequestMethodOther // bounds the number of span names
	}
	attributes := []attribute.KeyValue{method, requestAttribute(ctx)}
	if r.Pattern != "" {
		name += " " + r.Pattern
		attributes = append(attributes, semconv.HTTPRoute(r.Pattern))
	}
	ctx, span := h.opts.Tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(began), trace.WithAttributes(attributes...))
	writer := &tracedWriter{ResponseWriter: w, span: span}
	return writer, r.WithContext(ctx), writer.end
}

// traceOperation starts the span of an operation on a socket. It is the root of a
// new trace, as a socket may stay open for days, with a link to the request that
// opened the socket. Without a tracer the span is a no-op.
func (h *Handler) traceOperation(ctx context.Context) (context.Context, trace.Span) {
	if h.opts.Tracer == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	return h.opts.Tracer.Start(ctx, "GraphQL Operation", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)),
		trace.WithAttributes(requestAttribute(ctx)))
}

func requestAttribute(ctx context.Context) attribute.KeyValue {
	return attribute.String("portalhooks.request.id", RequestID(ctx))
}

// maxOperationName is the maximum length of an operation name in a span.
const maxOperationName = 100

// describe sets the attributes of the operation on the span of ctx. The document
// is not one of them, as it may contain values.
func describe(ctx context.Context, op *graphql.OperationContext) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(semconv.GraphQLOperationTypeKey.String(string(op.Operation.Operation)))
	if op.Operation.Name != "" {
		span.SetAttributes(semconv.GraphQLOperationName(cut(op.Operation.Name, maxOperationName)))
	}
}

// noteErrors sets the code of the first error on the span of ctx, and its status
// if an error is internal. Messages are omitted, as they may quote the request.
func noteErrors(ctx context.Context, errs gqlerror.List) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.String("portalhooks.error.code", codeOf(errs[0])))
	if slices.ContainsFunc(errs, func(e *gqlerror.Error) bool { return codeOf(e) == CodeInternal }) {
		span.SetStatus(codes.Error, CodeInternal)
		span.SetAttributes(semconv.ErrorTypeKey.String(CodeInternal))
	}
}

// A tracedWriter records the status of a response.
type tracedWriter struct {
	http.ResponseWriter

	span   trace.Span
	status int
}

// Unwrap supports [http.ResponseController].
func (w *tracedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *tracedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Hijack implements [http.Hijacker]. It ends the span, as a socket may stay open
// for days.
func (w *tracedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
		w.end()
	}
	return conn, buffer, err
}

// end ends the span. Further calls have no effect.
func (w *tracedWriter) end() {
	if w.status != 0 {
		w.span.SetAttributes(semconv.HTTPResponseStatusCode(w.status))
	}
	if w.status >= http.StatusInternalServerError {
		w.span.SetStatus(codes.Error, "")
		w.span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(w.status)))
	}
	w.span.End()
}
