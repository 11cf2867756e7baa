package transport_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// took fails t unless exactly d of virtual time has passed since start.
func took(t *testing.T, start time.Time, d time.Duration) {
	t.Helper()
	if got := time.Since(start); got != d {
		t.Errorf("it took %s, want %s", got, d)
	}
}

func TestASocketIsClosedWithoutInitAfterTenSeconds(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		start := time.Now()
		w.socket().expectClose(4408)
		took(t, start, 10*time.Second)
	})
}

func TestASocketWhoseInitHangsIsClosedButAnswersPings(t *testing.T) {
	opts := options()
	opts.ConnectionInit = func(ctx context.Context, _ map[string]any) (context.Context, time.Time, error) {
		<-ctx.Done()
		return ctx, time.Time{}, ctx.Err()
	}
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		start := time.Now()
		s := w.socket()
		s.send(`{"type": "connection_init"}`)
		s.send(`{"type": "ping"}`)
		s.expect("pong")
		s.expectClose(4408)
		took(t, start, 10*time.Second)
	})
}

func TestASocketIsClosedWhenItsCredentialsExpire(t *testing.T) {
	opts := options()
	opts.ConnectionInit = func(ctx context.Context, _ map[string]any) (context.Context, time.Time, error) {
		return ctx, time.Now().Add(time.Hour), nil
	}
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		start := time.Now()
		s := w.socket().initialise()
		s.subscribe("a", "subscription {forever {n}}")
		s.expect("next")
		s.expectClose(4401)
		took(t, start, time.Hour)
		<-w.schema.ended
	})
}

func TestASocketExpiresWithTheIdentityOfItsRequest(t *testing.T) {
	opts := options()
	opts.Expires = func(context.Context) time.Time { return time.Now().Add(time.Minute) }
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		start := time.Now()
		w.socket().initialise().expectClose(4401)
		took(t, start, time.Minute)
	})
}

func TestASocketEndsWithTheIdentityOfItsRequest(t *testing.T) {
	opts, ended := options(), make(chan struct{})
	opts.Ended = func(context.Context) <-chan struct{} { return ended }
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		s := w.socket().initialise()
		s.subscribe("a", "subscription {forever {n}}")
		s.expect("next")
		<-w.schema.waiting
		close(ended)
		s.expectClose(4401)
		<-w.schema.ended
	})
}

func TestAnEventStreamEndsWithItsCallersIdentity(t *testing.T) {
	opts, ended := options(), make(chan struct{})
	opts.Ended = func(context.Context) <-chan struct{} { return ended }
	close(ended)
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		var events strings.Builder
		for lines := w.stream(t.Context()); lines.Scan(); {
			events.WriteString(lines.Text() + "\n")
		}
		if got := events.String(); !strings.Contains(got, "UNAUTHENTICATED") ||
			!strings.HasSuffix(got, "event: complete\ndata: \n\n") {
			t.Errorf("events:\n%s", got)
		}
	})
}

func TestCredentialsThatHaveExpiredAreNotAccepted(t *testing.T) {
	opts := options()
	opts.ConnectionInit = func(ctx context.Context, _ map[string]any) (context.Context, time.Time, error) {
		return ctx, time.Now(), nil
	}
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		s := w.socket()
		s.send(`{"type": "connection_init"}`)
		s.expectClose(4401)
	})
}

func TestTheServerPingsEveryTwentySeconds(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		s := w.socket().initialise()
		start := time.Now()
		var pings []time.Duration
		answer := s.ws.PingHandler()
		s.ws.SetPingHandler(func(data string) error {
			pings = append(pings, time.Since(start))
			if len(pings) == 10 {
				s.ws.Close()
				return nil
			}
			return answer(data)
		})
		if _, data, err := s.ws.ReadMessage(); err == nil {
			t.Fatalf("got %s", data)
		}
		if len(pings) != 10 || pings[9] != 200*time.Second {
			t.Errorf("pings after %v, want 10 in 200s", pings)
		}
	})
}

func TestASocketWhoseClientIsSilentIsDropped(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		s := w.socket().initialise()
		s.ws.SetPingHandler(func(string) error { return nil })
		start := time.Now()
		if _, _, err := s.ws.ReadMessage(); err == nil {
			t.Fatal("got a message")
		}
		took(t, start, 50*time.Second)
		<-w.served
	})
}

func TestASocketWhoseClientDoesNotReadIsDropped(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		s := w.socket().initialise()
		start := time.Now()
		s.subscribe("a", "subscription {deliveryLog {__typename}}")
		<-w.served
		took(t, start, 10*time.Second)
	})
}

func TestAnEventStreamWhoseClientDoesNotReadIsDropped(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		conn, err := w.pipes.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		const request = "GET /graphql?query=subscription%7BdeliveryLog%7B__typename%7D%7D HTTP/1.1\r\n" +
			"Host: pipe\r\nAccept: text/event-stream\r\n\r\n"
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		<-w.served
		took(t, start, 10*time.Second)
	})
}

func TestOperationsOnASocketAreTimedButSubscriptionsAreNot(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		s := w.socket().initialise()
		s.subscribe("live", "subscription {forever {n}}")
		s.expect("next")
		start := time.Now()
		s.subscribe("slow", "{wait}")
		if r := s.expect("error"); r.ID != "slow" || !strings.Contains(string(r.Payload), "longer than 10s") {
			t.Errorf("got %s for %s", r.Payload, r.ID)
		}
		took(t, start, 10*time.Second)
		s.send(`{"type": "ping"}`)
		s.expect("pong")
		s.close()
		<-w.served
	})
}

// stream opens an event stream that does not end, in virtual time.
func (w *world) stream(ctx context.Context) *bufio.Scanner {
	w.t.Helper()
	request := strings.NewReader(body(w.t, "subscription {forever {n}}", nil))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, worldURL, request)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return bufio.NewScanner(resp.Body)
}

// comments reads n comments and returns the times of their arrival.
func comments(events *bufio.Scanner, n int) (at []time.Duration) {
	start := time.Now()
	for len(at) < n && events.Scan() {
		if events.Text() == ":" {
			at = append(at, time.Since(start))
		}
	}
	return at
}

func TestAQuietEventStreamHasACommentEveryFifteenSeconds(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		at := comments(w.stream(ctx), 9)
		if len(at) != 9 || at[0] != 0 || at[8] != 120*time.Second {
			t.Errorf("comments after %v, want one at once and one every 15s", at)
		}
		cancel()
		<-w.schema.ended
		<-w.served
	})
}

func TestAnEventStreamEndsWhenItsCallersIdentityExpires(t *testing.T) {
	opts := options()
	opts.Expires = func(context.Context) time.Time { return time.Now().Add(time.Minute) }
	inVirtualTime(t, opts, func(t *testing.T, w *world) {
		start := time.Now()
		var events strings.Builder
		for lines := w.stream(t.Context()); lines.Scan(); {
			events.WriteString(lines.Text() + "\n")
		}
		took(t, start, time.Minute)
		if got := events.String(); !strings.Contains(got, "UNAUTHENTICATED") ||
			!strings.HasSuffix(got, "event: complete\ndata: \n\n") {
			t.Errorf("events:\n%s", got)
		}
	})
}

func TestShutdownClosesSocketsThenStreamsThenWaits(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		s := w.socket().initialise()
		s.subscribe("a", "subscription {forever {n}}")
		s.expect("next")
		events := w.stream(t.Context())
		comments(events, 1)
		slow := make(chan answer)
		go func() { slow <- w.ask("{wait}") }()
		for range 3 {
			<-w.schema.waiting
		}
		start := time.Now()
		stopped := make(chan error)
		go func() { stopped <- w.handler.Shutdown(t.Context()) }()
		s.expectClose(1001)
		var rest strings.Builder
		for events.Scan() {
			rest.WriteString(events.Text() + "\n")
		}
		took(t, start, 0)
		if strings.Contains(rest.String(), "complete") {
			t.Errorf("the interrupted stream says it is complete:\n%s", rest.String())
		}
		if got := w.ask("{__typename}"); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("status %d for a late request, want 503", got.status)
		}
		if err := <-stopped; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		took(t, start, 10*time.Second)
		if got := <-slow; got.code() != "LIMIT_EXCEEDED" {
			t.Errorf("the operation under way was answered with %s", got.body)
		}
	})
}

func TestShutdownDoesNotWaitForClientsThatDoNotAnswer(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		s := w.socket().initialise()
		s.ws.SetCloseHandler(func(int, string) error { return nil })
		synctest.Wait()
		start := time.Now()
		go func() { _, _, _ = s.ws.ReadMessage() }()
		if err := w.handler.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		took(t, start, 2*time.Second)
	})
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	inVirtualTime(t, options(), func(t *testing.T, w *world) {
		slow := make(chan answer)
		go func() { slow <- w.ask("{wait}") }()
		<-w.schema.waiting
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.handler.Shutdown(ctx); err == nil {
			t.Error("Shutdown returned nil while an operation was under way")
		}
		<-slow
	})
}

// ask sends a query in virtual time.
func (w *world) ask(query string) answer {
	return askWith(w.t, w.client, http.MethodPost, worldURL, body(w.t, query, nil))
}
