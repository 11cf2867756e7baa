package transport_test

import (
	"cmp"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// caller's words about the trace that its request belongs to.
const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	traceparent  = "00-" + callersTrace + "-b7ad6b7169203331-01"
)

// inTraces runs a test against a server whose spans are recorded.
func inTraces(t *testing.T, test func(t *testing.T, w *world, spans *tracetest.SpanRecorder)) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	opts := options()
	opts.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	inVirtualTime(t, opts, func(t *testing.T, w *world) { test(t, w, spans) })
}

// only returns the only span that has ended, shortly after the response was sent.
func only(t *testing.T, spans *tracetest.SpanRecorder) sdktrace.ReadOnlySpan {
	t.Helper()
	synctest.Wait()
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans have ended, want one", len(ended))
	}
	return ended[0]
}

func known(span sdktrace.ReadOnlySpan) map[string]any {
	values := make(map[string]any)
	for _, a := range span.Attributes() {
		values[string(a.Key)] = a.Value.AsInterface()
	}
	return values
}

func TestASpanTellsWhatWasAskedAndHowItEnded(t *testing.T) {
	for name, tt := range map[string]struct {
		method, query string
		header        []string
		span          string
		want          map[string]any
		status        codes.Code
	}{
		"query": {
			query: `query Mine { echo(string: "secret") }`,
			want: map[string]any{
				"graphql.operation.name": "Mine", "graphql.operation.type": "query",
				"http.request.method": "POST", "http.response.status_code": int64(200),
			},
		},
		"a mutation without a name": {
			query: `mutation { add(n: 1) }`,
			want: map[string]any{
				"graphql.operation.type": "mutation",
				"http.request.method":    "POST", "http.response.status_code": int64(200),
			},
		},
		"a long name is cut": {
			query: `query ` + strings.Repeat("x", 200) + ` { caller }`,
			want: map[string]any{
				"graphql.operation.name": strings.Repeat("x", 97) + "…", "graphql.operation.type": "query",
				"http.request.method": "POST", "http.response.status_code": int64(200),
			},
		},
		"our fault": {
			query: `{ fails }`, status: codes.Error,
			want: map[string]any{
				"graphql.operation.type": "query", "portalhooks.error.code": "INTERNAL", "error.type": "INTERNAL",
				"http.request.method": "POST", "http.response.status_code": int64(200),
			},
		},
		"the client's fault": {
			query: `{ secret }`,
			want: map[string]any{
				"portalhooks.error.code": "BAD_USER_INPUT",
				"http.request.method":    "POST", "http.response.status_code": int64(200),
			},
		},
		"refused": {
			query: `{ caller }`, header: []string{"Authorization", "Bearer secret"},
			want: map[string]any{"http.request.method": "POST", "http.response.status_code": int64(401)},
		},
		"a page that may not call": {
			query: `{ caller }`, header: []string{"Origin", "https://secret.example"},
			want: map[string]any{"http.request.method": "POST", "http.response.status_code": int64(403)},
		},
		"a method is not a place for words": {
			method: "SECRET", query: `{ caller }`, span: "HTTP",
			want: map[string]any{"http.request.method": "_OTHER", "http.response.status_code": int64(405)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTraces(t, func(t *testing.T, w *world, spans *tracetest.SpanRecorder) {
				sent := body(t, tt.query, map[string]any{"secret": "secret"})
				a := askWith(t, w.client, cmp.Or(tt.method, "POST"), worldURL+"?secret=1", sent, tt.header...)
				span := only(t, spans)
				got := known(span)
				if got["portalhooks.request.id"] != a.header.Get("X-Request-Id") {
					t.Errorf("request id %v, want the one of the answer", got["portalhooks.request.id"])
				}
				delete(got, "portalhooks.request.id")
				if !maps.Equal(got, tt.want) {
					t.Errorf("attributes %v, want %v", got, tt.want)
				}
				if name := cmp.Or(tt.span, "POST"); span.Name() != name || span.SpanKind() != trace.SpanKindServer {
					t.Errorf("span %q of kind %v, want %q of a server", span.Name(), span.SpanKind(), name)
				}
				if span.Status().Code != tt.status {
					t.Errorf("status %v, want %v", span.Status(), tt.status)
				}
			})
		})
	}
}

func TestOnlyTheTraceOfACallerWithANameGoesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		header []string
		want   bool
	}{
		"known":           {header: []string{"Authorization", "Bearer good"}, want: true},
		"unauthenticated": {},
		"turned away":     {header: []string{"Authorization", "Bearer bad"}},
	} {
		t.Run(name, func(t *testing.T) {
			inTraces(t, func(t *testing.T, w *world, spans *tracetest.SpanRecorder) {
				askWith(t, w.client, http.MethodPost, worldURL, body(t, "{caller}", nil),
					append(tt.header, "traceparent", traceparent)...)
				span := only(t, spans)
				if got := span.SpanContext().TraceID().String() == callersTrace; got != tt.want {
					t.Errorf("in the caller's trace: %t, want %t", got, tt.want)
				}
				if got := span.Parent().IsValid(); got != tt.want {
					t.Errorf("has a parent: %t, want %t", got, tt.want)
				}
			})
		})
	}
}

// The span and the trace of a socket end with the upgrade, as a socket may stay open
// for days.
func TestEachOperationOnASocketIsATraceLinkedToItsUpgrade(t *testing.T) {
	inTraces(t, func(t *testing.T, w *world, spans *tracetest.SpanRecorder) {
		dialer := websocket.Dialer{NetDialContext: w.pipes.dial, Subprotocols: []string{"graphql-transport-ws"}}
		s := dial(t, dialer, "ws://pipe/graphql",
			http.Header{"Authorization": {"Bearer good"}, "Traceparent": {traceparent}}).initialise()
		upgrade := only(t, spans)
		if got := known(upgrade)["http.response.status_code"]; got != int64(101) {
			t.Errorf("the upgrade's status is %v, want 101", got)
		}
		if got := upgrade.SpanContext().TraceID().String(); got != callersTrace {
			t.Errorf("the upgrade's trace is %s, want the caller's", got)
		}
		s.subscribe("a", "subscription Follow { count(to: 1) { n } }")
		s.expect("next")
		s.expect("complete")
		synctest.Wait()
		if n := len(spans.Ended()); n != 2 {
			t.Fatalf("%d spans have ended, want the operation's too", n)
		}
		wantLinked(t, spans.Ended()[1], upgrade)
	})
}

func wantLinked(t *testing.T, span, upgrade sdktrace.ReadOnlySpan) {
	t.Helper()
	links, want := span.Links(), upgrade.SpanContext().SpanID()
	if span.Parent().IsValid() || len(links) != 1 || links[0].SpanContext.SpanID() != want {
		t.Errorf("parent %v, links %v: want none, and one to the upgrade", span.Parent(), links)
	}
	got := known(span)
	if id := got["portalhooks.request.id"]; id == "" || id == known(upgrade)["portalhooks.request.id"] {
		t.Errorf("request id %v, want one of its own", id)
	}
	if span.Name() != "subscription" || got["graphql.operation.name"] != "Follow" {
		t.Errorf("span %q with %v, want a subscription called Follow", span.Name(), got)
	}
}
