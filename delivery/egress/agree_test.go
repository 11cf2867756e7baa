package egress

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portalhooks/delivery/egress/http1"
)

// A script is what a receiver says to one request before it hangs up, and in
// pieces of how many bytes.
type script struct {
	answer []byte
	chop   int
}

// A caller makes calls: ours, or net/http.
type caller interface {
	Do(ctx context.Context, r Request) Result
	Close()
}

// A connector opens the way to a receiver.
type connector func() net.Conn

// ask makes one call to a receiver that follows s, over pipes. It returns what
// the caller made of the answer and the bytes that it sent.
func (s script) ask(
	t testing.TB, newCaller func(t testing.TB, open connector) caller, header http.Header,
) (Result, string) {
	t.Helper()
	var heard bytes.Buffer
	var receiver sync.WaitGroup
	client := newCaller(t, func() net.Conn {
		ours, theirs := net.Pipe()
		receiver.Go(func() { s.follow(theirs, &heard) })
		return ours
	})
	got := client.Do(t.Context(), Request{
		URL: "http://127.0.0.1:80/a?b", Header: header, Body: []byte(`{"c":1}`), Timeout: longLimit,
	})
	client.Close() // or a receiver that has more to say would wait
	receiver.Wait()
	return got, heard.String()
}

func ourCaller(t testing.TB, open connector) caller {
	client := newClient(t, loopback(), Options{})
	client.open = func(_ context.Context, m *meter, _ *endpoint) (net.Conn, error) {
		m.enter(connecting)
		return open(), nil
	}
	return client
}

func (s script) follow(conn net.Conn, heard io.Writer) {
	defer func() { _ = conn.Close() }()
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, heard)))
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return
	}
	for rest := s.answer; len(rest) > 0 && err == nil; {
		n := min(max(s.chop, 1), len(rest))
		_, err = conn.Write(rest[:n])
		rest = rest[n:]
	}
}

// compare fails unless net/http would send the same and understand the same.
func (s script) compare(t testing.TB, header http.Header) {
	t.Helper()
	ours, sent := s.ask(t, ourCaller, header)
	theirs, wantSent := s.ask(t, netHTTPCaller, header)
	if sent != wantSent {
		t.Errorf("we sent %q, net/http %q", sent, wantSent)
	}
	if got, want := ours.lasting(), theirs.lasting(); !reflect.DeepEqual(got, want) {
		t.Errorf("%.200q in pieces of %d is to us\n%+v, to net/http\n%+v", s.answer, s.chop, got, want)
	}
}

// lasting returns r without what no two calls have in common. net/http has no
// error of its own for headers that are too long.
func (r Result) lasting() Result {
	r.Started, r.Duration, r.Timing = time.Time{}, 0, Timing{Reused: r.Timing.Reused}
	if len(r.Body) == 0 {
		r.Body = nil
	}
	if r.Err == ofResponse(http1.ErrHeaderTooLong) {
		r.Err = ofResponse(nil)
	}
	return r
}

// answers are the beginnings of all that a receiver might say.
func answers() map[string]string {
	const early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
	k := strings.Repeat("x", 1024)
	return map[string]string{
		"nothing":                    "",
		"a length":                   ok + "Content-Length: 2\r\n\r\nhi",
		"a length, and more":         ok + "Content-Length: 2\r\n\r\nhi" + ok + "Content-Length: 4\r\n\r\nevil",
		"a body cut short":           ok + "Content-Length: 9\r\n\r\nhi",
		"no length":                  ok + "\r\nhi",
		"no body":                    ok + "Content-Length: 0\r\n\r\n",
		"chunks":                     chunked + "2\r\nhi\r\n3;x=y\r\nyou\r\n0\r\n\r\n",
		"chunks, and more":           chunked + "2\r\nhi\r\n0\r\n\r\nHTTP/1.1 500 Evil\r\n\r\n",
		"chunks with a trailer":      chunked + "2\r\nhi\r\n0\r\nA: b\r\n\r\n",
		"chunks with a long trailer": chunked + "0\r\nA: " + strings.Repeat(k, 5) + "\r\n\r\n",
		"chunks without an end":      chunked + "2\r\nhi\r\n",
		"a bad chunk size":           chunked + "zz\r\nhi\r\n0\r\n\r\n",
		"a negative chunk size":      chunked + "-1\r\nhi\r\n0\r\n\r\n",
		"a huge chunk size":          chunked + "fffffffffffffffff\r\nhi",
		"a chunk longer than said":   chunked + "1\r\nhi\r\n0\r\n\r\n",
		"a length and chunks":        ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"chunks twice":               ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"an unknown encoding":        ok + "Transfer-Encoding: snail\r\n\r\nhi",
		"the same length twice":      ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
		"two lengths":                ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
		"a signed length":            ok + "Content-Length: +2\r\n\r\nhi",
		"a negative length":          ok + "Content-Length: -2\r\n\r\nhi",
		"a length beyond int64":      ok + "Content-Length: 99999999999999999999\r\n\r\nhi",
		"HTTP/1.0":                   "HTTP/1.0 200 OK\r\n\r\nhi",
		"HTTP/1.0 with chunks":       "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"HTTP/2":                     "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/0.9":                   "<html>hi</html>",
		"another protocol":           "SSH-2.0-OpenSSH_9.9\r\n",
		"no reason":                  "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
		"a short status":             "HTTP/1.1 20 OK\r\n\r\n",
		"an odd status":              "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi",
		"status 000":                 "HTTP/1.1 000 Zero\r\nContent-Length: 2\r\n\r\nhi",
		"bare line feeds":            "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
		"a bare carriage return":     ok + "A: b\rC: d\r\n\r\n",
		"a folded header":            ok + "A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi",
		"a folded first header":      ok + " A: b\r\n\r\n",
		"a space before the colon":   ok + "Content-Length : 2\r\n\r\nhi",
		"a header without a colon":   ok + "A\r\n\r\n",
		"a header without a name":    ok + ": b\r\n\r\n",
		"a NUL in a header":          ok + "A: b\x00c\r\nContent-Length: 0\r\n\r\n",
		"broken UTF-8":               ok + "A: \xff\r\nContent-Length: 1\r\n\r\n\xff",
		"many headers":               ok + strings.Repeat("A: b\r\n", 2000) + "Content-Length: 0\r\n\r\n",
		"headers beyond the bound":   ok + strings.Repeat("A: b\r\n", 20_000) + "\r\n",
		"a header beyond the bound":  ok + "A: " + strings.Repeat(k, 17) + "\r\n\r\n",
		"headers at the bound":       ok + "A: " + strings.Repeat("x", http1.MaxHeaderBytes-len(ok)-7) + "\r\n\r\n",
		"headers one byte beyond":    ok + "A: " + strings.Repeat("x", http1.MaxHeaderBytes-len(ok)-6) + "\r\n\r\n",
		"long headers and a body":    ok + strings.Repeat("A: b\r\n", 1000) + "Content-Length: 9216\r\n\r\n" + strings.Repeat(k, 9),
		"long headers and chunks":    ok + "A: " + strings.Repeat(k, 5) + "\r\n" + chunked[len(ok):] + "2\r\nhi\r\n0\r\n\r\n",
		"long headers twice":         ok[:9] + "103 Early Hints\r\nA: " + strings.Repeat(k, 9) + "\r\n\r\n" + ok + "A: " + strings.Repeat(k, 9) + "\r\n\r\nhi",
		"long headers, then a NUL":   ok + strings.Repeat("A: b\r\n", 1000) + "A: \x00\r\n\r\n",
		"long headers cut short":     ok + strings.Repeat("A: b\r\n", 1000),
		"early hints":                early + early + ok + "Content-Length: 2\r\n\r\nhi",
		"early hints and no more":    early,
		"a flood of early hints":     strings.Repeat(early, 2000) + ok + "\r\n",
		"100 with a length":          "HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi",
		"another protocol's turn":    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhi",
		"101 with chunks":            "HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		"no content":                 "HTTP/1.1 204 No Content\r\n\r\n",
		"no content with a body":     "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi",
		"not modified":               "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
		"a redirect":                 "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
		"later":                      "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
		"closing":                    ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi",
		"packed":                     ok + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
		"as much as is read":         ok + "Content-Length: 65536\r\n\r\n" + strings.Repeat(k, 64),
		"more than is read":          ok + "Content-Length: 66560\r\n\r\n" + strings.Repeat(k, 65),
		"more chunks than are read":  chunked + strings.Repeat("400\r\n"+k+"\r\n", 80) + "0\r\n\r\n",
	}
}

func TestDoAgreesWithNetHTTP(t *testing.T) {
	for name, answer := range answers() {
		t.Run(name, func(t *testing.T) {
			for _, chop := range []int{1, 7, 1000, 4096, len(answer)} {
				if len(answer) < 10_000 || chop > 7 {
					script{[]byte(answer), chop}.compare(t, http.Header{"Webhook-Id": {"dlv_1"}})
				}
			}
		})
	}
}

func TestDoSendsWhatNetHTTPSends(t *testing.T) {
	for name, header := range map[string]http.Header{
		"none":                     nil,
		"several":                  {"Webhook-Id": {"1"}, "A": {"b", "c"}, "Z": {""}, "B": {}, "C": nil},
		"a user agent":             {"User-Agent": {"Mine/1", "Yours/2"}},
		"no user agent":            {"User-Agent": {""}},
		"an empty user agent":      {"User-Agent": nil},
		"another encoding":         {"Accept-Encoding": {"gzip"}},
		"what frames a request":    {"Host": {"x"}, "Content-Length": {"9"}, "Transfer-Encoding": {"chunked"}, "Trailer": {"A"}},
		"what ends a connection":   {"Connection": {"close"}},
		"spaces around a value":    {"A": {" \tb c\t "}},
		"letters beyond ASCII":     {"A": {"Zürich \xff"}},
		"a name in small letters":  {"webhook-id": {"1"}},
		"a line break":             {"A": {"b\r\nC: d"}},
		"a NUL":                    {"A": {"b\x00"}},
		"a name with a colon":      {"A:": {"b"}},
		"a name with a line break": {"A\r\nB": {"c"}},
		"an empty name":            {"": {"b"}},
		"a key for repeats":        {"X-Idempotency-Key": {"mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			script{[]byte(ok + "Content-Length: 0\r\n\r\n"), 1000}.compare(t, header)
		})
	}
}

// FuzzDoAgreesWithNetHTTP looks for an answer or a header that net/http treats
// differently.
func FuzzDoAgreesWithNetHTTP(f *testing.F) {
	for _, answer := range answers() {
		f.Add([]byte(answer), uint16(len(answer)), "Webhook-Id", "dlv_1")
	}
	f.Fuzz(func(t *testing.T, answer []byte, chop uint16, name, value string) {
		if len(answer) > 128<<10 {
			return
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		framing := []string{
			"Host", "User-Agent", "Accept-Encoding", "Content-Length", "Transfer-Encoding", "Trailer",
		}
		if canonical == "Expect" || name != canonical && slices.Contains(framing, canonical) {
			return // the differences that are meant
		}
		s := script{answer, max(int(chop), len(answer)/256)}
		s.compare(t, http.Header{name: {value}})
	})
}
