package pipeline

import (
	"context"
	"net/http"
	"net/url"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// A Tracer makes the spans of a service. It remembers which call brought a
// delivery, so that the attempts are in the trace of that call. A nil Tracer
// makes no spans and costs nothing.
type Tracer struct {
	spans   trace.Tracer
	origins *lru.Cache[delivery.DeliveryID, trace.SpanContext]
}

// keptOrigins bounds the deliveries whose call is remembered.
const keptOrigins = 16_384

func newTracer(spans trace.Tracer) *Tracer {
	if spans == nil {
		return nil
	}
	origins, _ := lru.New[delivery.DeliveryID, trace.SpanContext](keptOrigins) // fails for limits below 1 only
	return &Tracer{spans: spans, origins: origins}
}

// Ingest begins the span of a call that brings reports.
func (t *Tracer) Ingest(ctx context.Context, reports int) (context.Context, trace.Span) {
	if t == nil {
		return ctx, nil
	}
	return t.spans.Start(ctx, "ingest",
		trace.WithAttributes(attribute.Int("portalhooks.ingest.reports", reports)))
}

// Ingested ends the span of such a call.
func (t *Tracer) Ingested(span trace.Span, results []delivery.IngestResult, err error) {
	if t == nil {
		return
	}
	defer span.End()
	if err != nil {
		span.SetStatus(codes.Error, string(delivery.CodeOf(err)))
		return
	}
	events, deliveries := 0, 0
	for i := range results {
		if results[i].Status == delivery.Accepted {
			events += len(results[i].Events)
			deliveries += results[i].Deliveries
		}
	}
	span.SetAttributes(attribute.Int("portalhooks.ingest.events", events),
		attribute.Int("portalhooks.ingest.deliveries", deliveries))
}

// origin returns what the deliveries of the call that ctx belongs to remember.
func (t *Tracer) origin(ctx context.Context) trace.SpanContext {
	if t == nil {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(ctx)
}

// rememberBatch notes which calls brought the events of a batch that were stored.
// The units of the handovers are those of the batch, one after the other.
func (t *Tracer) rememberBatch(handovers []*handover, batch []delivery.Ingest, stored []delivery.Ingested) {
	if t == nil {
		return
	}
	for _, h := range handovers {
		n := len(h.units)
		for _, e := range delivery.FreshEvents(batch[:n], stored[:n]) {
			t.remember(h.origin, e.Deliveries)
		}
		batch, stored = batch[n:], stored[n:]
	}
}

// remember notes which call brought the deliveries.
func (t *Tracer) remember(origin trace.SpanContext, deliveries []delivery.Delivery) {
	if t == nil || !origin.IsValid() {
		return
	}
	for i := range deliveries {
		t.origins.Add(deliveries[i].ID, origin)
	}
}

// resume returns ctx in the trace of the call that brought the delivery, if
// that is remembered.
func (t *Tracer) resume(ctx context.Context, id delivery.DeliveryID) context.Context {
	if t == nil {
		return ctx
	}
	origin, ok := t.origins.Get(id)
	if !ok {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, origin)
}

// Attempted makes the span of an attempt that is over, with the times that the
// log has, and forgets the call that brought a delivery when it is finished. Of
// the target it tells the host: the rest of the URL is a secret.
func (t *Tracer) Attempted(ctx context.Context, d *delivery.Delivery, a *delivery.Attempt, target string) {
	if t == nil {
		return
	}
	if d.State.Final() {
		t.origins.Remove(d.ID)
	}
	if a == nil {
		return
	}
	_, span := t.spans.Start(ctx, http.MethodPost,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(a.StartedAt))
	if span.IsRecording() {
		span.SetAttributes(attributesOf(d, a, target)...)
	}
	if a.Outcome != egress.Success {
		span.SetStatus(codes.Error, string(a.Outcome))
	}
	span.End(trace.WithTimestamp(a.StartedAt.Add(a.Duration)))
}

func attributesOf(d *delivery.Delivery, a *delivery.Attempt, target string) []attribute.KeyValue {
	known := []attribute.KeyValue{
		attribute.Stringer("portalhooks.delivery.id", d.ID),
		attribute.Stringer("portalhooks.organization.id", d.Org),
		attribute.Int("portalhooks.attempt.number", a.Number),
		attribute.String("portalhooks.attempt.outcome", string(a.Outcome)),
		semconv.HTTPRequestMethodPost,
	}
	if d.Webhook != 0 { // 0 while it is a draft that is tried
		known = append(known, attribute.Stringer("portalhooks.webhook.id", d.Webhook))
	}
	if a.Number > 1 {
		known = append(known, semconv.HTTPRequestResendCount(a.Number-1))
	}
	if a.HTTPStatus != 0 {
		known = append(known, semconv.HTTPResponseStatusCode(a.HTTPStatus))
	}
	if a.Outcome != egress.Success {
		known = append(known, semconv.ErrorTypeKey.String(string(a.Outcome)))
	}
	if u, err := url.Parse(target); err == nil && u.Hostname() != "" {
		known = append(known, semconv.ServerAddress(u.Hostname()))
	}
	return known
}
