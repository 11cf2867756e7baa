package service

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/memstore"
)

// A call as the API makes it: the trace that it belongs to is known.
func inTrace(ctx context.Context) (context.Context, trace.SpanContext) {
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})
	return trace.ContextWithSpanContext(ctx, span), span
}

// traced returns a rig whose spans are recorded.
func traced(t *testing.T, a answers) (*rig, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	return newRig(t, Options{Tracer: provider.Tracer("test")}, a), spans
}

func TestEveryAttemptIsInTheTraceOfItsCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, spans := traced(t, answers{badURL: func(ctx context.Context, n int) egress.Result {
			if n == 0 {
				return status(503)(ctx, n)
			}
			return status(200)(ctx, n)
		}})
		w := r.webhook(badURL)
		r.start()
		synctest.Wait()
		ctx, origin := inTrace(t.Context())
		unit := delivery.Ingest{Org: r.org.ID, Events: []delivery.NewEvent{r.event(w)}}
		r.store.Change(func() { unit.ConfigVersion = r.store.Org(r.org.ID).ConfigVersion })
		if _, err := r.pipeline.Ingester.Enqueue(ctx, []delivery.Ingest{unit}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()

		d := unit.Events[0].Deliveries[0]
		ended := spans.Ended()
		if len(ended) != 2 {
			t.Fatalf("%d spans, want one for each of two attempts", len(ended))
		}
		for i, span := range ended {
			if span.SpanContext().TraceID() != origin.TraceID() || span.Parent().SpanID() != origin.SpanID() {
				t.Errorf("attempt %d: parent %v, want the call %v", i+1, span.Parent(), origin)
			}
			log := r.entries(d.ID)[i].Attempt
			if !span.StartTime().Equal(log.StartedAt) || span.EndTime().Sub(span.StartTime()) != log.Duration {
				t.Errorf("attempt %d: the span has other times than the log", i+1)
			}
		}
		want := map[string]any{
			"portalhooks.delivery.id": d.ID.String(), "portalhooks.webhook.id": w.ID.String(),
			"portalhooks.organization.id": w.Org.String(), "portalhooks.attempt.number": int64(1),
			"portalhooks.attempt.outcome": "HTTP_ERROR", "http.request.method": "POST",
			"http.response.status_code": int64(503), "error.type": "HTTP_ERROR", "server.address": "bad.example",
		}
		wantAttributes(t, ended[0], want)
		if got := ended[0].Status().Description; got != "HTTP_ERROR" {
			t.Errorf("the status says %q, want the outcome alone", got)
		}
		want["portalhooks.attempt.number"], want["http.request.resend_count"] = int64(2), int64(1)
		want["portalhooks.attempt.outcome"], want["http.response.status_code"] = "SUCCESS", int64(200)
		delete(want, "error.type")
		wantAttributes(t, ended[1], want)
		if n := r.pipeline.Usage().Traces; n != 0 {
			t.Errorf("%d finished deliveries are remembered", n)
		}
	})
}

// wantAttributes wants these and no others: what is not here is not exported.
func wantAttributes(t *testing.T, span sdktrace.ReadOnlySpan, want map[string]any) {
	t.Helper()
	got := attributesIn(span)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %v, want %v", name, got[name], value)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("the span has more than is wanted: %v", got)
	}
}

func attributesIn(span sdktrace.ReadOnlySpan) map[string]any {
	values := make(map[string]any)
	for _, a := range span.Attributes() {
		values[string(a.Key)] = a.Value.AsInterface()
	}
	return values
}

func TestAnAttemptWithoutAKnownCallIsATraceOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, spans := traced(t, nil)
		w := r.webhook(okURL)
		r.queued(2, w)
		r.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		ended := spans.Ended()
		if len(ended) != 2 || ended[0].Parent().IsValid() || ended[1].Parent().IsValid() ||
			ended[0].SpanContext().TraceID() == ended[1].SpanContext().TraceID() {
			t.Errorf("%d spans, want two without a parent", len(ended))
		}
	})
}

func TestIngestTellsHowManyEventsAndDeliveriesItBrought(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	s := newFront(t, memstore.NewFaulty(), func(o *Options) {
		o.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	})
	taking(t, s)
	listen(t, s, delivery.ActiveAlert, delivery.Enabled)
	take(t, s, deliverytest.AlertReport("s-1"))
	take(t, s, deliverytest.AlertReport("s-1"))
	if _, err := s.Ingest(t.Context(), delivery.Caller{},
		[]delivery.Report{deliverytest.AlertReport("s-2")}); err == nil {
		t.Fatal("an unauthenticated caller may report")
	}
	ended := spans.Ended()
	if len(ended) != 3 {
		t.Fatalf("%d spans, want one for each call", len(ended))
	}
	for i, fresh := range []int64{1, 0} {
		wantAttributes(t, ended[i], map[string]any{
			"portalhooks.ingest.reports": int64(1), "portalhooks.ingest.events": fresh,
			"portalhooks.ingest.deliveries": fresh,
		})
	}
	if got := ended[2].Status().Description; got != string(delivery.Unauthenticated) {
		t.Errorf("a refused call ends with %q, want its code", got)
	}
}

// A test is part of the request that asks for it; a draft has no id yet.
func TestATestOfAWebhookIsAnAttemptToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, spans := traced(t, answers{badURL: status(500)})
		w := r.webhook(badURL)
		r.start()
		ctx, origin := inTrace(t.Context())
		for _, in := range []TestInput{
			{Webhook: w.ID},
			{Draft: &CreateWebhookInput{
				OrganizationID: "acme", Name: "D", Type: delivery.ActiveAlert, TargetURL: badURL,
				Selection: SelectionInput{All: true},
			}},
		} {
			if _, err := r.TestWebhook(ctx, admin, in); err != nil {
				t.Fatal(err)
			}
		}
		ended := spans.Ended()
		if len(ended) != 2 {
			t.Fatalf("%d spans, want one for each test", len(ended))
		}
		for i, webhook := range []any{w.ID.String(), nil} {
			got := attributesIn(ended[i])
			if ended[i].Parent().SpanID() != origin.SpanID() || got["portalhooks.webhook.id"] != webhook ||
				got["portalhooks.attempt.outcome"] != "HTTP_ERROR" || ended[i].Status().Code != codes.Error {
				t.Errorf("span %d: %v, want a failed attempt of the request", i, got)
			}
		}
	})
}
