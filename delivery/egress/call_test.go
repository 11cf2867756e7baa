package egress

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serveTalk hands each request, counted from 1, to talk with its connection,
// which stays open as long as talk says so. The config is nil for plain HTTP.
func serveTalk(
	t *testing.T, config *tls.Config, talk func(n int32, conn net.Conn) (stay bool),
) (address string) {
	t.Helper()
	var requests atomic.Int32
	listener := listen(t)
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			go func() {
				defer func() { _ = conn.Close() }()
				reader := bufio.NewReader(conn)
				for readRequest(reader) && talk(requests.Add(1), conn) {
				}
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// dialled returns the connections that a client opens from now on.
func dialled(client *Client) <-chan net.Conn {
	opened := make(chan net.Conn, 8)
	open := client.open
	client.open = func(ctx context.Context, m *meter, e *endpoint) (net.Conn, error) {
		conn, err := open(ctx, m, e)
		if err == nil {
			opened <- conn
		}
		return conn, err
	}
	return opened
}

// arrival waits until something has come over an unused connection, if it is
// only its end.
func arrival(t *testing.T, conn net.Conn) {
	t.Helper()
	raw := must(conn.(syscall.Conn).SyscallConn())
	err := raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return err != syscall.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
}

// writtenAtOnce is the size of the longest message that http1 writes before it
// reads the response.
const writtenAtOnce = 64 << 10

const (
	hi   = ok + "Content-Length: 2\r\n\r\nhi"
	evil = ok + "Content-Length: 4\r\n\r\nevil"
)

// What a receiver says between two calls must not answer the second, which may
// be another organization's.
func TestAnUnusedConnectionThatSpeaksIsDropped(t *testing.T) {
	for name, unasked := range map[string]string{"an answer": evil, "one byte": "x", "its end": ""} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{}, 1)
			url := "http://" + serveTalk(t, nil, func(n int32, conn net.Conn) bool {
				_, _ = io.WriteString(conn, hi)
				if n == 1 {
					<-next
					_, _ = io.WriteString(conn, unasked)
				}
				return unasked != ""
			})
			client := newClient(t, loopback(), Options{})
			opened := dialled(client)
			for i := range 2 {
				got := client.Do(t.Context(), Request{URL: url})
				if got.Outcome != Success || string(got.Body) != "hi" || got.Timing.Reused {
					t.Fatalf("call %d: %s (%s), %q, reused %t", i, got.Outcome, got.Err, got.Body, got.Timing.Reused)
				}
				if i == 0 {
					next <- struct{}{}
					arrival(t, <-opened)
				}
			}
		})
	}
}

func TestOnlyAFinishedAnswerLeavesAConnectionForTheNext(t *testing.T) {
	k := strings.Repeat("x", 1024)
	for name, tt := range map[string]struct {
		answer string
		reused bool
	}{
		"a length":    {hi, true},
		"a long head": {ok + "A: " + strings.Repeat(k, 9) + hi[len(ok)-2:], true},
		// The bytes behind the head are not in the reader.
		"more after a long head": {ok + strings.Repeat("A: b\r\n", 1357) + "A: bb\r\nContent-Length: 0\r\n\r\nevil!", false},
		"chunks":                 {chunked + "2\r\nhi\r\n0\r\n\r\n", true},
		"chunks with a trailer":  {chunked + "2\r\nhi\r\n0\r\nA: b\r\n\r\n", true},
		"no content":             {"HTTP/1.1 204 No Content\r\n\r\n", true},
		"an error":               {"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nhi", true},
		"hints before":           {"HTTP/1.1 103 Early Hints\r\n\r\n" + hi, true},
		"HTTP/1.0, kept alive":   {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", true},
		"as much as is read":     {ok + "Content-Length: 65536\r\n\r\n" + strings.Repeat(k, 64), true},
		"HTTP/1.0":               {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false},
		"closing":                {ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", false},
		"more than is read":      {ok + "Content-Length: 66560\r\n\r\n" + strings.Repeat(k, 65), false},
		"more is still to come":  {ok + "Content-Length: 66560\r\n\r\n" + strings.Repeat("x", MaxRead+1), false},
		"more after the end":     {hi + evil, false},
		"more after no content":  {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", false},
		"more after long bodies": {ok + "Content-Length: 8192\r\n\r\n" + strings.Repeat(k, 8) + evil, false},
		"another protocol's turn": {
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours := newAuthority(t)
			p := loopback()
			p.RootCAs = ours.pool()
			for scheme, config := range map[string]*tls.Config{
				"http": nil,
				// One record then holds an answer and what comes after it.
				"https": {Certificates: []tls.Certificate{ours.leaf(nil)}, DynamicRecordSizingDisabled: true},
			} {
				url := scheme + "://" + serveTalk(t, config, func(_ int32, conn net.Conn) bool {
					_, err := io.WriteString(conn, tt.answer)
					return err == nil
				})
				client := newClient(t, p, Options{})
				first := client.Do(t.Context(), Request{URL: url})
				second := client.Do(t.Context(), Request{URL: url})
				if second.Timing.Reused != tt.reused {
					t.Errorf("%s: reused is %t, want %t", scheme, second.Timing.Reused, tt.reused)
				}
				if first.Outcome != second.Outcome || string(first.Body) != string(second.Body) {
					t.Errorf("%s: the calls end with %s, %q and %s, %q", scheme,
						first.Outcome, first.Body, second.Outcome, second.Body)
				}
			}
		})
	}
}

// A receiver may have acted on a call that it began to answer, or is slow to.
func TestACallThatMayHaveBeenHeardIsNotRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		answer  string
		stay    bool
		limit   time.Duration
		want    Outcome
		message string
	}{
		"breaks off": {"H", false, longLimit, ResponseError, "ended too early"},
		"closes":     {"", false, longLimit, ResponseError, "ended too early"},
		"hangs":      {"", true, hangLimit, Timeout, "did not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			url := "http://" + serveTalk(t, nil, func(n int32, conn net.Conn) bool {
				requests.Store(n)
				if n == 1 {
					_, _ = io.WriteString(conn, hi)
					return true
				}
				_, _ = io.WriteString(conn, tt.answer)
				return tt.stay
			})
			client := newClient(t, loopback(), Options{})
			client.Do(t.Context(), Request{URL: url})
			got := client.Do(t.Context(), Request{URL: url, Timeout: tt.limit})
			if got.Outcome != tt.want || !strings.Contains(got.Err, tt.message) || !got.Timing.Reused {
				t.Errorf("outcome = %s (%s), reused %t", got.Outcome, got.Err, got.Timing.Reused)
			}
			if got := requests.Load(); got != 2 {
				t.Errorf("%d requests, want 2", got)
			}
		})
	}
}

func TestACallIsNotRepeatedOverANewConnection(t *testing.T) {
	var requests atomic.Int32
	url := "http://" + serveTalk(t, nil, func(n int32, _ net.Conn) bool {
		requests.Store(n)
		return false
	})
	got := newClient(t, loopback(), Options{}).Do(t.Context(), Request{URL: url})
	if got.Outcome != ResponseError || requests.Load() != 1 {
		t.Errorf("outcome = %s (%s) after %d requests", got.Outcome, got.Err, requests.Load())
	}
}

// A message that the receiver does not read must not delay the response.
func TestDoTakesAnAnswerThatComesBeforeTheMessageIsRead(t *testing.T) {
	for name, size := range map[string]int{"written at once": writtenAtOnce, "a long one": 16 << 20} {
		t.Run(name, func(t *testing.T) {
			listener := listen(t)
			defer func() { _ = listener.Close() }()
			done := make(chan struct{})
			defer close(done)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				_, _ = io.ReadFull(conn, make([]byte, 1))
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
				<-done
			}()
			got := newClient(t, loopback(), Options{}).Do(t.Context(), Request{
				URL: "http://" + listener.Addr().String(), Body: make([]byte, size), Timeout: longLimit,
			})
			if got.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("outcome = %s (%s), status %d", got.Outcome, got.Err, got.Status)
			}
		})
	}
}

// Long messages, too, come whole, and leave their connection for the next.
func TestDoSendsLongMessages(t *testing.T) {
	ours := newAuthority(t)
	p := loopback()
	p.RootCAs = ours.pool()
	body := make([]byte, 3<<20)
	_, _ = rand.Read(body) // which never fails
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	})
	for scheme, start := range map[string]func(*httptest.Server){
		"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS,
	} {
		t.Run(scheme, func(t *testing.T) {
			server := httptest.NewUnstartedServer(echo)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{ours.leaf(nil)}}
			start(server)
			defer server.Close()
			client := newClient(t, p, Options{})
			for i, size := range []int{writtenAtOnce, writtenAtOnce + 1, len(body), 0, len(body)} {
				got := client.Do(t.Context(), Request{URL: server.URL, Body: body[:size], Timeout: longLimit})
				want := fmt.Sprintf("%d %x", size, sha256.Sum256(body[:size]))
				if got.Outcome != Success || string(got.Body) != want || got.Timing.Reused != (i > 0) {
					t.Errorf("%d bytes: %s (%s), %q, reused %t", size, got.Outcome, got.Err, got.Body, got.Timing.Reused)
				}
			}
		})
	}
}

// A long message whose receiver hangs, breaks off or hangs up ends as a short
// one does.
func TestDoGivesUpOnLongMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		do    fault
		limit time.Duration
		want  Outcome
	}{
		"reads nothing": {func(_ net.Conn, stop <-chan struct{}) { <-stop }, hangLimit, Timeout},
		"reads slowly": {func(conn net.Conn, stop <-chan struct{}) {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					_, _ = conn.Read(make([]byte, 1))
				}
			}
		}, hangLimit, Timeout},
		"breaks off": {func(conn net.Conn, _ <-chan struct{}) { _ = conn.Close() }, longLimit, ResponseError},
		"answers in the middle": {func(conn net.Conn, stop <-chan struct{}) {
			_, _ = io.CopyN(io.Discard, conn, 1<<20)
			_, _ = io.WriteString(conn, hi)
			<-stop
		}, longLimit, Success},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, loopback(), Options{})
			opened := dialled(client)
			got := client.Do(t.Context(), Request{
				URL: "http://" + serveRaw(t, tt.do), Body: make([]byte, 16<<20), Timeout: tt.limit,
			})
			if got.Outcome != tt.want {
				t.Errorf("outcome = %s (%s), want %s", got.Outcome, got.Err, tt.want)
			}
			if err := (<-opened).SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the connection is kept (%v)", err)
			}
		})
	}
}
