package egress

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portalhooks/torture"
)

// moreFaults are those that the cases of every run do not have.
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
	each := torture.Rounds(1, 8)
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
		torture.Result{Fault: "receiver " + name, Rounds: each, Note: note}.Report(t)
	}
}

// Hundreds of receivers of every bad kind hang at once. What they have sent is
// kept within bounds, and after their deadline nothing of it is left.
func TestTortureHostileReceiversAtOnce(t *testing.T) {
	calls := torture.Rounds(100, 500)
	k := strings.Repeat("x", 1024)
	// Headers take more than bodies: they are parsed, and not cut before 64 KiB.
	const headers, others = 64 << 20, 32 << 20
	for head, limit := range map[string]int64{
		"":                                   others,
		"HTTP/1.1 2":                         others,
		ok + strings.Repeat("A: b\r\n", 500): headers,
		ok + "A: " + strings.Repeat(k, 50):   headers,
		ok + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", MaxRead-1): others,
		ok + "Content-Length: 10000000000\r\n\r\n" + k:                          others,
		chunked + strings.Repeat("400\r\n"+k+"\r\n", 60):                        others,
		strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 3):     others,
	} {
		var sent sync.WaitGroup
		sent.Add(calls)
		hang := make(chan struct{})
		address := serveFault(t, func(conn net.Conn, _ <-chan struct{}) {
			_, _ = io.WriteString(conn, head)
			sent.Done()
			<-hang
		})
		client := newClient(t, loopback(), Options{})
		before := inUse()
		results := make(chan Result, calls)
		for range calls {
			go func() {
				results <- client.Do(t.Context(), Request{URL: "http://" + address, Timeout: longLimit})
			}()
		}
		sent.Wait()
		used := inUse() - before
		close(hang)
		for range calls {
			if got := <-results; got.Outcome == Success {
				t.Fatalf("outcome = %s after %.20q", got.Outcome, head)
			}
		}
		if used > limit {
			t.Errorf("%d calls use %d MiB after %.20q, want at most %d", calls, used>>20, head, limit>>20)
		}
		torture.Result{
			Fault:  fmt.Sprintf("%d receivers hang at once after %d bytes: %.24q", calls, len(head), head),
			Rounds: calls, Note: fmt.Sprintf("%.1f MiB more, both sides together", float64(used)/(1<<20)),
		}.Report(t)
	}
}
