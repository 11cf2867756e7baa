package api

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// A hostile request is text, or a body that is posted as JSON.
type hostile struct {
	raw    string // a whole HTTP request; %s is the host
	body   string // otherwise
	signed bool   // with an administrator's key
}

// folded repeats opening and closing parts around a middle.
func folded(n int, open, middle, closing string) string {
	return strings.Repeat(open, n) + middle + strings.Repeat(closing, n)
}

// hostileRequests are refused, each for one reason.
func hostileRequests() map[string]hostile {
	all := map[string]hostile{}
	for _, some := range []map[string]hostile{hostileHTTP(), hostileDocuments(), hostileInputs()} {
		maps.Copy(all, some)
	}
	return all
}

func hostileHTTP() map[string]hostile {
	post := func(headers, body string) hostile {
		return hostile{raw: "POST /graphql HTTP/1.1\r\nHost: %s\r\n" + headers + "\r\n" + body}
	}
	const (
		typ  = "Content-Type: application/json\r\n"
		fine = `{"query":"{__typename}"}`
	)
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	return map[string]hostile{
		"no such method":        {raw: "BREW /graphql HTTP/1.1\r\nHost: %s\r\n\r\n"},
		"TRACE":                 {raw: "TRACE /graphql HTTP/1.1\r\nHost: %s\r\n\r\n"},
		"CONNECT":               {raw: "CONNECT internal:80 HTTP/1.1\r\nHost: internal:80\r\n\r\n"},
		"HTTP/0.9":              {raw: "GET /graphql\r\n\r\n"},
		"HTTP/3 by text":        {raw: "GET /graphql HTTP/3.0\r\nHost: %s\r\n\r\n"},
		"the preface of HTTP/2": {raw: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		"no host":               {raw: "GET /graphql HTTP/1.1\r\n\r\n"},
		"two hosts":             {raw: "GET /graphql HTTP/1.1\r\nHost: %s\r\nHost: evil.example\r\n\r\n"},
		"a TLS handshake":       {raw: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"},
		"a header of 40 KiB":    post(typ+"X: "+strings.Repeat("x", 40<<10)+"\r\n"+length(len(fine)), fine),
		"a thousand headers": post(
			typ+manyTimes(4000, func(i int) string { return fmt.Sprintf("X-%d: %d\r\n", i, i) })+length(len(fine)),
			fine,
		),
		"a blank before the colon": post(typ+"Content-Length : 5\r\n", fine),
		"two lengths":              post(typ+length(5)+length(6), fine),
		"a negative length":        post(typ+length(-1), fine),
		"a length and chunks": post(
			typ+length(5)+"Transfer-Encoding: chunked\r\n", "0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
		),
		"chunks in capitals and tab": post(typ+"Transfer-Encoding:\tchunked, identity\r\n", "0\r\n\r\n"),
		"a bad chunk":                post(typ+"Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
		"an endless chunk":           post(typ+"Transfer-Encoding: chunked\r\n", "ffffffffffffffff1\r\n"),
		"an expectation":             post(typ+"Expect: 200-maybe\r\n"+length(len(fine)), fine),
		"gzip":                       post(typ+"Content-Encoding: gzip\r\n"+length(4), "\x1f\x8b\x08\x00"),
		"a form": post(
			"Content-Type: application/x-www-form-urlencoded\r\n"+length(len(fine)), fine,
		),
		"multipart": post(
			"Content-Type: multipart/form-data; boundary=x\r\n"+length(len(fine)), fine,
		),
		"plain text":               post("Content-Type: text/plain\r\n"+length(len(fine)), fine),
		"another origin":           post(typ+"Origin: https://evil.example\r\n"+length(len(fine)), fine),
		"the origin null":          post(typ+"Origin: null\r\n"+length(len(fine)), fine),
		"our host in their origin": post(typ+"Origin: https://%[1]s.evil.example\r\n"+length(len(fine)), fine),
		"a body of 3 MiB":          post(typ+length(3<<20), fine),
		"a socket from elsewhere": {
			raw: "GET /graphql HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
				"Sec-WebSocket-Protocol: graphql-transport-ws\r\nOrigin: https://evil.example\r\n\r\n",
		},
		"a mutation by GET": {
			raw: "GET /graphql?query=mutation%%7B__typename%%7D HTTP/1.1\r\nHost: %s\r\n\r\n",
		},
		"a query by GET, a cookie": {
			raw: "GET /graphql?query=%%7B__typename%%7D HTTP/1.1\r\nHost: %s\r\nCookie: a=b\r\n\r\n",
		},
		"encoded dots":       {raw: "GET /%%2e%%2e/%%2e%%2e/etc/passwd HTTP/1.1\r\nHost: %s\r\n\r\n"},
		"the metrics":        {raw: "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n"},
		"the demo's sign-in": {raw: "GET /dev/sign-in?token=x HTTP/1.1\r\nHost: %s\r\n\r\n"},
		"the profiler":       {raw: "GET /debug/pprof/ HTTP/1.1\r\nHost: %s\r\n\r\n"},
		"a key of another sort": post(
			typ+"Authorization: Bearer eyJhbGciOiJub25lIn0.e30.\r\n"+length(len(fine)), fine,
		),
		"another scheme": post(typ+"Authorization: Basic eDp5\r\n"+length(len(fine)), fine),
		"a key of a megabyte": post(
			typ+"Authorization: Bearer "+strings.Repeat("k", 30<<10)+"\r\n"+length(len(fine)), fine,
		),
	}
}

func hostileDocuments() map[string]hostile {
	admin := func(document string) hostile { return hostile{body: harness.Query(document, nil), signed: true} }
	names := func(n int, form string) string {
		return manyTimes(n, func(i int) string { return fmt.Sprintf(form, i) })
	}
	return map[string]hostile{
		"a batch": {
			body: "[" + strings.Repeat(
				harness.Query("{__typename}", nil)+",", 99,
			) + harness.Query(
				"{__typename}",
				nil,
			) + "]",
		},
		"JSON, a million deep": {
			body:   `{"query":"{__typename}","variables":{"a":` + strings.Repeat("[", 1<<19),
			signed: true,
		},
		"not UTF-8":            {body: "{\"query\":\"{__typename}\xff\"}"},
		"the same key twice":   {body: `{"query":"{__typename}","query":"{viewer{name}}"}`},
		"20 KiB of a document": admin("{" + strings.Repeat(" __typename", 2000) + "}"),
		"2,000 tokens":         admin("{" + strings.Repeat("a ", 2000) + "}"),
		"16 deep":              admin(folded(16, "{organization", "{id}", "}")),
		"a thousand deep":      admin(folded(1000, "{a", "{b}", "}")),
		"501 fields":           admin("{" + names(501, "organization{id}") + "}"),
		"21 root fields":       admin("{" + names(21, "a%d:viewer{name} ") + "}"),
		"51 aliases":           admin("{viewer{" + names(51, "a%d:name ") + "}}"),
		"a fragment in itself": admin("{...a} fragment a on Query{...a}"),
		"fragments in a ring":  admin("{...a} fragment a on Query{...b} fragment b on Query{...a}"),
		"fragments, doubled 30 times": admin(
			"{...f0} " + names(30, "fragment f%[1]d on Query{...g%[1]d ...g%[1]d} ") +
				names(30, "fragment g%[1]d on Query{viewer{name}} "),
		),
		"200 directives":         admin("{viewer" + strings.Repeat(" @include(if:true)", 200) + "{name}}"),
		"300 conflicting fields": admin("{viewer{" + names(150, "name:operator name:name ") + "}}"),
		"lists in lists in lists": admin(
			"{organizations(first:100){nodes{webhooks(first:100){nodes{deliveries(first:100){nodes{id}}}}}}}",
		),
		"a hundred thousand nodes": admin(`{nodes(ids:[` + strings.Repeat(`"x",`, 2000) + `]){id}}`),
		"two ingests": admin(
			"mutation{a:ingestEvents(input:[]){results{status}} b:ingestEvents(input:[]){results{status}}}",
		),
		"two operations and no name": admin("query a{viewer{name}} query b{viewer{name}}"),
		"no such operation":          {body: `{"query":"query a{viewer{name}}","operationName":"b"}`, signed: true},
		"the schema without a key":   {body: harness.Query("{__schema{types{name}}}", nil)},
		"a subscription by POST": {
			body:   harness.Query("subscription{deliveryLog{__typename}}", nil),
			signed: true,
		},
		"no end of a text":      admin(`{node(id:"`),
		"a number beyond all":   admin("{organizations(first:99999999999999999999){nodes{id}}}"),
		"control characters":    admin("{\u0000viewer{name}}"),
		"a query without a key": {body: harness.Query("{organizations{nodes{id}}}", nil)},
		"events without a key": {
			body: harness.Query(harness.IngestMutation, map[string]any{"input": []any{}}),
		},
		"an admin's events": {
			body:   harness.Query(harness.IngestMutation, map[string]any{"input": []any{}}),
			signed: true,
		},
	}
}

func hostileInputs() map[string]hostile {
	admin := func(document string, variables map[string]any) hostile {
		return hostile{body: harness.Query(document, variables), signed: true}
	}
	const search = `query($s: String, $first: Int) { organization(id: "hostile") {
		webhooks(first: $first, filter: {search: $s}) { nodes { id } } } }`
	const create = `mutation($in: CreateWebhookInput!) { createWebhook(input: $in) {
		userErrors { code message field } } }`
	hook := func(change map[string]any) hostile {
		in := map[string]any{
			"organizationId": "hostile", "name": "W", "eventType": "ACTIVE_ALERT",
			"targetUrl": "https://example.com/", "selection": map[string]any{"all": true},
		}
		maps.Copy(in, change)
		return admin(create, map[string]any{"in": in})
	}
	return map[string]hostile{
		"a page of a billion":    admin(search, map[string]any{"first": 1_000_000_000}),
		"a page as text":         admin(search, map[string]any{"first": "5"}),
		"a page as a fraction":   admin(search, map[string]any{"first": 2.5}),
		"a search of a megabyte": admin(search, map[string]any{"s": strings.Repeat("%", 900<<10)}),
		"an unknown field":       hook(map[string]any{"isAdmin": true}),
		"both ways to select": hook(
			map[string]any{"selection": map[string]any{"all": true, "itemIds": []any{}}},
		),
		"a name of a megabyte":     hook(map[string]any{"name": strings.Repeat("n", 900<<10)}),
		"a name with a line's end": hook(map[string]any{"name": "a\r\nSet-Cookie: x"}),
		"a template of a megabyte": hook(
			map[string]any{"template": `{"a":"` + strings.Repeat("#alert_name", 80<<10) + `"}`},
		),
		"a template, ten thousand deep": hook(map[string]any{
			"template": folded(10_000, `{"a":`, "1", "}"),
		}),
		"a target inside":  hook(map[string]any{"targetUrl": "http://169.254.169.254/latest/meta-data/"}),
		"a target on disk": hook(map[string]any{"targetUrl": "file:///etc/passwd"}),
		"a target of 100 KiB": hook(
			map[string]any{"targetUrl": "https://example.com/" + strings.Repeat("a", 100<<10)},
		),
		"a header that smuggles": hook(map[string]any{"headers": []any{
			map[string]any{"name": "X", "value": "a\r\nTransfer-Encoding: chunked"},
		}}),
		"a header of the framing": hook(map[string]any{"headers": []any{
			map[string]any{"name": "content-length", "value": "0"},
		}}),
		"a thousand headers of a webhook": hook(map[string]any{"headers": slices.Repeat([]any{
			map[string]any{"name": "X", "value": "a"},
		}, 1000)}),
		"a million retries": hook(map[string]any{"policy": map[string]any{
			"retrySeconds": slices.Repeat([]int{1}, 100_000),
		}}),
	}
}

// Whatever is thrown at it, the server refuses it with a reason, tells nothing
// of itself and keeps nothing of it.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		admin := s.Key(t, delivery.AdminKey, "hostile")
		all := hostileRequests()
		t.Logf("%d hostile requests", len(all))
		before := heapInUse()
		longest := time.Duration(0)
		for range 3 {
			for name, h := range all {
				began := time.Now()
				status, answer := throw(s, t, h, admin)
				longest = max(longest, time.Since(began))
				checkRefused(t, name, status, answer)
			}
		}
		if grown := heapInUse() - before; grown > 32<<20 {
			t.Errorf("the server has kept %d MiB of them", grown>>20)
		}
		t.Logf("the longest took %s", longest)
		s.Must(t, admin, "{ viewer { name } }", nil)
	})
}

// checkRefused fails t unless the answer is a refusal that gives a reason.
func checkRefused(t *testing.T, name string, status int, answer []byte) {
	t.Helper()
	if status >= http.StatusInternalServerError && status != http.StatusNotImplemented &&
		status != http.StatusHTTPVersionNotSupported {
		t.Errorf("%s: status %d: %.300s", name, status, answer)
	}
	if len(answer) > 4<<10 {
		t.Errorf("%s: the answer has %d bytes", name, len(answer))
	}
	if bytes.Contains(answer, []byte("INTERNAL")) {
		t.Errorf("%s: the server takes it for its own fault: %.300s", name, answer)
	}
	refused := status >= http.StatusBadRequest ||
		bytes.Contains(answer, []byte(`"errors":[{`)) || bytes.Contains(answer, []byte(`"userErrors":[{`))
	if !refused {
		t.Errorf("%s: status %d: %.300s, want a refusal with a reason", name, status, answer)
	}
}

// text is the whole request.
func (h hostile) text(host, admin string) string {
	if h.raw != "" {
		return strings.NewReplacer("%s", host, "%[1]s", host, "%%", "%").Replace(h.raw)
	}
	authorization := ""
	if h.signed {
		authorization = "Authorization: Bearer " + admin + "\r\n"
	}
	return fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", host, authorization, len(h.body), h.body)
}

// throw sends a hostile request over a connection of its own.
func throw(s *harness.APIServer, t *testing.T, h hostile, admin string) (status int, answer []byte) {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := h.text(u.Host, admin)
	// The server may answer and hang up before it has read everything.
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(conn, text)
	}()
	defer func() {
		_ = conn.Close()
		<-written
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.200q: %v", text, err)
	}
	defer resp.Body.Close()
	answer, _ = io.ReadAll(resp.Body) // cut off by a reset where the server did not read everything
	if server := resp.Header.Get("Server"); server != "" {
		t.Errorf("%.200q: the server says that it is %q", text, server)
	}
	return resp.StatusCode, answer
}

// heapInUse returns the bytes of the heap that are still needed.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
