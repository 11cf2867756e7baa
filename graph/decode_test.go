package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"portalhooks/delivery"
	"portalhooks/graph/gen"
	"portalhooks/graph/limits"
	"portalhooks/graph/transport"
)

// A recorder resolves ingestEvents and records the reports.
type recorder struct {
	*Resolver
	gen.MutationResolver

	reports []delivery.Report
	direct  bool // they were decoded directly
}

func (r *recorder) Mutation() gen.MutationResolver { return r }

func (r *recorder) IngestEvents(
	ctx context.Context, input []*gen.PortalEventInput,
) (*gen.IngestPayload, error) {
	r.reports = reportsOf(ctx, input)
	_, r.direct = limits.Value(ctx)
	return &gen.IngestPayload{Results: []*gen.IngestResult{}, UserErrors: []*gen.UserError{}}, nil
}

// A server is a Handler with a recorder.
type server struct {
	*recorder

	handler http.Handler
}

func newServer(t testing.TB, decoders map[string]func([]byte) (any, bool)) server {
	t.Helper()
	r := &recorder{}
	s := server{r, transport.New(
		gen.NewExecutableSchema(gen.Config{Resolvers: r, Complexity: complexity()}),
		transport.Options{
			Decoders: decoders, Limits: limits.Limits{OpenEnums: reportEnums}, Logger: slog.New(slog.DiscardHandler),
			CallerKey: func(context.Context) string { return "Portal" }, // whose documents are cached
		},
	)}
	s.post(t, reporting("[]")) // the query is known from now on
	return s
}

// reporting returns the body of a request whose variable is input.
func reporting(input string) string {
	return fmt.Sprintf(`{"query": %q, "variables": {"input": %s}}`, benchMutation, input)
}

func (s server) post(t testing.TB, body string) (answer string) {
	s.reports, s.direct = nil, false
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, r)
	return fmt.Sprint(recorder.Code, recorder.Body)
}

// A pair is a server with and one without direct decoding.
type pair struct{ direct, general server }

func newPair(t testing.TB) pair {
	t.Helper()
	return pair{
		direct:  newServer(t, map[string]func([]byte) (any, bool){reportsType: decodeReports}),
		general: newServer(t, nil),
	}
}

// agree fails t if a request is decoded directly with another result than by the
// general decoder. It reports whether the request was decoded directly.
func (p pair) agree(t *testing.T, body string) bool {
	t.Helper()
	got := p.direct.post(t, body)
	if !p.direct.direct {
		return false // it took the general path
	}
	if want := p.general.post(t, body); got != want {
		t.Errorf("the response is %s, in general %s\nto %s", got, want, body)
	}
	if !reflect.DeepEqual(p.direct.reports, p.general.reports) {
		t.Errorf("%s\nis decoded as %+v\nin general as %+v", body, p.direct.reports, p.general.reports)
	}
	return true
}

// everyReport returns a report of each kind with all fields.
func everyReport(t testing.TB) []any {
	t.Helper()
	var in gen.PortalEventInput
	(&filler{}).fill(reflect.ValueOf(&in).Elem())
	payloads := in.Event
	alert, object := payloads.ActiveAlert.Alert, payloads.ObjectChange
	alert.Severity, object.Action = new(delivery.SeverityWarning), delivery.ActionModified
	operation, microservice := payloads.Operation, payloads.MicroserviceExecution
	operation.Result = new(delivery.ResultError)
	for _, list := range [][]*gen.WorkspaceExecutionInput{operation.Workspaces, microservice.Workspaces} {
		list[0].Result, list[1].Result = delivery.ResultCompleted, delivery.ResultTimeout
	}
	var reports []any
	for _, one := range []*gen.PortalEventPayload{
		{ActiveAlert: payloads.ActiveAlert},
		{ObjectChange: object},
		{Operation: operation},
		{MicroserviceExecution: microservice},
	} {
		in.Event = one
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		event, _ := tree["event"].(map[string]any)
		for name, payload := range event {
			if payload == nil {
				delete(event, name)
			}
		}
		reports = append(reports, tree)
	}
	return reports
}

func TestValidReportsAreDecodedDirectly(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	every := everyReport(t)
	text, err := json.Marshal(every)
	if err != nil {
		t.Fatal(err)
	}
	if !p.agree(t, reporting(string(text))) || len(p.direct.reports) != len(every) {
		t.Error("reports with all fields are not decoded directly")
	}
	examples, err := os.ReadFile(filepath.Join("..", "examples", "every-type.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(examples) {
		if !p.agree(t, reporting("["+string(line)+"]")) {
			t.Errorf("not decoded directly: %s", line)
		}
	}
	for name, body := range oddBodies {
		if got := p.agree(t, body.text); got != body.direct {
			t.Errorf("%s: decoded directly: %t, want %t", name, got, body.direct)
		}
	}
}

const anAlert = `{"organizationId": "o", "sourceEventId": "s", "event": {"activeAlert": {"alert": ` +
	`{"id": "a", "name": "A", "start": "2026-01-14T09:31:07+02:00"}}}}`

// oddBodies are unusual requests.
var oddBodies = map[string]struct {
	text   string
	direct bool
}{
	"no report":       {reporting("[]"), true},
	"one, not a list": {reporting(anAlert), false},
	"null":            {reporting("null"), false},
	"a null in it":    {reporting("[null]"), false},
	"cut off":         {reporting("[" + anAlert), false},
	"trailing comma":  {reporting("[" + anAlert + ",]"), false},
	"missing comma":   {reporting("[" + anAlert + anAlert + "]"), false},
	"trailing text":   {reporting("["+anAlert+"]") + "x", false},
	"blanks around":   {" \r\n" + reporting("[ "+anAlert+"\t]") + "\n", true},
	"escapes in a text": {
		reporting("[" + strings.Replace(anAlert, `"A"`, `"A \"\u00e9\ud83d\ude00\n"`, 1) + "]"), true,
	},
	"half a surrogate": {reporting("[" + strings.Replace(anAlert, `"A"`, `"\ud800"`, 1) + "]"), false},
	"a bad escape":     {reporting("[" + strings.Replace(anAlert, `"A"`, `"\x"`, 1) + "]"), false},
	"a control byte":   {reporting("[" + strings.Replace(anAlert, `"A"`, "\"\x01\"", 1) + "]"), false},
	"bad UTF-8":        {reporting("[" + strings.Replace(anAlert, `"A"`, "\"\xff\"", 1) + "]"), false},
	"an escaped name":  {reporting("[" + strings.Replace(anAlert, `"id"`, `"\u0069d"`, 1) + "]"), true},
	"a name twice":     {reporting("[" + strings.Replace(anAlert, `"id": "a"`, `"id": "b", "id": "a"`, 1) + "]"), false},
	"a null afterward": {reporting("[" + strings.Replace(anAlert, `"id": "a"`, `"id": "b", "id": null`, 1) + "]"), false},
	"two payloads": {
		reporting("[" + strings.Replace(anAlert, `"activeAlert"`, `"operation": null, "activeAlert"`, 1) + "]"),
		false,
	},
	"the same payload twice": {
		reporting("[" + strings.Replace(anAlert, `"activeAlert"`, `"activeAlert": null, "activeAlert"`, 1) + "]"),
		false,
	},
	"variables first": {`{"variables": {"input": [` + anAlert + `]}, "query": "` + benchMutation + `"}`, true},
	"a null name": {
		`{"operationName": null, "variables": {"input": []}, "query": "` + benchMutation + `"}`, true,
	},
	"a wrong name": {
		`{"operationName": "x", "variables": {"input": []}, "query": "` + benchMutation + `"}`, false,
	},
	"two variables":  {`{"variables": {"input": [], "x": 1}, "query": "` + benchMutation + `"}`, false},
	"another":        {`{"variables": {"in": []}, "query": "` + benchMutation + `"}`, false},
	"none":           {`{"query": "` + benchMutation + `"}`, false},
	"extensions":     {`{"extensions": {}, "variables": {"input": []}, "query": "` + benchMutation + `"}`, false},
	"two queries":    {`{"query": "", "variables": {"input": []}, "query": "` + benchMutation + `"}`, false},
	"another query":  {`{"variables": {"input": []}, "query": "{__typename}"}`, false},
	"an empty query": {`{"variables": {"input": []}, "query": ""}`, false},
	"a list":         {`[` + reporting("[]") + `]`, false},
	"empty":          {``, false},
}

// TestNullPayloadsAreNotDecodedDirectly holds decodeReports to each field of the
// @oneOf input: null is not the same as absent there.
func TestNullPayloadsAreNotDecodedDirectly(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[gen.PortalEventPayload]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "activeAlert" {
			continue
		}
		text := strings.Replace(anAlert, `"activeAlert"`, fmt.Sprintf(`%q: null, "activeAlert"`, name), 1)
		if p.agree(t, reporting("["+text+"]")) {
			t.Errorf("a report with a payload and %s: null is decoded directly", name)
		}
	}
}

// TestDirectAndGeneralDecodingAgree damages every place of a report in many ways.
func TestDirectAndGeneralDecodingAgree(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, report := range everyReport(t) {
		direct, all := 0, 0
		damage(report, func() {
			text, err := json.Marshal([]any{report})
			if err != nil {
				t.Fatal(err)
			}
			all++
			if p.agree(t, reporting(string(text))) {
				direct++
			}
		})
		if direct == 0 || direct == all {
			t.Errorf("%d of %d are decoded directly, want some", direct, all)
		}
	}
}

// damage calls check with one invalid or unusual change in value at a time.
func damage(value any, check func()) {
	switch value := value.(type) {
	case map[string]any:
		value["unknown"] = 1
		check()
		delete(value, "unknown")
		value["__typename"] = "X"
		check()
		delete(value, "__typename")
		for name, was := range value {
			delete(value, name)
			check()
			for _, other := range others {
				value[name] = other
				check()
			}
			value[name] = []any{was}
			check()
			value[name] = was
			damage(was, check)
		}
	case []any:
		for i, was := range value {
			for _, other := range others {
				value[i] = other
				check()
			}
			value[i] = was
			damage(was, check)
		}
	}
}

var others = []any{
	nil, "", "x", "ERROR", "error", "0001-01-01T00:00:00Z", "2026-01-14T10:00:00.123456789-11:30", "2026-01-14",
	5, 5.5, true,
	[]any{},
	[]any{nil},
	map[string]any{},
}

func FuzzReports(f *testing.F) {
	for _, report := range everyReport(f) {
		text, err := json.Marshal([]any{report})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(reporting(string(text)))
	}
	for _, body := range oddBodies {
		f.Add(body.text)
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, body string) { p.agree(t, body) })
}
