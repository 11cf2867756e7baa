package egress

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portalhooks/delivery/egress/http1"
	"portalhooks/test/faults"
)

// moreFaults are the faults of the long form only.
func moreFaults() map[string]faultCase {
	cases := map[string]faultCase{
		"one byte a moment, then the deadline": {
			do: drip(ok+"Content-Length: 1000000\r\n\r\n", 20*time.Millisecond), hangs: true,
			want: Timeout, status: 200, body: "x", bytes: -1, message: "still sending",
		},
		"drips the status": {do: drip("HTTP/1.1 200 ", 10*time.Millisecond), hangs: true, want: Timeout},
		"resets in the headers": {
			do: reset(ok + "A: b\r\n"), want: ResponseError,
		},
		"endless 1xx, then nothing": {
			do: sayAndHang(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 3)), hangs: true, want: Timeout,
		},
		"a body with no content": {
			do:   say("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
			want: Success, status: 204,
		},
		"garbage after the answer": {
			do:   say(ok + "Content-Length: 2\r\n\r\nhiGARBAGE\x00\xff"),
			want: Success, status: 200, body: "hi", bytes: 2,
		},
		"half of the chunks, then a reset": {
			do: reset(chunked + "3\r\nabc\r\n"), want: ResponseError, status: 200, bytes: -1,
		},
	}
	for _, status := range []int{300, 301, 303, 305, 307, 308} {
		cases[fmt.Sprintf("answers %d", status)] = faultCase{
			do: say(fmt.Sprintf(
				"HTTP/1.1 %d Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", status)),
			want: Redirect, status: status, message: "not followed",
		}
	}
	return cases
}

// Whatever a receiver does, its call ends with the right outcome, and the client
// that made it works on. Each fault many times, beside each other.
func TestTortureReceivers(t *testing.T) {
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	defer good.Close()
	cases := faultCases()
	maps.Copy(cases, moreFaults())
	each := faults.Rounds(1, 8)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		tt := cases[name]
		address := serveFault(t, tt.do)
		client := newClient(t, loopback(), Options{})
		limit := longLimit
		if tt.hangs {
			limit = hangLimit
		}
		var slowest time.Duration
		var mu sync.Mutex
		var calls sync.WaitGroup
		for range each {
			calls.Go(func() {
				got := client.Do(t.Context(), Request{URL: "http://" + address, Body: []byte("{}"), Timeout: limit})
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, got.Duration)
				tt.check(t, got)
			})
		}
		calls.Wait()
		if got := client.Do(t.Context(), Request{URL: good.URL, Timeout: longLimit}); got.Outcome != Success {
			t.Errorf("%s: a good receiver afterwards: %s (%s)", name, got.Outcome, got.Err)
		}
		note := string(tt.want)
		if tt.hangs {
			note += fmt.Sprintf(" after %d ms, where the deadline is %d",
				slowest.Milliseconds(), hangLimit.Milliseconds())
		}
		if t.Failed() {
			t.Fatalf("%s: see above", name)
		}
		faults.Result{Fault: "receiver " + name, Rounds: each, Note: note}.Report(t)
	}
}

// Hundreds of receivers of every bad kind hang at once. What they have sent is
// kept within bounds, and after their deadline nothing of it is left.
func TestTortureHostileReceiversAtOnce(t *testing.T) {
	calls := faults.Rounds(100, 500)
	const limit, passing = 32_000_000, 96_000_000 // the latter while they are parsed
	ours := newAuthority(t)
	leaf := ours.leaf(nil)
	key := must(x509.MarshalPKCS8PrivateKey(leaf.PrivateKey))
	p := loopback()
	p.RootCAs = ours.pool()
	for name, head := range hostileHeads() {
		for scheme, what := range map[string]hanging{
			"http": {Head: []byte(head)}, "https": {Head: []byte(head), Certificate: leaf.Certificate, Key: key},
		} {
			address, hangUp := hangElsewhere(t, what)
			client := newClient(t, p, Options{})
			var seen traffic
			seen.record(client)
			before := inUse()
			results := make(chan Result, calls)
			for range calls {
				go func() {
					results <- client.Do(t.Context(), Request{URL: scheme + "://" + address, Timeout: longLimit})
				}()
			}
			used, most := seen.still(calls)
			hangUp()
			for range calls {
				if got := <-results; got.Outcome == Success {
					t.Fatalf("%s: outcome = %s", name, got.Outcome)
				}
			}
			if used -= before; used > limit || most-before > passing {
				t.Errorf("%s over %s: %d calls use %d bytes, %d in passing, want at most %d, %d",
					name, scheme, calls, used, most-before, limit, passing)
			}
			faults.Result{
				Fault: fmt.Sprintf("%d receivers hang at once over %s after %s, %d bytes",
					calls, scheme, name, len(head)),
				Rounds: calls, Note: fmt.Sprintf("%.1f MB more", float64(used)/1e6),
			}.Report(t)
		}
	}
}

// hostileHeads are beginnings of answers that take as much as they can.
func hostileHeads() map[string]string {
	k := strings.Repeat("x", 1024)
	var names strings.Builder // a map of them takes more than twenty times as much
	for i := 0; names.Len() < http1.MaxHeaderBytes-100; i++ {
		fmt.Fprintf(&names, "%x:\n", i)
	}
	var kept strings.Builder // as much as a Result may have
	for i := range maxHeaderValues {
		fmt.Fprintf(&kept, "%04x: %s\r\n", i, strings.Repeat("x", maxHeaderKept/maxHeaderValues-4))
	}
	body := "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", MaxRead-1)
	return map[string]string{
		"nothing":                        "",
		"half a status":                  "HTTP/1.1 2",
		"a status without an end":        "HTTP/1.1 200 " + strings.Repeat(k, 15),
		"500 headers":                    ok + strings.Repeat("A: b\r\n", 500),
		"a header without an end":        ok + "A: " + strings.Repeat(k, 15),
		"names without an end":           ok + names.String(),
		"names and half of a bad header": ok + names.String() + "A: \x00",
		"folded names":                   ok + "A: b\r\n c\r\n" + names.String(),
		"hints and names":                "HTTP/1.1 103 Early Hints\r\n\r\n" + ok + names.String(),
		"names and a body":               ok + names.String() + body,
		"half of a body":                 ok + body,
		"half of a body and headers":     ok + kept.String() + body,
		"1 KiB of 10 GB":                 ok + "Content-Length: 10000000000\r\n\r\n" + k,
		"60 chunks":                      chunked + strings.Repeat("400\r\n"+k+"\r\n", 60),
		"half of the trailers":           chunked + "0\r\n" + strings.Repeat("A: b\r\n", 500),
		"early hints":                    strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 3),
	}
}

// A traffic counts the connections of a client and the bytes that it reads.
type traffic struct{ opened, read atomic.Int64 }

// record counts the connections that client opens from now on.
func (s *traffic) record(client *Client) {
	open := client.open
	client.open = func(ctx context.Context, m *meter, e *endpoint) (net.Conn, error) {
		conn, err := open(ctx, m, e)
		s.opened.Add(1)
		return countedConn{conn, s}, err
	}
}

type countedConn struct {
	net.Conn
	traffic *traffic
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.traffic.read.Add(int64(n))
	return n, err
}

// still waits until so many connections are open and nothing has come over them
// for a while. It returns what is in use then, and the most that was before.
func (s *traffic) still(connections int) (used, most int64) {
	for same, before := 0, int64(-1); same < 20; same++ {
		used = inUse()
		most = max(most, used)
		if now := s.read.Load(); now != before || s.opened.Load() < int64(connections) {
			same, before = 0, now
		}
	}
	return used, most
}
