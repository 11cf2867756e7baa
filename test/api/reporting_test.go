package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// acme is the organization of docs/reporting.md.
const acme = "665f1c2ab4d07e3c9a1f0e21"

// A reportingPage sends the examples of docs/reporting.md.
type reportingPage struct {
	*harness.APIServer

	portal     string
	operations map[string]string          // by their names on the page
	sent       map[string]string          // the variables of the examples, by name
	answers    map[string]*harness.Answer // by the name of the example
}

func newReportingPage(t *testing.T, s *harness.APIServer) *reportingPage {
	t.Helper()
	p := &reportingPage{
		APIServer: s, portal: s.Key(t, delivery.PortalKey, ""),
		operations: make(map[string]string), sent: make(map[string]string),
		answers: make(map[string]*harness.Answer),
	}
	for _, e := range examples(t, "reporting.md") {
		if e.language == "graphql" {
			p.operations[e.name] = e.text
		}
	}
	return p
}

// The examples of docs/reporting.md are answered as the page says, on a real server.
func TestExamplesOfReportingWork(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		p := newReportingPage(t, s)
		for _, e := range examples(t, "reporting.md") {
			switch e.language {
			case "sh":
				p.curl(t, e)
				p.listen(t)
			case "json":
				p.example(t, e)
			}
		}
		if len(p.sent) < 8 {
			t.Errorf("sent %d examples: this test does not see the page", len(p.sent))
		}
		p.resend(t)
	})
}

// curl runs the first example of the page as it stands there.
func (p *reportingPage) curl(t *testing.T, e example) {
	t.Helper()
	text := placed(e.text, p.URL, p.portal)
	text = strings.Replace(text, "curl ", "curl -sS ", 1)
	output, err := exec.CommandContext(t.Context(), "bash", "-c", text).Output()
	a := &harness.Answer{Body: output}
	if err == nil {
		err = json.Unmarshal(output, a)
	}
	if err != nil {
		t.Fatalf("the call with curl: %v: %s", err, output)
	}
	p.answers[e.name] = a
}

// listen makes a webhook for all items of each type, so that the other examples
// have deliveries, and registers their items.
func (p *reportingPage) listen(t *testing.T) {
	t.Helper()
	admin := p.Key(t, delivery.AdminKey, acme)
	for _, info := range delivery.EventTypes() {
		p.Must(t, admin, `mutation ($in: CreateWebhookInput!) {
			createWebhook(input: $in) { userErrors { message } } }`,
			map[string]any{"in": map[string]any{
				"organizationId": acme, "name": info.Type, "eventType": info.Type, "targetUrl": p.Receiver + "/reporting",
				"selection": map[string]any{"all": true},
			}})
	}
	for kind, id := range map[string]string{
		"OBJECT": "reporting_group", "MICROSERVICE": "6612f0a8d3c95b17e8b44102", "OPERATION": "restart",
	} {
		p.Must(t, p.portal, p.operations["sync"], map[string]any{"input": map[string]any{
			"organizationId": acme, "kind": kind, "items": []any{map[string]any{"id": id, "name": id}},
		}})
	}
}

// example sends variables, or compares the answer that the page shows.
func (p *reportingPage) example(t *testing.T, e example) {
	t.Helper()
	name, role, _ := strings.Cut(e.name, " ")
	if role == "again" {
		p.answers[name] = p.send(t, "report", p.sent[name])
	}
	var want any
	if err := json.Unmarshal([]byte(e.text), &want); err != nil {
		t.Fatalf("the example %s is no JSON: %v", e.name, err)
	}
	switch role {
	case "":
		operation := "report"
		if name == "items" {
			operation = "sync"
		}
		p.sent[name] = e.text
		p.answers[name] = p.send(t, operation, e.text)
	case "errors":
		var got struct{ Errors any }
		if err := json.Unmarshal(p.answers[name].Body, &got); err != nil {
			t.Fatal(err)
		}
		if !asShown(want, got.Errors) {
			t.Errorf("the errors of the example %s are %s, the page shows %s", name, p.answers[name].Body, e.text)
		}
	default:
		if got := p.answers[name].Find("ingestEvents"); !asShown(want, got) {
			t.Errorf("the answer to the example %s is %s, the page shows %s", name, p.answers[name].Body, e.text)
		}
	}
}

func (p *reportingPage) send(t *testing.T, operation, variables string) *harness.Answer {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal([]byte(variables), &values); err != nil {
		t.Fatal(err)
	}
	return p.Ask(t, p.portal, p.operations[operation], values)
}

// asShown reports whether got is what the page shows. A text that ends in … there
// may go on in any way.
func asShown(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for name := range w {
			if !asShown(w[name], g[name]) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(w, g, asShown)
	case string:
		g, ok := got.(string)
		start, open := strings.CutSuffix(w, "…")
		return ok && (g == w || open && strings.HasPrefix(g, start))
	}
	return want == got
}

// resend sends all examples again: no answer is worse than the first one.
func (p *reportingPage) resend(t *testing.T) {
	t.Helper()
	for name, variables := range p.sent {
		if name == "items" || name == "shapeless" {
			continue
		}
		for i, first := range statuses(t, p.answers[name]) {
			if first == "REJECTED" != (name == "wrong") {
				t.Errorf("the example %s: %s", name, p.answers[name].Body)
			}
			again := statuses(t, p.send(t, "report", variables))
			if want := strings.Replace(first, "ACCEPTED", "DUPLICATE", 1); again[i] != want {
				t.Errorf("the example %s is %s when it is sent again, want %s", name, again[i], want)
			}
		}
	}
	if a := p.answers["items"]; a.At(t, "syncItems.updated") != "1" {
		t.Errorf("the items of the page were not synced: %s", a.Body)
	}
}

// The outbox of the page loses no report and gives none up, through an overload, a
// connection that breaks after the reports are stored, and reports that are wrong.
func TestTheOutboxOfReporting(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	unreliable := &unreliable{to: s.URL}
	front := httptest.NewServer(unreliable)
	defer front.Close()
	const outbox = `
const report = (id, start = "2026-01-14T09:30:58Z") => ({
  organizationId: "acme", sourceEventId: id,
  event: { activeAlert: { alert: { id: "disk", name: "Disk", start } } },
});
const reports = [report("a"), report("b", "never"), report("c", 5), report("d")];
const left = [];
const remove = (r) => reports.splice(reports.indexOf(r), 1);
await drain({
  next: async (n) => reports.slice(0, n),
  sent: async (r) => { remove(r); left.push(r.sourceEventId + " sent"); },
  failed: async (r) => { remove(r); left.push(r.sourceEventId + " failed"); },
});
console.log(left.join(", "));
`
	for _, e := range examples(t, "reporting.md") {
		if e.name != "outbox" {
			continue
		}
		output, ok := runExample(t, front.URL, s.Key(t, delivery.PortalKey, ""), e.text+outbox)
		if want := "c failed, a sent, b failed, d sent"; !ok || strings.TrimSpace(output) != want {
			t.Errorf("the outbox printed %q, want %q", output, want)
		}
		if n := unreliable.calls.Load(); n != 4 {
			t.Errorf("the outbox made %d calls, want 4", n)
		}
	}
}

// Unreliable passes requests on, except that it is overloaded at first, and breaks
// the connection of the third request after the server has answered.
type unreliable struct {
	to    string
	calls atomic.Int32
}

// ServeHTTP implements [http.Handler].
func (u *unreliable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, err := url.Parse(strings.TrimSuffix(u.to, "/graphql"))
	if err != nil {
		panic(err)
	}
	n := u.calls.Add(1)
	if n == 1 {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "no JSON")
		return
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	if n == 3 {
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // ends the connection
	}
	proxy.ServeHTTP(w, r)
}
