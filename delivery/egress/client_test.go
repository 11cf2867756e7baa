package egress

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDoPostsWhatItIsGiven(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, body = r, must(io.ReadAll(r.Body))
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "thanks")
	}))
	defer server.Close()
	header := http.Header{"Webhook-Id": {"dlv_1"}, "X-Idempotency-Key": {"mine"}}
	result := newClient(t, loopback(), Options{UserAgent: "Test/1"}).Do(t.Context(),
		Request{URL: server.URL + "/hook?a=b", Header: header, Body: []byte(`{"a":1}`)})

	if result.Outcome != Success || result.Status != 201 || string(result.Body) != "thanks" ||
		result.BodyBytes != 6 {
		t.Errorf("result = %+v", result)
	}
	if result.Header.Get("X-Answer") != "yes" {
		t.Errorf("header = %v, want the receiver's", result.Header)
	}
	if got.Method != "POST" || got.URL.String() != "/hook?a=b" || string(body) != `{"a":1}` ||
		got.ContentLength != 7 {
		t.Errorf("the receiver got %s %s %q", got.Method, got.URL, body)
	}
	for name, want := range map[string]string{
		"Webhook-Id": "dlv_1", "User-Agent": "Test/1", "Accept-Encoding": "identity", "X-Idempotency-Key": "mine",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if len(header) != 2 {
		t.Errorf("the caller's header became %v", header)
	}
}

func TestDoReusesConnections(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", MaxRead)) // read to the end, though not kept
	}))
	defer server.Close()
	client := newClient(t, loopback(), Options{})
	for i := range 3 {
		got := client.Do(t.Context(), Request{URL: server.URL})
		if got.Outcome != Success || got.Timing.Reused != (i > 0) {
			t.Fatalf("call %d: %s, reused %t", i, got.Outcome, got.Timing.Reused)
		}
		if (got.Timing.Connect > 0) != (i == 0) || got.Timing.FirstByte <= 0 || got.Timing.Body <= 0 {
			t.Errorf("call %d: timing = %+v", i, got.Timing)
		}
		if got.BodyBytes != MaxRead || len(got.Body) != MaxBody || !got.Truncated {
			t.Errorf("call %d: %d bytes, %d kept, truncated %t", i, got.BodyBytes, len(got.Body), got.Truncated)
		}
	}
	other := newClient(t, loopback(), Options{})
	if got := other.Do(t.Context(), Request{URL: server.URL}); got.Timing.Reused {
		t.Error("another client's connection was reused")
	}
}

func TestDoLeavesAConnectionThatTheReceiverHasClosed(t *testing.T) {
	var connections atomic.Int32
	closed := make(chan struct{})
	listener := listen(t)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			first := connections.Add(1) == 1
			readRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			_ = conn.Close()
			if first {
				close(closed)
			}
		}
	})
	defer running.Wait()
	defer func() { _ = listener.Close() }()
	client := newClient(t, loopback(), Options{})
	for i := range 2 {
		got := client.Do(t.Context(), Request{URL: "http://" + listener.Addr().String(), Body: []byte("{}")})
		if got.Outcome != Success || got.Timing.Reused {
			t.Fatalf("call %d: %s (%s), reused %t", i, got.Outcome, got.Err, got.Timing.Reused)
		}
		<-closed
	}
	if got := connections.Load(); got != 2 {
		t.Errorf("%d connections, want a second one for the second call", got)
	}
}

func TestDoFollowsNoRedirect(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	got := newClient(t, loopback(), Options{}).Do(t.Context(), Request{URL: server.URL})
	if got.Outcome != Redirect || got.Status != 307 || calls.Load() != 1 {
		t.Errorf("outcome = %s, status %d after %d calls", got.Outcome, got.Status, calls.Load())
	}
}

func TestDoIgnoresTheProxyOfTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if got := newClient(t, loopback(), Options{}).Do(t.Context(), Request{URL: server.URL}); got.Status != 404 {
		t.Errorf("outcome = %s (%s)", got.Outcome, got.Err)
	}
}

func TestDoBlocksWithoutSayingWhere(t *testing.T) {
	for name, raw := range map[string]string{
		"address": "https://10.0.0.1/", "scheme": "http://example.com/", "port": "https://example.com:22/",
	} {
		got := newClient(t, Policy{}, Options{}).Do(t.Context(), Request{URL: raw})
		if got.Outcome != Blocked || got.RemoteAddr != "" || got.Err == "" || strings.Contains(got.Err, "10.0") {
			t.Errorf("%s: %s, %q, %q", name, got.Outcome, got.Err, got.RemoteAddr)
		}
	}
}

func TestDoRefusesToSendABrokenHeader(t *testing.T) {
	for name, header := range map[string]http.Header{
		"value with a line break": {"X-A": {"secret\r\nX-B: c"}},
		"name with a space":       {"X A": {"secret"}},
	} {
		client := newClient(t, loopback(), Options{})
		got := client.Do(t.Context(), Request{URL: "http://127.0.0.1:9", Header: header})
		if got.Outcome != Blocked || !strings.Contains(got.Err, "header") || strings.Contains(got.Err, "secret") {
			t.Errorf("%s: %s, %q", name, got.Outcome, got.Err)
		}
	}
}

func TestDoKeepsNoCredentialsOfAnAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Set-Cookie", "Authorization", "WWW-Authenticate", "Proxy-Authenticate"} {
			w.Header().Set(name, "canary")
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	got := newClient(t, loopback(), Options{}).Do(t.Context(), Request{URL: server.URL})
	for name, values := range got.Header {
		if strings.Contains(strings.Join(values, " "), "canary") {
			t.Errorf("%s is kept", name)
		}
	}
	if got.RetryAfter != 7*time.Second || !got.HasRetryAfter {
		t.Errorf("Retry-After = %s, %t, want 7s", got.RetryAfter, got.HasRetryAfter)
	}
}

func TestKeepHeaderBoundsWhatIsStored(t *testing.T) {
	big := http.Header{"X-Bad": {"a\xffb"}}
	for i := range 1000 {
		name := "H" + strings.Repeat("a", i%50) + strings.Repeat("b", i/50)
		big[name] = []string{strings.Repeat("v", 100)}
	}
	kept := keepHeader(big, amply)
	size := 0
	for name, values := range kept {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size == 0 || size > maxHeaderKept || len(kept) > maxHeaderValues {
		t.Errorf("%d bytes in %d values kept", size, len(kept))
	}
	odd := keepHeader(http.Header{"X-Bad": {"a\xffb\x00"}}, amply)
	if got := odd.Get("X-Bad"); got != "a\uFFFDb\uFFFD" {
		t.Errorf("invalid value = %q", got)
	}
}

func TestKeepMakesText(t *testing.T) {
	for name, tt := range map[string]struct {
		in, want  string
		truncated bool
	}{
		"text":    {in: "Zürich", want: "Zürich"},
		"empty":   {},
		"NUL":     {in: "a\x00b", want: "a\uFFFDb"},
		"invalid": {in: "a\xff\xfeb", want: "a\uFFFDb"},
		"too long": {
			in: strings.Repeat("a", MaxBody+1), want: strings.Repeat("a", MaxBody), truncated: true,
		},
		"cut inside a rune": {
			in:   strings.Repeat("a", MaxBody-1) + "ü",
			want: strings.Repeat("a", MaxBody-1), truncated: true,
		},
		"cut inside a smile": {
			in:   strings.Repeat("a", MaxBody-3) + "😀",
			want: strings.Repeat("a", MaxBody-3), truncated: true,
		},
		"cut after a rune": {
			in:   strings.Repeat("a", MaxBody-2) + "üx",
			want: strings.Repeat("a", MaxBody-2) + "ü", truncated: true,
		},
		"grows beyond": {
			in: strings.Repeat("\x00", MaxBody), want: strings.Repeat("\uFFFD", MaxBody/3), truncated: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Result
			if err := readBody(strings.NewReader(tt.in), -1, &r, amply); err != nil {
				t.Fatal(err)
			}
			if string(r.Body) != tt.want || r.Truncated != tt.truncated || r.BodyBytes != int64(len(tt.in)) {
				t.Errorf("kept %d bytes %.20q of %d, truncated %t", len(r.Body), r.Body, r.BodyBytes, r.Truncated)
			}
		})
	}
}

func FuzzReadBody(f *testing.F) {
	f.Add([]byte("a\xffb"), int64(-1), uint16(1))
	f.Add(bytes.Repeat([]byte{0xf0, 0x9f, 0x98, 0x80, 0}, 100), int64(3), uint16(1000))
	f.Fuzz(func(t *testing.T, part []byte, length int64, times uint16) {
		whole := bytes.Repeat(part, min(int(times), 1+80_000/max(len(part), 1)))
		var r Result
		if err := readBody(bytes.NewReader(whole), max(length, -1), &r, amply); err != nil {
			t.Fatal(err)
		}
		if len(r.Body) > MaxBody || r.BodyBytes > MaxRead || !utf8.Valid(r.Body) ||
			bytes.IndexByte(r.Body, 0) >= 0 {
			t.Fatalf("kept %d of %d bytes, valid %t", len(r.Body), r.BodyBytes, utf8.Valid(r.Body))
		}
		isText := utf8.Valid(whole) && bytes.IndexByte(whole, 0) < 0
		if length != 0 && !r.Truncated && isText != bytes.Equal(r.Body, whole) {
			t.Fatal("the body was changed without need, or not where needed")
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
