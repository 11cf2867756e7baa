package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	start = "POST /a HTTP/1.1\r\nHost: receiver.test\r\n"
	ok    = "HTTP/1.1 200 OK\r\n"
	hi    = ok + "Content-Length: 2\r\n\r\nhi"
)

// serve answers each request of each connection with the next response, and
// closes a connection one request after the last one, or when the test ends.
func serve(t *testing.T, responses ...string) (address string) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			running.Go(func() { respond(conn, responses) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

func respond(conn net.Conn, responses []string) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for _, response := range responses {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		_, _ = io.WriteString(conn, response)
	}
	_, _ = http.ReadRequest(reader)
}

// A recorder is a Handler that records how it was called.
type recorder struct {
	address string
	limit   int64 // of the body, in bytes; all of it if zero
	err     error // that Response returns

	events []string
	body   string
}

func (r *recorder) Dial(ctx context.Context) (net.Conn, error) {
	r.events = append(r.events, "dial")
	var d net.Dialer
	return d.DialContext(ctx, "tcp", r.address)
}

func (r *recorder) Connected(_ string, reused bool) {
	if reused {
		r.events = append(r.events, "reuse")
	} else {
		r.events = append(r.events, "connect")
	}
}

func (r *recorder) FirstByte() { r.events = append(r.events, "first byte") }

func (r *recorder) Response(resp *http.Response) error {
	r.events = append(r.events, "response")
	body := io.Reader(resp.Body)
	if r.limit > 0 {
		body = io.LimitReader(body, r.limit)
	}
	b, err := io.ReadAll(body)
	r.body = string(b)
	if r.err != nil {
		return r.err
	}
	return err
}

// do makes a call to the recorder's address.
func (r *recorder) do(ctx context.Context, transport *Transport, header http.Header) error {
	r.events, r.body = nil, ""
	return transport.Do(ctx, Request{
		Key: r.address, Start: start, Header: header, Body: []byte("{}"),
		Deadline: time.Now().Add(20 * time.Second),
	}, r)
}

func newTransport(t *testing.T) *Transport {
	t.Helper()
	transport := New(Options{})
	t.Cleanup(transport.Close)
	return transport
}

func TestDoCallsItsHandlerInOrder(t *testing.T) {
	transport := newTransport(t)
	call := recorder{address: serve(t, hi, hi)}
	for i, want := range [][]string{
		{"dial", "connect", "first byte", "response"},
		{"reuse", "first byte", "response"},
	} {
		if err := call.do(t.Context(), transport, nil); err != nil || call.body != "hi" {
			t.Errorf("call %d: %v, body %q", i, err, call.body)
		}
		if !slices.Equal(call.events, want) {
			t.Errorf("call %d: events %q, want %q", i, call.events, want)
		}
	}
}

// The receiver reads a request on a connection that it has kept, and closes it
// without a response. It may have acted on the request.
func TestDoNeverRepeatsARequestThatWasWritten(t *testing.T) {
	transport := newTransport(t)
	call := recorder{address: serve(t, hi)}
	if err := call.do(t.Context(), transport, nil); err != nil {
		t.Fatal(err)
	}
	err := call.do(t.Context(), transport, nil)
	if want := []string{"reuse"}; err == nil || !slices.Equal(call.events, want) {
		t.Errorf("error %v, events %q, want %q", err, call.events, want)
	}
}

// A brittle connection breaks when a second request is written to it.
type brittle struct {
	*net.TCPConn
	writes int
}

func (b *brittle) Write(p []byte) (int, error) {
	if b.writes++; b.writes > 1 {
		_ = b.Close()
		return 0, syscall.EPIPE
	}
	return b.TCPConn.Write(p)
}

// A brittleDialer dials brittle connections.
type brittleDialer struct{ *recorder }

func (d brittleDialer) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := d.recorder.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &brittle{TCPConn: conn.(*net.TCPConn)}, nil
}

func TestDoRepeatsARequestThatCouldNotBeWritten(t *testing.T) {
	transport := newTransport(t)
	call := recorder{address: serve(t, hi, hi)}
	for i, want := range [][]string{
		{"dial", "connect", "first byte", "response"},
		{"reuse", "dial", "connect", "first byte", "response"},
	} {
		call.events = nil
		err := transport.Do(t.Context(), Request{
			Key: call.address, Start: start, Body: []byte("{}"), Deadline: time.Now().Add(20 * time.Second),
		}, brittleDialer{&call})
		if err != nil || !slices.Equal(call.events, want) {
			t.Errorf("call %d: %v, events %q, want %q", i, err, call.events, want)
		}
	}
}

func TestDoRefusesARequestBeforeItCallsItsHandler(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx    context.Context
		header http.Header
		want   error
	}{
		"a broken name":    {t.Context(), http.Header{"A B": {"c"}}, errHeader},
		"a broken value":   {t.Context(), http.Header{"A": {"b\r\nC: d"}}, errHeader},
		"an ended context": {ended, nil, context.Canceled},
	} {
		call := recorder{address: "127.0.0.1:1"}
		if got := call.do(tt.ctx, newTransport(t), tt.header); !errors.Is(got, tt.want) || len(call.events) > 0 {
			t.Errorf("%s: %v after %q, want %v", name, got, call.events, tt.want)
		}
	}
}

func TestDoLimitsTheHead(t *testing.T) {
	const interim = "HTTP/1.1 103 Early Hints\r\n\r\n"
	head := func(size int) string {
		const end = "Content-Length: 2\r\n\r\n"
		return ok + "A: " + strings.Repeat("x", size-len(ok)-len(end)-len("A: \r\n")) + "\r\n" + end
	}
	for name, tt := range map[string]struct {
		response string
		want     error
	}{
		"at the limit":              {head(MaxHeaderBytes), nil},
		"a byte more":               {head(MaxHeaderBytes + 1), ErrHeaderTooLong},
		"with interim, at it":       {interim + head(MaxHeaderBytes-len(interim)), nil},
		"with interim, a byte more": {interim + head(MaxHeaderBytes-len(interim)+1), ErrHeaderTooLong},
		"interim alone":             {strings.Repeat(interim, MaxHeaderBytes), ErrHeaderTooLong},
		"short headers":             {ok + strings.Repeat("A: b\r\n", MaxHeaderBytes), ErrHeaderTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			call := recorder{address: serve(t, tt.response+"hi")}
			got := call.do(t.Context(), newTransport(t), nil)
			if !errors.Is(got, tt.want) || got == nil && call.body != "hi" {
				t.Errorf("error %v, body %q, want %v", got, call.body, tt.want)
			}
		})
	}
}

func TestDoReusesAConnectionWhoseBodyWasRead(t *testing.T) {
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		call     recorder
		response string
		want     string // the first event of the next call
	}{
		"to its end":               {recorder{}, hi, "reuse"},
		"in part":                  {recorder{limit: 1}, hi, "dial"},
		"in part, before its end":  {recorder{limit: 2}, ok + "Content-Length: 4\r\n\r\nhi", "dial"},
		"but the response refused": {recorder{err: refused}, hi, "dial"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := newTransport(t)
			call := tt.call
			call.address = serve(t, tt.response, hi)
			if got := call.do(t.Context(), transport, nil); !errors.Is(got, tt.call.err) {
				t.Errorf("error %v, want %v", got, tt.call.err)
			}
			_ = call.do(t.Context(), transport, nil)
			if got := call.events[0]; got != tt.want {
				t.Errorf("the next call begins with %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzHasEnd looks for a head that net/http accepts before it has an end, or not
// as soon as it has.
func FuzzHasEnd(f *testing.F) {
	for _, head := range []string{
		hi, "HTTP/1.1 200 OK\n\nhi",
		ok + "A: b\r\n c\r\n\r\n", ok + "A: b\r\n \r\n\r\n", ok + "A: b\r\n\n", ok + "\r\r\n\r\n",
	} {
		f.Add([]byte(head))
	}
	accepts := func(b []byte) bool {
		//nolint:bodyclose // its body holds nothing
		_, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		return err == nil
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !accepts(b) {
			return
		}
		n := 0
		for n <= len(b) && !hasEnd(b[:n], max(n-1, 0)) {
			n++
		}
		if n > len(b) || !accepts(b[:n]) {
			t.Fatalf("%q is a response to net/http, and ends after %d of %d bytes", b, n, len(b))
		}
		if n > 0 && accepts(b[:n-1]) {
			t.Fatalf("%q is a response to net/http without its last byte", b[:n])
		}
	})
}
