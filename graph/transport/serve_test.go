package transport_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.uber.org/goleak"

	"portalhooks/graph/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "good"

func refusal(code string) error {
	return &gqlerror.Error{Message: "Refused.", Extensions: map[string]any{"code": code}}
}

// authenticate accepts one token; requests without a token are anonymous.
func authenticate(ctx context.Context, r *http.Request) (context.Context, error) {
	return identify(ctx, r.Header.Get("Authorization"))
}

func identify(ctx context.Context, authorization string) (context.Context, error) {
	switch authorization {
	case "":
		return ctx, nil
	case "Bearer " + token:
		return context.WithValue(ctx, callerKey{}, token), nil
	case "Bearer busy":
		return ctx, refusal(transport.CodeLimit)
	case "Bearer broken":
		return ctx, errPrivate
	}
	return ctx, refusal(transport.CodeUnauthenticated)
}

func connectionInit(ctx context.Context, payload map[string]any) (context.Context, time.Time, error) {
	authorization, _ := payload["Authorization"].(string)
	if authorization == "" {
		authorization = "none"
	}
	if callerOf(ctx) != "" {
		return ctx, time.Time{}, nil
	}
	ctx, err := identify(ctx, authorization)
	return ctx, time.Time{}, err
}

// eventID returns the cursor of a counting subscription.
func eventID(resp *graphql.Response) string {
	var data struct {
		Count struct {
			Cursor string `json:"cursor"`
		} `json:"count"`
	}
	if json.Unmarshal(resp.Data, &data) != nil {
		return ""
	}
	return data.Count.Cursor
}

func options() transport.Options {
	return transport.Options{
		Authenticate:   authenticate,
		ConnectionInit: connectionInit,
		EventID:        eventID,
		CallerKey:      callerOf,
		Introspection:  func(ctx context.Context) bool { return callerOf(ctx) != "" },
		Logger:         slog.New(slog.DiscardHandler),
	}
}

// serve starts a server that ends with the test, which fails if the handler cannot
// be shut down.
func serve(tb testing.TB, opts transport.Options) (url string, schema *testSchema) {
	tb.Helper()
	schema = newTestSchema(tb)
	handler := transport.New(schema, opts)
	server := httptest.NewServer(handler)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := handler.Shutdown(ctx); err != nil {
			tb.Errorf("Shutdown: %v", err)
		}
		server.Close()
	})
	return server.URL, schema
}

type answer struct {
	status int
	header http.Header
	body   string
	Data   map[string]any `json:"data"`
	Errors gqlerror.List  `json:"errors"`
}

func (a answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

// ask sends one request; pairs are header names and values.
func ask(tb testing.TB, method, url, body string, pairs ...string) answer {
	tb.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	return askWith(tb, http.DefaultClient, method, url, body, pairs...)
}

func askWith(tb testing.TB, client *http.Client, method, url, body string, pairs ...string) answer {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			r.Header.Del(pairs[i])
		}
	}
	resp, err := client.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(data)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(data, &a); err != nil {
			tb.Fatalf("the answer is not JSON: %v: %s", err, data)
		}
	}
	return a
}

func post(tb testing.TB, url, query string, pairs ...string) answer {
	tb.Helper()
	return ask(tb, http.MethodPost, url, body(tb, query, nil), pairs...)
}

func body(tb testing.TB, query string, variables map[string]any) string {
	tb.Helper()
	data, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}
