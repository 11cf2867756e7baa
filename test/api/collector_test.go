package api

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"portalhooks/app"
	"portalhooks/test/collector"
	"portalhooks/test/harness"
)

// await returns the spans of a trace when there are n of a name.
func await(
	t *testing.T, s *harness.APIServer, c *collector.Collector, trace, name string, n int,
) (spans []*tracepb.Span) {
	t.Helper()
	err := harness.Eventually(t.Context(), "the trace is complete", func(ctx context.Context) (bool, error) {
		if err := s.FlushTraces(ctx); err != nil {
			return false, err
		}
		all, _ := c.Read()
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

// A collector that takes connections and never answers holds up nothing: no
// delivery, no span beyond the queue, and the end only as long as is allowed.
func TestACollectorThatHangsDelaysNothing(t *testing.T) {
	t.Parallel()
	asked, hungUp := make(chan struct{}), make(chan struct{})
	var once, ended sync.Once
	endpoint := collector.Listening(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		once.Do(func() { close(asked) })
		<-r.Context().Done()
		ended.Do(func() { close(hungUp) })
	}))
	s := startTraced(t, endpoint, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}, slog.New(slog.DiscardHandler), func(c *app.Settings) { c.Timeouts.Traces = 100 * time.Millisecond })
	tracer := s.Tracer("test")
	for range 100_000 { // far more than are kept; it would never end if one had to wait
		_, span := tracer.Start(t.Context(), "many")
		span.End()
	}
	<-asked
	w := harness.NewWorld(t, s) // it reports events and waits for their deliveries
	w.Report(t, "canary-a", 100, 20)
	began := time.Now()
	s.Stop()
	<-hungUp // nothing is left that waits for the collector
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the server took %s to stop", took)
	}
}
