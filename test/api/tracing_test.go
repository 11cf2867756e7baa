package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"portalhooks/app"
	"portalhooks/test/collector"
	"portalhooks/test/harness"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// What a caller says about the trace that its request belongs to.
const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
)

// startTraced starts a server that sends its traces to endpoint and its calls
// to a receiver.
func startTraced(
	t *testing.T, endpoint *url.URL, receive http.HandlerFunc, log *slog.Logger, change ...func(*app.Settings),
) *harness.APIServer {
	t.Helper()
	receiver := collector.Listening(t, receive).String()
	settings := harness.APISettings(t, harness.APIDatabases["SQLite"](t), receiver)
	settings.OTLPEndpoint = endpoint
	for _, c := range change {
		c(settings)
	}
	harness.MakeFirstKey(t, settings)
	s := harness.StartLogging(t, settings, log)
	s.Receiver = receiver
	return s
}

// One trace has the request of Portal's, what it brought, and every call that
// was made for it. Receivers are told nothing of it.
func TestARequestIsOneTraceUpToItsReceivers(t *testing.T) {
	t.Parallel()
	var told atomic.Pointer[string]
	c := collector.New(t)
	s := startTraced(t, c.URL, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if value := r.Header.Get(name); value != "" {
				told.Store(&value)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}, slog.New(slog.DiscardHandler))
	w := harness.NewWorld(t, s)
	req := w.Request(t, w.Portal, `mutation Report($in: [PortalEventInput!]!) {
		ingestEvents(input: $in) { results { status } userErrors { message } } }`,
		map[string]any{"in": []any{map[string]any{
			"organizationId": "canary-a", "sourceEventId": "traced",
			"event": map[string]any{"activeAlert": map[string]any{"alert": map[string]any{
				"id": "canary-a-disk", "name": "Disk full", "start": "2026-01-14T09:30:58Z",
			}}},
		}}})
	req.Header.Set("Traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	req.Header.Set("Tracestate", "portal=1")
	req.Header.Set("Baggage", "canary=1")
	a := w.Exchange(t, req)
	if got := a.Find("ingestEvents.results.0.status"); got != "ACCEPTED" {
		t.Fatalf("ingest: %s", a.Body)
	}
	spans := await(t, s, c, callersTrace, "POST", 2)
	request, ingest := named(t, spans, "POST /graphql"), named(t, spans, "ingest")
	wantChild(t, request, fmt.Sprintf("%x", request.ParentSpanId), callersSpan)
	wantChild(t, ingest, string(ingest.ParentSpanId), string(request.SpanId))
	wantValues(t, request, map[string]any{
		"graphql.operation.name": "Report", "graphql.operation.type": "mutation", "http.route": "/graphql",
		"http.response.status_code": int64(200), "portalhooks.request.id": a.Header.Get("X-Request-Id"),
	})
	wantValues(t, ingest, map[string]any{
		"portalhooks.ingest.reports": int64(1), "portalhooks.ingest.events": int64(1),
		"portalhooks.ingest.deliveries": int64(2),
	})
	for _, span := range spans {
		if span.Name != "POST" {
			continue
		}
		wantChild(t, span, string(span.ParentSpanId), string(ingest.SpanId))
		wantValues(t, span, map[string]any{
			"portalhooks.organization.id": w.A.Names["organization"], "portalhooks.attempt.number": int64(1),
			"portalhooks.attempt.outcome": "SUCCESS", "http.response.status_code": int64(204),
			"server.address": "127.0.0.1",
		})
	}
	if told := told.Load(); told != nil {
		t.Errorf("a receiver was told %q", *told)
	}
	if c.About()["service.name"] != "portalhooks" || c.About()["service.version"] != app.Version() {
		t.Errorf("the server is described as %v", c.About())
	}
}

func named(t *testing.T, spans []*tracepb.Span, name string) *tracepb.Span {
	t.Helper()
	for _, span := range spans {
		if span.Name == name {
			return span
		}
	}
	t.Fatalf("there is no span %q among %d", name, len(spans))
	return nil
}

func wantChild(t *testing.T, span *tracepb.Span, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("the parent of %q is %x, want %x", span.Name, got, want)
	}
}

func wantValues(t *testing.T, span *tracepb.Span, want map[string]any) {
	t.Helper()
	got := collector.Attributes(span.Attributes)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%q: %s is %v, want %v", span.Name, name, got[name], value)
		}
	}
}
