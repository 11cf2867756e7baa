// Package collector takes traces by OTLP over HTTP, for tests.
package collector

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"google.golang.org/protobuf/proto"
)

// A Collector takes traces by OTLP over HTTP, as OpenTelemetry's own does.
type Collector struct {
	URL *url.URL

	mu    sync.Mutex
	all   bytes.Buffer // every byte that came in
	spans []*tracepb.Span
	about map[string]any // the server that sent them
}

// New starts a collector that ends with t.
func New(t *testing.T) *Collector {
	t.Helper()
	c := &Collector{}
	c.URL = Listening(t, c)
	return c
}

// Listening serves handler until t ends and returns where.
func Listening(t *testing.T, handler http.Handler) *url.URL {
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
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
		c.about = Attributes(resource.Resource.Attributes)
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// Read returns every span, and all that came in.
func (c *Collector) Read() ([]*tracepb.Span, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans, c.all.String()
}

// Attributes returns what a span or a server is described with.
func Attributes(list []*commonpb.KeyValue) map[string]any {
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

// About returns what describes the server that sent the latest spans.
func (c *Collector) About() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.about
}
