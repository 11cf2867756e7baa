package egress

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fault is what a bad receiver does with a connection on which it has read
// one whole request. It ends when stop is closed or the peer hangs up.
type fault func(conn net.Conn, stop <-chan struct{})

// serveFault answers every connection with f until the test ends.
func serveFault(t testing.TB, f fault) (address string) {
	t.Helper()
	return serveFaultOver(t, listen(t), f)
}

func serveFaultOver(t testing.TB, listener net.Listener, f fault) (address string) {
	t.Helper()
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = conn.Close() }()
				if request, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.Copy(io.Discard, request.Body)
					f(conn, stop)
				}
			})
		}
	})
	t.Cleanup(func() {
		close(stop)
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// say sends text and hangs up.
func say(text string) fault {
	return func(conn net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(conn, text) }
}

// sayAndHang sends text and then nothing more.
func sayAndHang(text string) fault {
	return func(conn net.Conn, stop <-chan struct{}) {
		_, _ = io.WriteString(conn, text)
		<-stop
	}
}

// repeat sends head and then text until the peer has had enough.
func repeat(head, text string) fault {
	return func(conn net.Conn, stop <-chan struct{}) {
		_, err := io.WriteString(conn, head)
		for err == nil {
			select {
			case <-stop:
				return
			default:
				_, err = io.WriteString(conn, text)
			}
		}
	}
}

// drip sends one byte after another with a pause before each.
func drip(head string, pause time.Duration) fault {
	return func(conn net.Conn, stop <-chan struct{}) {
		_, err := io.WriteString(conn, head)
		for err == nil {
			select {
			case <-stop:
				return
			case <-time.After(pause):
				_, err = io.WriteString(conn, "x")
			}
		}
	}
}

func reset(head string) fault {
	return func(conn net.Conn, _ <-chan struct{}) {
		_, _ = io.WriteString(conn, head)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
}

const (
	ok        = "HTTP/1.1 200 OK\r\n"
	chunked   = ok + "Transfer-Encoding: chunked\r\n\r\n"
	hangLimit = 150 * time.Millisecond // the deadline of calls that are meant to miss it
	longLimit = 20 * time.Second       // that of calls that are not
)

type faultCase struct {
	do      fault
	hangs   bool
	want    Outcome
	status  int
	body    string // the beginning of it
	bytes   int64
	cut     bool
	message string // part of the sentence
}

func faultCases() map[string]faultCase {
	k := strings.Repeat("x", 1024)
	return map[string]faultCase{
		"hangs before an answer": {do: sayAndHang(""), hangs: true, want: Timeout, message: "did not answer"},
		"hangs in the status": {
			do: sayAndHang("HTTP/1.1 2"), hangs: true,
			want: Timeout, message: "did not finish",
		},
		"hangs in the headers": {do: sayAndHang(ok + "A: b\r\n"), hangs: true, want: Timeout},
		"hangs before the body": {
			do: sayAndHang(ok + "Content-Length: 5\r\n\r\n"), hangs: true,
			want: Timeout, status: 200, message: "still sending",
		},
		"hangs in the body": {
			do: sayAndHang(ok + "Content-Length: 5\r\n\r\nabc"), hangs: true,
			want: Timeout, status: 200, body: "abc", bytes: 3,
		},
		"drips headers": {do: drip(ok+"A: ", 10*time.Millisecond), hangs: true, want: Timeout},
		"drips a body": {
			do: drip(ok+"\r\n", 10*time.Millisecond), hangs: true,
			want: Timeout, status: 200, body: "x", bytes: -1,
		},
		"endless body": {
			do:   repeat(ok+"\r\n", k),
			want: Success, status: 200, body: k, bytes: MaxRead, cut: true,
		},
		"endless chunks": {
			do:   repeat(chunked, "400\r\n"+k+"\r\n"),
			want: Success, status: 200, body: k, bytes: MaxRead, cut: true,
		},
		"ten gigabytes": {
			do:   repeat(ok+"Content-Length: 10000000000\r\n\r\n", k),
			want: Success, status: 200, bytes: MaxRead, cut: true,
		},
		"endless error body": {
			do:   repeat("HTTP/1.1 500 Oops\r\n\r\n", k),
			want: HTTPError, status: 500, bytes: MaxRead, cut: true,
		},
		"endless status":  {do: repeat("HTTP/1.1 200 ", k), want: ResponseError, message: "fewer or shorter headers"},
		"endless header":  {do: repeat(ok+"A: ", k), want: ResponseError, message: "longer than 16 KiB"},
		"endless headers": {do: repeat(ok, "A: b\r\n"), want: ResponseError, message: "longer than 16 KiB"},
		"100k headers":    {do: say(ok + strings.Repeat("A: b\r\n", 100_000) + "\r\n"), want: ResponseError, message: "longer than 16 KiB"},
		"endless trailers": {
			do:   repeat(chunked+"1\r\nx\r\n0\r\n", "A: b\r\n"),
			want: ResponseError, status: 200, body: "x", bytes: 1,
		},
		"flood of 1xx": {
			do:   repeat("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
			want: ResponseError,
		},
		"continue and close": {do: say("HTTP/1.1 100 Continue\r\n\r\n"), want: ResponseError},
		"switches protocols": {
			do:   sayAndHang("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
			want: ResponseError, status: 101, message: "another protocol",
		},
		"bad chunk size": {do: say(chunked + "zz\r\nabc"), want: ResponseError, status: 200},
		"negative chunk": {do: say(chunked + "-1\r\nabc"), want: ResponseError, status: 200},
		"chunk cut short": {
			do:   say(chunked + "a\r\nabc"),
			want: ResponseError, status: 200, body: "abc", bytes: 3,
		},
		"huge chunk size": {do: say(chunked + "fffffffffffffffff\r\nabc"), want: ResponseError, status: 200},
		"body cut short": {
			do:   say(ok + "Content-Length: 9\r\n\r\nabc"),
			want: ResponseError, status: 200, body: "abc", bytes: 3,
		},
		"two lengths": {
			do:   say(ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
			want: ResponseError,
		},
		"negative length":     {do: say(ok + "Content-Length: -3\r\n\r\nabc"), want: ResponseError},
		"unknown encoding":    {do: say(ok + "Transfer-Encoding: snail\r\n\r\nabc"), want: ResponseError},
		"garbage":             {do: say("\x00\x01\x02\xff garbage\r\n\r\n"), want: ResponseError},
		"another protocol":    {do: say("SSH-2.0-OpenSSH_9.9\r\n"), want: ResponseError},
		"status out of range": {do: say("HTTP/1.1 20 OK\r\n\r\n"), want: ResponseError},
		"closes at once":      {do: say(""), want: ResponseError},
		"resets at once":      {do: reset(""), want: ResponseError},
		"resets in the body":  {do: reset(ok + "Content-Length: 9\r\n\r\n"), want: ResponseError, status: 200},
		"no content":          {do: say("HTTP/1.1 204 No Content\r\n\r\n"), want: Success, status: 204},
		"not modified":        {do: say("HTTP/1.1 304 Not Modified\r\n\r\n"), want: Redirect, status: 304},
		"moved": {
			do:   say("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
			want: Redirect, status: 302, message: "not followed",
		},
		"unknown status": {
			do:   say("HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nhi"),
			want: HTTPError, status: 799, body: "hi", bytes: 2,
		},
		"gone": {
			do:   say("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"),
			want: HTTPError, status: 410, message: "410 Gone",
		},
		"gzip bomb": {do: gzipBomb(), want: Success, status: 200, bytes: -1, cut: true},
	}
}

// gzipBomb sends about 32 KiB that unpack to 32 MiB.
func gzipBomb() fault {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(make([]byte, 32<<20))
	_ = w.Close()
	return func(conn net.Conn, _ <-chan struct{}) {
		_, _ = io.WriteString(conn, ok+"Content-Encoding: gzip\r\n\r\n")
		_, _ = conn.Write(packed.Bytes())
	}
}

func TestDoSurvivesEveryFault(t *testing.T) {
	for name, tt := range faultCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serveFault(t, tt.do)
			client := newClient(t, loopback(), Options{})
			limit := longLimit
			if tt.hangs {
				limit = hangLimit
			}
			got := client.Do(t.Context(), Request{
				URL: "http://" + address + "/", Body: []byte("{}"), Timeout: limit,
			})
			tt.check(t, got)
			if got.RemoteAddr != address {
				t.Errorf("remote address = %q, want %q", got.RemoteAddr, address)
			}
		})
	}
}

func (tt faultCase) check(t *testing.T, got Result) {
	t.Helper()
	if got.Outcome != tt.want || got.Status != tt.status {
		t.Errorf("outcome = %s with status %d (%s), want %s with %d",
			got.Outcome, got.Status, got.Err, tt.want, tt.status)
	}
	if (got.Err == "") != (tt.want == Success) || !strings.Contains(got.Err, tt.message) {
		t.Errorf("sentence = %q, want it to say %q", got.Err, tt.message)
	}
	if !bytes.HasPrefix(got.Body, []byte(tt.body)) || len(got.Body) > MaxBody {
		t.Errorf("body = %d bytes %.40q, want it to begin with %.40q", len(got.Body), got.Body, tt.body)
	}
	if got.Truncated != tt.cut || got.BodyBytes > MaxRead || tt.bytes >= 0 && got.BodyBytes != tt.bytes {
		t.Errorf("%d bytes, truncated %t, want %d, %t", got.BodyBytes, got.Truncated, tt.bytes, tt.cut)
	}
}

func TestDoEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := serveFault(t, func(_ net.Conn, stop <-chan struct{}) {
		cancel()
		<-stop
	})
	got := newClient(t, loopback(), Options{}).Do(ctx, Request{URL: "http://" + address, Timeout: time.Hour})
	if got.Outcome != Canceled {
		t.Errorf("outcome = %s (%s), want %s", got.Outcome, got.Err, Canceled)
	}
}

func TestDoRefusedConnection(t *testing.T) {
	listener := listen(t)
	address := listener.Addr().String()
	_ = listener.Close()
	got := newClient(t, loopback(), Options{}).Do(t.Context(), Request{URL: "http://" + address})
	if got.Outcome != ConnectError || !strings.Contains(got.Err, "refused") || got.RemoteAddr != address {
		t.Errorf("result = %s, %q, %q", got.Outcome, got.Err, got.RemoteAddr)
	}
}
