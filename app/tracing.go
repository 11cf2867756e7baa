package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// A tracing sends the spans of this server to a collector. Spans wait in a bounded
// queue and are dropped when it is full. A nil tracing sends nothing.
type tracing struct {
	provider *sdktrace.TracerProvider
	log      *slog.Logger
	flush    time.Duration // how long close may take
	giveUp   context.CancelFunc
}

// traceFlush is how long the last spans may take to be sent.
const traceFlush = 5 * time.Second

// collected reports whether traces are collected, by the setting or by
// OpenTelemetry's variables.
func (c *Settings) collected() bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return c.OTLPEndpoint != nil ||
		os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// checkEndpoint refuses a URL that is not an endpoint for traces.
func checkEndpoint(u *url.URL) error {
	if u != nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		return errors.New("--otlp-endpoint must be a URL such as http://127.0.0.1:4318, without user or " +
			"password: set credentials for the collector with OTEL_EXPORTER_OTLP_HEADERS")
	}
	return nil
}

// openTracing starts to send traces, or returns nil if no collector is set.
// OpenTelemetry's variables set sampling, queue, headers and certificates.
func openTracing(ctx context.Context, c *Settings, log *slog.Logger) (*tracing, error) {
	if !c.collected() {
		return nil, nil
	}
	var options []otlptracehttp.Option
	if c.OTLPEndpoint != nil {
		options = append(options, otlptracehttp.WithEndpointURL(c.OTLPEndpoint.JoinPath("v1", "traces").String()))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	host, _ := os.Hostname()
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			semconv.ServiceName("portalhooks"), semconv.ServiceVersion(Version()),
			semconv.ServiceInstanceID(fmt.Sprintf("%s:%d", host, os.Getpid())),
		),
		resource.WithFromEnv()) // last, so that the operator's attributes win
	if err != nil {
		return nil, fmt.Errorf("describe this server for traces: %w", err)
	}
	life, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	t := &tracing{log: log, flush: cmp.Or(c.Timeouts.Traces, traceFlush), giveUp: giveUp}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(about),
		sdktrace.WithBatcher(&reporter{SpanExporter: exporter, life: life, log: log}))
	return t, nil
}

// tracer returns a tracer, or nil if no collector is set.
func (t *tracing) tracer(name string) trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer(name)
}

// Tracer returns a tracer, or nil if no collector is set.
func (a *App) Tracer(name string) trace.Tracer { return a.traces.tracer(name) }

// FlushTraces sends the spans in the queue. Without a collector it does nothing.
func (a *App) FlushTraces(ctx context.Context) error {
	if a.traces == nil {
		return nil
	}
	return a.traces.provider.ForceFlush(ctx)
}

// close sends the spans in the queue, for at most t.flush.
func (t *tracing) close(ctx context.Context) {
	if t == nil {
		return
	}
	defer t.giveUp()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.flush)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.WarnContext(ctx, "send the last traces", "err", err)
	}
}

// A reporter sends spans. It logs once when that begins to fail, and once when it
// works again, however long the collector is unreachable.
type reporter struct {
	sdktrace.SpanExporter // called by one goroutine at a time

	life    context.Context // ends when close gives up
	log     *slog.Logger
	failing bool
}

// longestReason bounds the length of the collector's answer in the log.
const longestReason = 300

// ExportSpans implements [sdktrace.SpanExporter]. It returns no error, because
// OpenTelemetry would write each one to standard error.
func (r *reporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	err := r.SpanExporter.ExportSpans(ctx, spans)
	if failing := err != nil; failing != r.failing {
		r.failing = failing
		if failing {
			r.log.WarnContext(ctx, "traces are lost: the collector does not accept them",
				"err", fmt.Sprintf("%.*s", longestReason, err))
		} else {
			r.log.InfoContext(ctx, "the collector accepts traces again")
		}
	}
	return nil
}

// LogHandler returns a handler that adds the ids of the trace and the span to
// records, if a collector is set.
func (c *Settings) LogHandler(h slog.Handler) slog.Handler {
	if !c.collected() {
		return h
	}
	return tracedLog{h}
}

// A tracedLog adds the trace and the span of the context to a record.
type tracedLog struct{ slog.Handler }

// Handle implements [slog.Handler].
func (l tracedLog) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (l tracedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLog{l.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (l tracedLog) WithGroup(name string) slog.Handler { return tracedLog{l.Handler.WithGroup(name)} }
