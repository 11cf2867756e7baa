package transport_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"portalhooks/graph/transport"
)

const graphqlJSON = "application/graphql-response+json"

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	const fine = `{"query": "{__typename}"}`
	for name, tt := range map[string]struct {
		method, body string
		headers      []string
		status       int
	}{
		"form":                     {body: "query=%7Ba%7D", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415},
		"multipart":                {body: fine, headers: []string{"Content-Type", "multipart/form-data; boundary=x"}, status: 415},
		"text":                     {body: fine, headers: []string{"Content-Type", "text/plain"}, status: 415},
		"no content type":          {body: fine, headers: []string{"Content-Type", ""}, status: 415},
		"other charset":            {body: fine, headers: []string{"Content-Type", "application/json; charset=latin1"}, status: 415},
		"application/graphql":      {body: "{a}", headers: []string{"Content-Type", "application/graphql"}, status: 415},
		"gzip":                     {body: fine, headers: []string{"Content-Encoding", "gzip"}, status: 415},
		"unreadable answer":        {body: fine, headers: []string{"Accept", "text/html"}, status: 406},
		"answer in latin1":         {body: fine, headers: []string{"Accept", "application/json; charset=latin1"}, status: 406},
		"answer refused by q=0":    {body: fine, headers: []string{"Accept", "application/json;q=0"}, status: 406},
		"PUT":                      {method: "PUT", body: fine, status: 405},
		"DELETE":                   {method: "DELETE", status: 405},
		"OPTIONS":                  {method: "OPTIONS", status: 405},
		"batch":                    {body: "[" + fine + "]", status: 400},
		"empty batch":              {body: "[]", status: 400},
		"nothing":                  {status: 400},
		"blanks":                   {body: "  ", status: 400},
		"null":                     {body: "null", status: 400},
		"text, not an object":      {body: `"{a}"`, status: 400},
		"number":                   {body: "1", status: 400},
		"cut off":                  {body: `{"query": "{a`, status: 400},
		"trailing object":          {body: fine + fine, status: 400},
		"trailing garbage":         {body: fine + "x", status: 400},
		"not UTF-8":                {body: "{\"query\": \"{a}\xff\"}", status: 400},
		"empty query":              {body: `{"query": ""}`, status: 400},
		"null query":               {body: `{"query": null}`, status: 400},
		"query twice":              {body: `{"query": "{a}", "query": "{__typename}"}`, status: 400},
		"query twice, one escaped": {body: `{"query": "{a}", "\u0071uery": "{__typename}"}`, status: 400},
		"query in capitals":        {body: `{"QUERY": "{__typename}"}`, status: 400},
		"variables in capitals":    {body: `{"query": "{__typename}", "Variables": {}}`, status: 400},
		"variables as text":        {body: `{"query": "{__typename}", "variables": "{}"}`, status: 400},
		"extensions as a list":     {body: `{"query": "{__typename}", "extensions": []}`, status: 400},
		"operationName as number":  {body: `{"query": "{__typename}", "operationName": 1}`, status: 400},
		"nested 65 deep": {
			body: `{"query": "{__typename}", "variables": {"a": ` +
				strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}}`,
			status: 400,
		},
		"nested a million deep":   {body: `{"variables": {"a": ` + strings.Repeat("[", 1e6), status: 400},
		"1 MiB and a byte":        {body: fine + strings.Repeat(" ", 1<<20-len(fine)+1), status: 413},
		"subscription":            {body: `{"query": "subscription {count(to: 1) {n}}"}`, status: 406},
		"unknown origin":          {body: fine, headers: []string{"Origin", "https://evil.example"}, status: 403},
		"a webhook's call":        {body: fine, headers: []string{"Webhook-Id", "dlv_0000000000001"}, status: 403},
		"null origin":             {body: fine, headers: []string{"Origin", "null"}, status: 403},
		"wrong token":             {body: fine, headers: []string{"Authorization", "Bearer no"}, status: 401},
		"too many requests":       {body: fine, headers: []string{"Authorization", "Bearer busy"}, status: 429},
		"identity provider fails": {body: fine, headers: []string{"Authorization", "Bearer broken"}, status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = http.MethodPost
			}
			got := ask(t, method, url, tt.body, tt.headers...)
			if got.status != tt.status {
				t.Errorf("status %d, want %d: %.200s", got.status, tt.status, got.body)
			}
			if len(got.Errors) != 1 || got.code() == "" || strings.Contains(got.body, `"data"`) {
				t.Errorf("the answer has no error with a code, or data: %.200s", got.body)
			}
			if strings.Contains(got.body, "hunter2") || len(got.body) > 500 {
				t.Errorf("the response discloses too much: %.1000s", got.body)
			}
			if tt.status == 405 && got.header.Get("Allow") != "POST" {
				t.Errorf("Allow %q, want POST", got.header.Get("Allow"))
			}
		})
	}
}

func TestRequestsThatAreServed(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.AllowedOrigins = []string{"https://hooks.example.com/"}
	url, _ := serve(t, opts)
	const fine = `{"query": "{__typename}"}`
	for name, tt := range map[string]struct {
		body    string
		headers []string
	}{
		"plain":               {body: fine},
		"charset":             {body: fine, headers: []string{"Content-Type", "application/json; charset=UTF-8"}},
		"identity encoding":   {body: fine, headers: []string{"Content-Encoding", "identity"}},
		"own origin":          {body: fine, headers: []string{"Origin", url}},
		"allowed origin":      {body: fine, headers: []string{"Origin", "https://hooks.example.com"}},
		"unknown parameters":  {body: `{"query": "{__typename}", "id": 1, "documentId": "x"}`},
		"1 MiB":               {body: fine + strings.Repeat(" ", 1<<20-len(fine))},
		"blank lines around":  {body: "\r\n" + fine + "\n\n"},
		"braces inside text":  {body: `{"query": "{__typename}", "variables": {"a": "` + strings.Repeat("{[", 99) + `"}}`},
		"query inside values": {body: `{"query": "{__typename}", "variables": {"query": {"query": "QUERY"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, http.MethodPost, url, tt.body, tt.headers...)
			if got.status != 200 || got.Data["__typename"] != "Query" {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		})
	}
}

func TestGetAnswersQueriesWithoutCookiesOnly(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	for name, tt := range map[string]struct {
		query   string
		headers []string
		status  int
	}{
		"query":                 {query: "query=%7B__typename%7D", status: 200},
		"with variables":        {query: "query=%7B__typename%7D&variables=%7B%7D", status: 200},
		"with a cookie":         {query: "query=%7B__typename%7D", headers: []string{"Cookie", "a=b"}, status: 405},
		"mutation":              {query: "query=mutation%7B__typename%7D", status: 405},
		"subscription":          {query: "query=subscription%7Bforever%7Bn%7D%7D", status: 406},
		"query twice":           {query: "query=%7B__typename%7D&query=%7Ba%7D", status: 400},
		"variables not JSON":    {query: "query=%7B__typename%7D&variables=x", status: 400},
		"variables not a map":   {query: "query=%7B__typename%7D&variables=[]", status: 400},
		"no query":              {status: 400},
		"mutation as events":    {query: "query=mutation%7B__typename%7D", headers: []string{"Accept", "text/event-stream"}, status: 405},
		"from a foreign origin": {query: "query=%7B__typename%7D", headers: []string{"Origin", "https://evil.example"}, status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, http.MethodGet, url+"?"+tt.query, "", tt.headers...)
			if got.status != tt.status {
				t.Errorf("status %d, want %d: %s", got.status, tt.status, got.body)
			}
			if tt.status == 405 && got.header.Get("Allow") != "POST" {
				t.Errorf("Allow %q, want POST", got.header.Get("Allow"))
			}
		})
	}
}

func TestTheAnswerHasTheTypeThatTheClientPrefers(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	for accept, want := range map[string]string{
		"":                                       "application/json",
		"*/*":                                    "application/json",
		"application/*":                          "application/json",
		"application/json":                       "application/json",
		graphqlJSON:                              graphqlJSON,
		graphqlJSON + ", application/json":       graphqlJSON,
		"application/json, " + graphqlJSON:       graphqlJSON,
		graphqlJSON + ";q=0.5, */*;q=0.9":        graphqlJSON,
		graphqlJSON + ";q=0.5, application/json": "application/json",
		"text/html, */*;q=0.1":                   "application/json",
		graphqlJSON + ", text/event-stream":      graphqlJSON,
		"text/event-stream, application/json":    "application/json",
		"text/event-stream":                      "text/event-stream",
	} {
		t.Run(accept, func(t *testing.T) {
			got := post(t, url, "{__typename}", "Accept", accept)
			if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, want+";") {
				t.Errorf("type %q, want %s", kind, want)
			}
		})
	}
}

func TestStatusTellsNewClientsWhatWentWrong(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.AroundOperations = func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		if name := graphql.GetOperationContext(ctx).OperationName; name != "" {
			resp := graphql.ErrorResponse(ctx, "Not now.")
			resp.Errors[0].Extensions = map[string]any{"code": name}
			return graphql.OneShot(resp)
		}
		return next(ctx)
	}
	url, _ := serve(t, opts)
	for name, tt := range map[string]struct {
		query, operation string
		status           int
		code             string
	}{
		"invalid":           {query: "{unknown}", status: 400, code: "BAD_USER_INPUT"},
		"syntax":            {query: "{", status: 400, code: "BAD_USER_INPUT"},
		"wrong variable":    {query: "query($a: Int!) {echo(int: $a)}", status: 400, code: "BAD_USER_INPUT"},
		"too deep":          {query: "{" + strings.Repeat("self{", 15) + "wait" + strings.Repeat("}", 16), status: 400, code: "LIMIT_EXCEEDED"},
		"resolver fails":    {query: "{fails}", status: 200, code: "INTERNAL"},
		"resolver panics":   {query: "{panics}", status: 200, code: "INTERNAL"},
		"panics outside":    {query: "{crashes}", status: 500, code: "INTERNAL"},
		"no such operation": {query: "query A {wait} query B {wait}", status: 400, code: "BAD_USER_INPUT"},
		"not signed in":     {query: "query UNAUTHENTICATED {wait}", operation: "UNAUTHENTICATED", status: 401, code: "UNAUTHENTICATED"},
		"not allowed":       {query: "query FORBIDDEN {wait}", operation: "FORBIDDEN", status: 403, code: "FORBIDDEN"},
		"not available":     {query: "query UNAVAILABLE {wait}", operation: "UNAVAILABLE", status: 503, code: "UNAVAILABLE"},
		"introspection, anonymously": {
			query:  "{self {...f}} fragment f on Query {__type(name: \"Query\") {name}}",
			status: 403, code: "FORBIDDEN",
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := strings.TrimSuffix(body(t, tt.query, nil), "}") + `, "operationName": "` + tt.operation + `"}`
			got := ask(t, http.MethodPost, url, request, "Accept", graphqlJSON)
			if got.status != tt.status || got.code() != tt.code {
				t.Errorf("status %d code %s, want %d %s: %s", got.status, got.code(), tt.status, tt.code, got.body)
			}
			old := ask(t, http.MethodPost, url, request, "Accept", "application/json")
			want := 200
			if tt.status == 503 { // transient: clients that look only at the status must retry
				want = 503
			}
			if old.status != want || old.code() != tt.code {
				t.Errorf("for application/json: status %d code %s, want %d %s", old.status, old.code(), want, tt.code)
			}
			if strings.Contains(got.body, "hunter2") {
				t.Errorf("the response discloses a secret: %s", got.body)
			}
		})
	}
}

func TestSuggestionsAreForCallersWhoMaySeeTheSchema(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	if got := post(t, url, "{ech}"); strings.Contains(got.body, "echo") {
		t.Errorf("an anonymous caller was told: %s", got.body)
	}
	if got := post(t, url, "{ech}", "Authorization", "Bearer "+token); !strings.Contains(got.body, "echo") {
		t.Errorf("a known caller was not helped: %s", got.body)
	}
}

func TestErrorsAreFewAndShort(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, options())
	long := strings.Repeat("x", 15000)
	conflicting := ""
	for range 25 {
		conflicting += "x: echo(int: 1) x: echo(int: 2) "
	}
	for name, request := range map[string]string{
		"hundreds of unknown fields": body(t, "{self {"+strings.Repeat("nope ", 400)+"}}", nil),
		"conflicting fields":         body(t, "{self {"+conflicting+"}}", nil),
		"a long unknown field":       body(t, "{"+long+"}", nil),
		"a long enum value":          body(t, "query($c: Color) {echo(color: $c)}", map[string]any{"c": long}),
		"a long input field": body(t, "query($t: Thing) {echo(thing: $t)}",
			map[string]any{"t": map[string]any{"count": 1, long: 1}}),
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, http.MethodPost, url, request)
			if n := len(got.Errors); n == 0 || n > 10 {
				t.Errorf("%d errors, want 1 to 10", n)
			}
			if len(got.body) > 13000 || got.code() != "BAD_USER_INPUT" {
				t.Errorf("%d bytes, code %s", len(got.body), got.code())
			}
		})
	}
}

func TestTheBodyLimitIsTheCallers(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.BodyLimit = func(ctx context.Context) int64 {
		if callerOf(ctx) != "" {
			return 8 << 20
		}
		return 1 << 20
	}
	url, _ := serve(t, opts)
	request := `{"query": "{__typename}"}` + strings.Repeat(" ", 7<<20)
	if got := ask(t, http.MethodPost, url, request, "Authorization", "Bearer "+token); got.status != 200 {
		t.Errorf("status %d for a caller with a larger limit", got.status)
	}
	if got := ask(t, http.MethodPost, url, request); got.status != 413 || got.code() != transport.CodeLimit {
		t.Errorf("status %d code %s for a caller without", got.status, got.code())
	}
}

func TestAnOperationThatTakesTooLongIsEnded(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.OperationTimeout = 20 * time.Millisecond
	url, schema := serve(t, opts)
	got := post(t, url, "{wait}")
	<-schema.ended
	if got.code() != "LIMIT_EXCEEDED" || !strings.Contains(got.body, "longer than 20ms") || got.Data != nil {
		t.Errorf("answer %s", got.body)
	}
}

// An operation that waits for others has more time than the rest.
func TestSomeOperationsHaveExtraTime(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.OperationTimeout = 20 * time.Millisecond
	opts.ExtraTime = func(op *ast.OperationDefinition) time.Duration {
		if op.Name == "Slow" {
			return 30 * time.Millisecond
		}
		return 0
	}
	url, schema := serve(t, opts)
	for query, want := range map[string]string{
		"query Slow {wait}": "longer than 50ms", "{wait}": "longer than 20ms",
	} {
		got := post(t, url, query)
		<-schema.ended
		if got.code() != "LIMIT_EXCEEDED" || !strings.Contains(got.body, want) {
			t.Errorf("%s: %s, want it %s", query, got.body, want)
		}
	}
}

func TestAnOperationEndsWhenItsClientIsGone(t *testing.T) {
	t.Parallel()
	url, schema := serve(t, options())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body(t, "{wait}", nil)))
		r.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	<-schema.waiting
	cancel()
	<-schema.ended
	<-done
}

func TestComplexityIsALimitToo(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Limits.Complexity = 2
	url, _ := serve(t, opts)
	if got := post(t, url, "{caller __typename}"); got.status != 200 || len(got.Errors) > 0 {
		t.Errorf("status %d for a simple query: %s", got.status, got.body)
	}
	got := post(t, url, "{caller self {caller}}", "Accept", graphqlJSON)
	if got.status != 400 || got.code() != "LIMIT_EXCEEDED" {
		t.Errorf("status %d code %s for a complex query", got.status, got.code())
	}
}

func TestWhatIsHiddenFromTheClientIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	opts := options()
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	url, _ := serve(t, opts)
	post(t, url, "{fails}")
	post(t, url, "{panics}")
	for _, want := range []string{"hunter2", "panic=resolver", "schema_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log.String())
		}
	}
}

// BenchmarkPost measures a mutation without the network.
func BenchmarkPost(b *testing.B) {
	handler := transport.New(newTestSchema(b), options())
	request := body(b, "mutation($n: Int!) {add(n: $n)}", map[string]any{"n": 1})
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", strings.NewReader(request))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
