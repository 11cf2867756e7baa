package app

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"portalhooks/test/collector"
)

// The queue has a bound: while the collector is unreachable, spans are dropped.
func TestSpansAreDroppedWithoutACollector(t *testing.T) {
	t.Parallel()
	c := collector.New(t)
	let := make(chan struct{})
	endpoint := collector.Listening(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-let
		c.ServeHTTP(w, r)
	}))
	made, err := openTracing(t.Context(), &Settings{OTLPEndpoint: endpoint}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tracer := made.tracer("test")
	for range 20_000 {
		_, span := tracer.Start(t.Context(), "many")
		span.End()
	}
	close(let)
	made.flush = time.Minute
	made.close(t.Context())
	const most = 2048 + 2*512 // the queue, and batches on their way
	if spans, _ := c.Read(); len(spans) == 0 || len(spans) > most {
		t.Errorf("%d spans were sent, want at most %d", len(spans), most)
	}
}

func TestACollectorThatRefusesIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var works atomic.Bool
	c := collector.New(t)
	endpoint := collector.Listening(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if works.Load() {
			c.ServeHTTP(w, r)
			return
		}
		http.Error(w, strings.Repeat("no ", 10_000), http.StatusUnauthorized)
	}))
	log := &bytes.Buffer{}
	text := slog.New(slog.NewTextHandler(log, nil))
	made, err := openTracing(t.Context(), &Settings{OTLPEndpoint: endpoint}, text)
	if err != nil {
		t.Fatal(err)
	}
	send := func() {
		_, span := made.tracer("test").Start(t.Context(), "one")
		span.End()
		if err := made.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	send()
	send()
	if got := log.String(); strings.Count(got, "level=WARN") != 1 || len(got) > 1000 {
		t.Errorf("the log has %.2000s, want one short warning", got)
	}
	works.Store(true)
	send()
	send()
	if got := log.String(); strings.Count(got, "level=INFO") != 1 {
		t.Errorf("the log has %s, want once that it works again", got)
	}
	made.close(t.Context())
}

func TestNothingIsTracedWithoutAnEndpoint(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	made, err := openTracing(t.Context(), &Settings{}, slog.New(slog.DiscardHandler))
	if err != nil || made != nil {
		t.Fatalf("traces %v, %v, want none", made, err)
	}
	if made.tracer("test") != nil {
		t.Error("there is a tracer although no collector is set")
	}
	made.close(t.Context())
	if _, ok := new(Settings).LogHandler(slog.DiscardHandler).(tracedLog); ok {
		t.Error("log records are searched for traces although there are none")
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
			if got := (&Settings{OTLPEndpoint: tt.endpoint}).collected(); got != tt.want {
				t.Errorf("collected is %t, want %t", got, tt.want)
			}
		})
	}
}

func TestSamplingIsWhatOpenTelemetrysVariablesSay(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
	settings := &Settings{OTLPEndpoint: collector.New(t).URL}
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
	settings := &Settings{OTLPEndpoint: &url.URL{}}
	log := slog.New(settings.LogHandler(slog.NewTextHandler(&out, nil))).With("part", "x")
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
