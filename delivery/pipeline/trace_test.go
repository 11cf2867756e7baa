package pipeline

import (
	"context"
	"errors"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// Deliveries are remembered up to a bound, whatever becomes of them.
func TestCallsAreRememberedUpToABound(t *testing.T) {
	tr := newTracer(sdktrace.NewTracerProvider().Tracer("test"))
	_, origin := inTrace(t.Context())
	for id := range delivery.DeliveryID(2 * keptOrigins) {
		tr.remember(origin, []delivery.Delivery{{ID: id + 1}})
	}
	if n := tr.origins.Len(); n != keptOrigins {
		t.Errorf("%d deliveries are remembered, want %d", n, keptOrigins)
	}
}

func TestWithoutTracesNothingIsSpentOnThem(t *testing.T) {
	tr := newTracer(nil)
	ctx := t.Context()
	deliveries := []delivery.Delivery{{ID: 1, Org: 1, Webhook: 1, State: delivery.Failed}}
	a := &delivery.Attempt{Number: 1, Outcome: egress.Timeout}
	results := []delivery.IngestResult{{Status: delivery.Accepted}}
	err := errors.New("failed")
	got := testing.AllocsPerRun(100, func() {
		ctx, span := tr.Ingest(ctx, 1)
		tr.Ingested(span, results, err)
		tr.remember(tr.origin(ctx), deliveries)
		tr.Attempted(tr.resume(ctx, 1), &deliveries[0], a, "https://receiver.example/")
	})
	if got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

// BenchmarkTraces measures what traces cost a delivery: nothing without them.
func BenchmarkTraces(b *testing.B) {
	for name, spans := range map[string]trace.Tracer{
		"off": nil, "on": sdktrace.NewTracerProvider().Tracer("test"),
	} {
		b.Run(name, func(b *testing.B) {
			tr := newTracer(spans)
			ctx, origin := inTrace(b.Context())
			deliveries := []delivery.Delivery{{ID: 1, Org: 1, Webhook: 1, State: delivery.Delivered}}
			a := &delivery.Attempt{Number: 1, Outcome: egress.Success, HTTPStatus: 200}
			b.ReportAllocs()
			for b.Loop() {
				tr.remember(origin, deliveries)
				tr.Attempted(tr.resume(ctx, 1), &deliveries[0], a, "https://receiver.example/hooks?token=x")
			}
		})
	}
}

// What a person gives as a target never leaves but for its host.
func TestOfTheTargetOnlyTheHostIsTold(t *testing.T) {
	for target, want := range map[string]string{
		"https://user:secret@receiver.example:8443/secret?token=secret#secret": "receiver.example",
		"http://[::1]:8080/secret": "::1",
		"":                         "",
		"https://%zz/secret":       "",
	} {
		got := ""
		for _, a := range attributesOf(&delivery.Delivery{}, &delivery.Attempt{Outcome: egress.Success}, target) {
			if a.Key == attribute.Key("server.address") {
				got = a.Value.AsString()
			}
		}
		if got != want {
			t.Errorf("%q: server.address is %q, want %q", target, got, want)
		}
	}
}

// A call as the API makes it: the trace that it belongs to is known.
func inTrace(ctx context.Context) (context.Context, trace.SpanContext) {
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})
	return trace.ContextWithSpanContext(ctx, span), span
}
