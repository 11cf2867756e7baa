package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// What a caller says about the trace that its request belongs to.
const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
)

// startTraced starts a server that sends its traces to endpoint and its calls
// to a receiver.
func startTraced(t *testing.T, endpoint *url.URL, receive http.HandlerFunc, log *slog.Logger) *apiServer {
	t.Helper()
	receiver := listening(t, receive).String()
	settings := apiSettings(t, apiDatabases["SQLite"](t), receiver)
	settings.OTLPEndpoint = endpoint
	makeFirstKey(t, settings)
	s := startLogging(t, settings, log)
	s.receiver = receiver
	return s
}

// One trace has the request of Portal's, what it brought, and every call that
// was made for it. Receivers are told nothing of it.
func TestARequestIsOneTraceUpToItsReceivers(t *testing.T) {
	t.Parallel()
	var told atomic.Pointer[string]
	c := newCollector(t)
	s := startTraced(t, c.url, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if value := r.Header.Get(name); value != "" {
				told.Store(&value)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}, slog.New(slog.DiscardHandler))
	w := newWorld(t, s)
	req := w.request(t, w.portal, `mutation Report($in: [PortalEventInput!]!) {
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
	a := w.exchange(t, req)
	if got := a.find("ingestEvents.results.0.status"); got != "ACCEPTED" {
		t.Fatalf("ingest: %s", a.body)
	}
	spans := c.await(t, s, callersTrace, "POST", 2)
	request, ingest := named(t, spans, "POST /graphql"), named(t, spans, "ingest")
	wantChild(t, request, fmt.Sprintf("%x", request.ParentSpanId), callersSpan)
	wantChild(t, ingest, string(ingest.ParentSpanId), string(request.SpanId))
	wantValues(t, request, map[string]any{
		"graphql.operation.name": "Report", "graphql.operation.type": "mutation", "http.route": "/graphql",
		"http.response.status_code": int64(200), "portalhooks.request.id": a.header.Get("X-Request-Id"),
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
			"portalhooks.organization.id": w.a.names["organization"], "portalhooks.attempt.number": int64(1),
			"portalhooks.attempt.outcome": "SUCCESS", "http.response.status_code": int64(204),
			"server.address": "127.0.0.1",
		})
	}
	if told := told.Load(); told != nil {
		t.Errorf("a receiver was told %q", *told)
	}
	if c.about["service.name"] != "portalhooks" || c.about["service.version"] != version() {
		t.Errorf("the server is described as %v", c.about)
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
	got := attributes(span.Attributes)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%q: %s is %v, want %v", span.Name, name, got[name], value)
		}
	}
}

func TestNothingIsTracedWithoutAnEndpoint(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	made, err := openTracing(t.Context(), &serveCmd{}, slog.New(slog.DiscardHandler))
	if err != nil || made != nil {
		t.Fatalf("traces %v, %v, want none", made, err)
	}
	if made.tracer("test") != nil {
		t.Error("there is a tracer, which would make spans for nobody")
	}
	made.close(t.Context())
	if _, ok := new(serveCmd).logHandler(slog.DiscardHandler).(tracedLog); ok {
		t.Error("records are looked at for traces that nobody makes")
	}
}

func TestOpenTelemetrysVariablesCount(t *testing.T) {
	endpoint := &url.URL{Scheme: "http", Host: "127.0.0.1:4318"}
	for name, tt := range map[string]struct {
		endpoint *url.URL
		env      map[string]string
		want     bool
	}{
		"our setting":                {endpoint: endpoint, want: true},
		"the endpoint of all":        {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, want: true},
		"the endpoint of traces":     {env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, want: true},
		"another variable":           {env: map[string]string{"OTEL_SERVICE_NAME": "hooks"}},
		"OpenTelemetry switched off": {endpoint: endpoint, env: map[string]string{"OTEL_SDK_DISABLED": "true"}},
		"traces switched off":        {endpoint: endpoint, env: map[string]string{"OTEL_TRACES_EXPORTER": "none"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{
				"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER",
			} {
				t.Setenv(name, tt.env[name])
			}
			if got := (&serveCmd{OTLPEndpoint: tt.endpoint}).collected(); got != tt.want {
				t.Errorf("collected is %t, want %t", got, tt.want)
			}
		})
	}
}

func TestSamplingIsWhatOpenTelemetrysVariablesSay(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
	settings := &serveCmd{OTLPEndpoint: newCollector(t).url}
	made, err := openTracing(t.Context(), settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer made.close(t.Context())
	_, span := made.tracer("test").Start(t.Context(), "mine")
	if span.SpanContext().IsSampled() {
		t.Error("a trace of our own is sampled")
	}
	parent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
	_, span = made.tracer("test").Start(trace.ContextWithSpanContext(t.Context(), parent), "theirs")
	if !span.SpanContext().IsSampled() {
		t.Error("the caller's sampled trace does not go on")
	}
}

func TestRecordsInASpanSayWhichTrace(t *testing.T) {
	var out bytes.Buffer
	settings := &serveCmd{OTLPEndpoint: &url.URL{}}
	log := slog.New(settings.logHandler(slog.NewTextHandler(&out, nil))).With("part", "x")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	log.InfoContext(trace.ContextWithSpanContext(t.Context(), span), "inside")
	log.InfoContext(t.Context(), "outside")
	inside, outside, _ := strings.Cut(out.String(), "\n")
	want := "part=x trace_id=01000000000000000000000000000000 span_id=0200000000000000"
	if !strings.Contains(inside, want) {
		t.Errorf("inside a span: %s, want %s", inside, want)
	}
	if strings.Contains(outside, "trace_id") {
		t.Errorf("outside of a span: %s", outside)
	}
}

func TestAnEndpointIsAURLWithoutSecrets(t *testing.T) {
	for text, fine := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://collector.example/otlp": true,
		"127.0.0.1:4318": false, "grpc://collector.example:4317": false, "https://user:secret@collector.example": false,
		"http://": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			u = &url.URL{Opaque: text} // as the command line would refuse it
		}
		if err := checkEndpoint(u); (err == nil) != fine {
			t.Errorf("%s: %v, want fine %t", text, err, fine)
		}
	}
	if err := checkEndpoint(nil); err != nil {
		t.Errorf("without an endpoint: %v", err)
	}
}
