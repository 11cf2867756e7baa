package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery/signature"
)

func TestResponses(t *testing.T) {
	for name, tt := range map[string]struct {
		path, body string
		status     int
		contains   string
		header     string
		value      string
	}{
		"echo returns JSON":         {"/echo", `{"a":1}`, 200, `{"a":1}`, "Content-Type", "application/json"},
		"echo by any name":          {"/echo/siem-objects", `{"a":1}`, 200, `{"a":1}`, "", ""},
		"echo never returns HTML":   {"/echo", `<script>`, 200, `<script>`, "Content-Type", plainText},
		"no content sniffing":       {"/echo", `<script>`, 200, "", "X-Content-Type-Options", "nosniff"},
		"status":                    {"/status/503", "", 503, "503 Service Unavailable", "", ""},
		"status without a body":     {"/status/204", "", 204, "", "Content-Type", ""},
		"an unassigned status":      {"/status/599", "", 599, "599", "", ""},
		"an informational status":   {"/status/101", "", 400, "from 200 to 599", "", ""},
		"no status":                 {"/status/", "", 400, "from 200 to 599", "", ""},
		"a status that is a word":   {"/status/bad", "", 400, "from 200 to 599", "", ""},
		"gone":                      {"/gone", "", 410, "", "", ""},
		"trailing slash":            {"/gone/", "", 410, "", "", ""},
		"every call limited":        {"/ratelimit?every=1&after=7", "", 429, "", "Retry-After", "7"},
		"first of two passes":       {"/ratelimit", "", 200, "", "Retry-After", ""},
		"limit of zero":             {"/ratelimit?every=0", "", 400, "every", "", ""},
		"invalid Retry-After":       {"/ratelimit?after=x", "", 400, "after", "", ""},
		"Teams error with 200":      {"/teams", "", 200, "HTTP error 429", "", ""},
		"ServiceNow opens a ticket": {"/servicenow", "", 201, `{"result":{"number":"INC0010001","sys_id":"`, "", ""},
		"redirect":                  {"/redirect", "", 302, "", "Location", "echo"},
		"negative failures":         {"/flaky?failures=-1", "", 400, "failures", "", ""},
		"slow with a word":          {"/slow?ms=long", "", 400, "ms", "", ""},
		"an unknown path":           {"/nothing", "", 404, "/servicenow", "", ""},
		"the root":                  {"/", "", 404, "DELETE /requests", "", ""},
		"echo with a name":          {"/echo/tickets", "{}", 200, "{}", "", ""},
		"too long":                  {"/echo", strings.Repeat("x", MaxBody+1), 413, "1 MiB", "", ""},
		"the maximum length":        {"/echo", strings.Repeat("x", MaxBody), 200, "x", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := post(t, New(Options{}), tt.path, tt.body, nil)
			if got.Code != tt.status || !strings.Contains(got.Body.String(), tt.contains) {
				t.Errorf("response = %d %.200q, want %d with %q", got.Code, got.Body, tt.status, tt.contains)
			}
			if value := got.Header().Get(tt.header); tt.header != "" && value != tt.value {
				t.Errorf("%s = %q, want %q", tt.header, value, tt.value)
			}
		})
	}
}

func TestRateLimitRejectsEveryNthCall(t *testing.T) {
	s := New(Options{})
	var got []int
	for range 6 {
		got = append(got, post(t, s, "/ratelimit?every=3", "", nil).Code)
	}
	if want := "[200 200 429 200 200 429]"; fmt.Sprint(got) != want {
		t.Errorf("statuses = %v, want %s", got, want)
	}
}

func TestFlakyFailsTheFirstCallsOfEachDelivery(t *testing.T) {
	s := New(Options{})
	for _, id := range []string{"dlv_1", "dlv_2"} {
		for call, want := range []int{500, 500, 200, 200} {
			got := post(t, s, "/flaky?failures=2", "", http.Header{signature.HeaderID: {id}})
			if got.Code != want {
				t.Errorf("%s, call %d: %d, want %d", id, call+1, got.Code, want)
			}
		}
	}
}

func TestFailuresEvictTheOldestID(t *testing.T) {
	var f failures
	f.call("first")
	for i := range maxIDs {
		f.call(fmt.Sprint(i))
	}
	if len(f.calls) != maxIDs || len(f.order) != maxIDs {
		t.Errorf("%d ids counted, %d in order, want %d", len(f.calls), len(f.order), maxIDs)
	}
	if got := f.call("1"); got != 2 {
		t.Errorf("call %d of a recent id, want 2", got)
	}
	if got := f.call("first"); got != 1 {
		t.Errorf("call %d of an evicted id, want 1", got)
	}
}

func TestSlowWaitsWithinItsLimit(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"": time.Second, "?ms=0": 0, "?ms=5000": 5 * time.Second, "?ms=999999": MaxSlow,
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			got := post(t, New(Options{}), "/slow"+query, "", nil)
			if took := time.Since(start); took != want || got.Code != http.StatusOK {
				t.Errorf("/slow%s: status %d after %s, want 200 after %s", query, got.Code, took, want)
			}
		})
	}
}

func TestSlowEndsWhenTheCallIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, w, start := New(Options{}), httptest.NewRecorder(), time.Now()
		s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/slow?ms=60000", nil))
		if took := time.Since(start); took != time.Second || w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d after %s, want 503 after 1s", w.Code, took)
		}
	})
}

func TestRequestsAreListed(t *testing.T) {
	s := New(Options{})
	post(t, s, "/echo?a=b", `{"n":1}`, http.Header{"X-Custom": {"yes"}})
	post(t, s, "/gone", `{"n":2}`, nil)
	post(t, s, "/echo", `{"n":3}`, nil)

	all := page(t, s, "")
	if len(all.Requests) != 3 || all.Last != 3 {
		t.Fatalf("page = %+v, want three requests", all)
	}
	first := all.Requests[0]
	if first.Number != 1 || first.Method != "POST" || first.Path != "/echo" || first.Query != "a=b" ||
		first.Body != `{"n":1}` || first.Header.Get("X-Custom") != "yes" || first.Status != 200 ||
		first.Signature != SignatureUnknown || first.At.IsZero() {
		t.Errorf("first request = %+v", first)
	}
	for query, want := range map[string]string{
		"?after=2":              "[3] 3",
		"?after=3":              "[] 3",
		"?path=/echo":           "[1 3] 3",
		"?path=gone":            "[2] 3",
		"?path=/none":           "[] 3",
		"?limit=1":              "[1] 1",
		"?limit=1&after=1":      "[2] 2",
		"?limit=3":              "[1 2 3] 3",
		"?after=2&path=/echo":   "[3] 3",
		"?limit=1&path=%2Fecho": "[1] 1",
	} {
		if got := numbers(page(t, s, query)); got != want {
			t.Errorf("GET /requests%s = %s, want %s", query, got, want)
		}
	}
}

func TestRequestsAreCleared(t *testing.T) {
	s := New(Options{})
	post(t, s, "/echo", "{}", nil)
	if got := call(t, s, http.MethodDelete, "/requests"); got.Code != http.StatusNoContent {
		t.Errorf("DELETE = %d, want 204", got.Code)
	}
	if got := numbers(page(t, s, "")); got != "[] 1" {
		t.Errorf("page = %s, want none", got)
	}
	post(t, s, "/echo", "{}", nil)
	if got := numbers(page(t, s, "?after=1")); got != "[2] 2" {
		t.Errorf("page = %s, want the next number, which is not reused", got)
	}
}

func TestRequestsRejectInvalidQueries(t *testing.T) {
	s := New(Options{})
	for query, want := range map[string]int{
		"?after=x": 400, "?after=-1": 400, "?limit=0": 400, "?limit=1001": 400, "?limit=x": 400,
	} {
		if got := call(t, s, http.MethodGet, "/requests"+query); got.Code != want {
			t.Errorf("GET /requests%s = %d, want %d", query, got.Code, want)
		}
	}
	if got := call(t, s, http.MethodPost, "/requests"); got.Code != 405 || got.Header().Get("Allow") == "" {
		t.Errorf("POST /requests = %d, want 405 with Allow", got.Code)
	}
}

func TestRequestLogIsBounded(t *testing.T) {
	var l requestLog
	for range MaxEntries + 5 {
		l.add(Entry{Path: "/echo"})
	}
	if found, last := l.after(0, "", MaxEntries); len(found) != MaxEntries || last != MaxEntries+5 {
		t.Errorf("%d entries up to number %d, want %d up to %d", len(found), last, MaxEntries, MaxEntries+5)
	}
	large := strings.Repeat("x", MaxBody)
	for range 100 {
		l.add(Entry{Body: large})
	}
	found, _ := l.after(0, "", MaxEntries)
	if len(found) == 0 || len(found) > maxBytes/MaxBody || l.bytes > maxBytes {
		t.Errorf("%d large entries with %d bytes, want at most %d bytes", len(found), l.bytes, maxBytes)
	}
}

func TestSignaturesAreVerified(t *testing.T) {
	secret, err := signature.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	now, body := time.Now(), `{"a":1}`
	signed := http.Header{
		signature.HeaderID:        {"dlv_1"},
		signature.HeaderTimestamp: {signature.Timestamp(now)},
		signature.HeaderSignature: {signature.Sign("dlv_1", now, []byte(body), secret)},
	}
	for name, tt := range map[string]struct {
		verify func(*http.Request, []byte) (bool, bool)
		body   string
		want   Signature
	}{
		"signed":       {VerifyWith(secret), body, SignatureVerified},
		"forged":       {VerifyWith(secret), `{"a":2}`, SignatureInvalid},
		"no secret":    {VerifyWith(), body, SignatureUnknown},
		"not verified": {nil, body, SignatureUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Verify: tt.verify})
			post(t, s, "/echo", tt.body, signed)
			if got := page(t, s, "").Requests[0].Signature; got != tt.want {
				t.Errorf("signature = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLogHasOneSafeLinePerRequest(t *testing.T) {
	var log bytes.Buffer
	s := New(Options{Log: &log})
	post(t, s, "/echo", "{}", http.Header{signature.HeaderID: {"dlv_1"}, signature.HeaderAttempt: {"2"}})
	post(t, s, "/%1b%5B2J", "", http.Header{signature.HeaderID: {"\x1b[2J\u009b" + strings.Repeat("x", 1000)}})
	call(t, s, http.MethodGet, "/requests")
	lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("log = %q, want two lines", log.String())
	}
	if !strings.HasSuffix(lines[0], "POST /echo 200 2 B dlv_1 attempt 2 signature unknown") {
		t.Errorf("line = %q", lines[0])
	}
	if strings.ContainsFunc(lines[1], func(r rune) bool { return r < ' ' || r > '~' }) || len(lines[1]) > 600 {
		t.Errorf("line = %q, want short printable ASCII", lines[1])
	}
}

func TestSimulatorCanBeMountedBelowAPath(t *testing.T) {
	for _, prefix := range []string{"/dev/receiver", "/dev/receiver/"} {
		s := New(Options{})
		server := httptest.NewServer(http.StripPrefix(prefix, s))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/dev/receiver/redirect",
			strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		server.Close()
		if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/dev/receiver/echo" {
			t.Errorf("below %s: %d at %s, want the echo", prefix, resp.StatusCode, resp.Request.URL)
		}
		if got := numbers(page(t, s, "?path=/redirect")); got != "[1] 2" {
			t.Errorf("below %s: requests = %s, want the path without the prefix", prefix, got)
		}
	}
}

func post(t *testing.T, s *Simulator, path, body string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func call(t *testing.T, s *Simulator, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w
}

func page(t *testing.T, s *Simulator, query string) Page {
	t.Helper()
	w := call(t, s, http.MethodGet, "/requests"+query)
	var p Page
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK {
		t.Fatalf("GET /requests%s = %d %q", query, w.Code, w.Body)
	}
	return p
}

func numbers(p Page) string {
	list := []int64{}
	for _, e := range p.Requests {
		list = append(list, e.Number)
	}
	return fmt.Sprint(list, p.Last)
}
