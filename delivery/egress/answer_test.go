package egress

import (
	"strings"
	"testing"
)

// What can't become an answer is refused when it comes, not at the deadline.
// Nobody may wait for the rest of it.
func TestABadHeadIsRefusedBeforeItsEnd(t *testing.T) {
	long := strings.Repeat("A: b\r\n", 1000)
	for name, tt := range map[string]struct {
		head string
		want Outcome
	}{
		"another protocol":           {"SSH-2.0-OpenSSH_9.9\r\n", ResponseError},
		"an empty status":            {"\r\n", ResponseError},
		"a short status":             {"HTTP/1.1 20\r\n", ResponseError},
		"no colon":                   {ok + "A\r\n", ResponseError},
		"no colon, far behind":       {ok + long + "A\r\n", ResponseError},
		"no name":                    {ok + ": b\r\nC", ResponseError},
		"a bad name":                 {ok + "A\t: b\r\nC", ResponseError},
		"a NUL":                      {ok + "A: \x00\r\nC", ResponseError},
		"a NUL, far behind":          {ok + long + "A: \x00\r\nC", ResponseError},
		"a NUL in a folded line":     {ok + "A: b\r\n c\x00\r\nC", ResponseError},
		"a carriage return":          {ok + "A: b\rc\r\nC", ResponseError},
		"two carriage returns":       {ok + "A: b\r\n\r\r\n", ResponseError},
		"a folded first line":        {ok + " A: b\r\n", ResponseError},
		"a status without a reason":  {"HTTP/1.1 200\r\n", Timeout},
		"bare line feeds":            {"HTTP/1.1 200 OK\nA: b\n", Timeout},
		"a NUL that may be followed": {ok + "A: \x00\r\n", Timeout},
		"a colon in a folded line":   {ok + "A: b\r\n : c\r\nC", Timeout},
		"an empty folded line":       {ok + "A: b\r\n \r\nC", Timeout},
		"a space before the colon":   {ok + "A : b\r\nC", Timeout},
		"a long reason":              {"HTTP/1.1 200 " + strings.Repeat("x", 5000) + "\r\n", Timeout},
		"nothing wrong, far behind":  {ok + long + "A: b\r\nC", Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			limit := longLimit
			if tt.want == Timeout {
				limit = hangLimit
			}
			got := newClient(t, loopback(), Options{}).Do(t.Context(), Request{
				URL: "http://" + serveFault(t, sayAndHang(tt.head)), Timeout: limit,
			})
			if got.Outcome != tt.want {
				t.Errorf("outcome = %s (%s), want %s", got.Outcome, got.Err, tt.want)
			}
		})
	}
}

// When all the room for long heads is taken, a call waits for some until its
// deadline, and short heads need none.
func TestLongHeadsWaitForRoom(t *testing.T) {
	short, long := hi, ok+strings.Repeat("A: b\r\n", 1000)+"Content-Length: 2\r\n\r\nhi"
	client := newClient(t, loopback(), Options{})
	call := func(answer string) Result {
		url := "http://" + serveFault(t, say(answer))
		return client.Do(t.Context(), Request{URL: url, Timeout: hangLimit})
	}
	h := client.heads
	for range maxLong {
		must(h.take(t.Context(), longAgo().AddDate(1000, 0, 0)))
	}
	if got := call(short); got.Outcome != Success {
		t.Errorf("a short head: %s (%s)", got.Outcome, got.Err)
	}
	if got := call(long); got.Outcome != Timeout {
		t.Errorf("a long head without room: %s (%s)", got.Outcome, got.Err)
	}
	h.put(new([]byte))
	for range 2 { // what one has taken the next can have
		if got := call(long); got.Outcome != Success || string(got.Body) != "hi" {
			t.Errorf("a long head with room: %s (%s), %q", got.Outcome, got.Err, got.Body)
		}
	}
}

// When many answers are long, little is kept of more, and they succeed.
func TestLittleIsKeptWhenManyAnswersAreLong(t *testing.T) {
	headers := strings.Repeat("A: "+strings.Repeat("a", 97)+"\r\n", 50)
	long := ok + headers + "Content-Length: 10000\r\n\r\n" + strings.Repeat("x", 10_000)
	client := newClient(t, loopback(), Options{})
	url := "http://" + serveFault(t, say(long))
	for _, taken := range []int{0, maxLong - 1, maxLong, 0} {
		for range taken {
			client.heads.ample <- struct{}{}
		}
		got := client.Do(t.Context(), Request{URL: url, Timeout: longLimit})
		values, body := 50, 10_000
		if taken == maxLong {
			values, body = briefHeader/98, briefBody
		}
		if got.Outcome != Success || got.BodyBytes != 10_000 || len(got.Body) != body ||
			got.Truncated != (body < 10_000) || len(got.Header["A"]) != values {
			t.Errorf("%d taken: %s (%s), %d of %d bytes kept (cut: %t), %d headers", taken, got.Outcome, got.Err,
				len(got.Body), got.BodyBytes, got.Truncated, len(got.Header["A"]))
		}
		for range taken {
			<-client.heads.ample
		}
	}
	if n := len(client.heads.ample); n != 0 {
		t.Errorf("the room of %d answers is not given back", n)
	}
}
