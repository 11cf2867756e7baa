package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A collector takes traces by OTLP over HTTP, as OpenTelemetry's own does.
type collector struct {
	url *url.URL

	mu    sync.Mutex
	all   bytes.Buffer // every byte that came in
	spans []*tracepb.Span
	about map[string]any // the server that sent them
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.url = listening(t, c)
	return c
}

// listening serves handler until t ends and returns where.
func listening(t *testing.T, handler http.Handler) *url.URL {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// ServeHTTP implements [http.Handler].
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent collectorpb.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
		http.Error(w, "not a trace", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.Write(body)
	_ = r.Header.Write(&c.all)
	for _, resource := range sent.ResourceSpans {
		c.about = attributes(resource.Resource.Attributes)
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// read returns every span, and all that came in.
func (c *collector) read() ([]*tracepb.Span, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans, c.all.String()
}

// await returns the spans of a trace when there are n of a name.
func (c *collector) await(t *testing.T, s *apiServer, trace, name string, n int) (spans []*tracepb.Span) {
	t.Helper()
	err := eventually(t.Context(), "the trace is complete", func(ctx context.Context) (bool, error) {
		if err := s.traces.provider.ForceFlush(ctx); err != nil {
			return false, err
		}
		all, _ := c.read()
		spans = nil
		found := 0
		for _, span := range all {
			if hex.EncodeToString(span.TraceId) != trace {
				continue
			}
			spans = append(spans, span)
			if span.Name == name {
				found++
			}
		}
		return found == n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return spans
}

// attributes returns what a span or a server is described with.
func attributes(list []*commonpb.KeyValue) map[string]any {
	values := make(map[string]any)
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			values[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			values[a.Key] = v.IntValue
		}
	}
	return values
}

// A collector that takes connections and never answers holds up nothing: no
// delivery, no span beyond the queue, and the end only as long as is allowed.
func TestACollectorThatHangsDelaysNothing(t *testing.T) {
	t.Parallel()
	asked, hungUp := make(chan struct{}), make(chan struct{})
	var once sync.Once
	endpoint := listening(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		once.Do(func() { close(asked) })
		<-r.Context().Done()
		close(hungUp)
	}))
	s := startTraced(t, endpoint, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}, slog.New(slog.DiscardHandler))
	s.traces.flush = 100 * time.Millisecond
	tracer := s.traces.tracer("test")
	for range 100_000 { // far more than are kept; it would take for ever if one had to wait
		_, span := tracer.Start(t.Context(), "many")
		span.End()
	}
	<-asked
	w := newWorld(t, s) // it reports events and waits for their deliveries
	w.report(t, "canary-a", 100, 20)
	began := time.Now()
	s.stop()
	<-hungUp // nothing is left that waits for the collector
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the server took %s to stop", took)
	}
}

// The queue has a bound: while the collector is away spans are dropped.
func TestSpansThatNobodyTakesAreDropped(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	let := make(chan struct{})
	endpoint := listening(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-let
		c.ServeHTTP(w, r)
	}))
	made, err := openTracing(t.Context(), &serveCmd{OTLPEndpoint: endpoint}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tracer := made.tracer("test")
	for range 20_000 {
		_, span := tracer.Start(t.Context(), "many")
		span.End()
	}
	close(let)
	made.flush = patience
	made.close(t.Context())
	const most = 2048 + 2*512 // the queue, and batches on their way
	if spans, _ := c.read(); len(spans) == 0 || len(spans) > most {
		t.Errorf("%d spans were sent, want at most %d", len(spans), most)
	}
}

func TestACollectorThatRefusesIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var works atomic.Bool
	c := newCollector(t)
	endpoint := listening(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if works.Load() {
			c.ServeHTTP(w, r)
			return
		}
		http.Error(w, strings.Repeat("no ", 10_000), http.StatusUnauthorized)
	}))
	log := &logBuffer{}
	text := slog.New(slog.NewTextHandler(log, nil))
	made, err := openTracing(t.Context(), &serveCmd{OTLPEndpoint: endpoint}, text)
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
