package egress

import (
	"strings"
	"testing"
)

// What is not HTTP is refused when it comes, not at the deadline: a server of
// another protocol greets its client and waits. HTTP is judged when the head has
// ended.
func TestWhatIsNotHTTPIsRefusedAtOnce(t *testing.T) {
	long := strings.Repeat("A: b\r\n", 1000)
	for name, tt := range map[string]struct {
		head string
		want Outcome
	}{
		"SSH":                       {"SSH-2.0-OpenSSH_9.9\r\n", ResponseError},
		"SMTP":                      {"220 mail.example ESMTP\r\n", ResponseError},
		"an empty line":             {"\r\n", ResponseError},
		"no line":                   {"\x00\x01", Timeout}, // net/http waits for its end
		"after early hints":         {ok[:9] + "103 Early Hints\r\n\r\nSSH-2.0\r\n", ResponseError},
		"a bad header, ended":       {ok + "A\r\n\r\n", ResponseError},
		"a bad header, far behind":  {ok + long + "A\r\n\r\n", ResponseError},
		"a NUL, far behind":         {ok + long + "A: \x00\r\n\r\n", ResponseError},
		"bare line feeds, ended":    {"HTTP/1.1 200 OK\nA\n\n", ResponseError},
		"two carriage returns":      {ok + "A: b\r\n\r\r\n\r\n", ResponseError},
		"a status without a reason": {"HTTP/1.1 200\r\n", Timeout},
		"a bad header, not ended":   {ok + "A\r\n", Timeout},
		"bare line feeds":           {"HTTP/1.1 200 OK\nA: b\n", Timeout},
		"an empty folded line":      {ok + "A: b\r\n \r\nC", Timeout},
		"a long reason":             {"HTTP/1.1 200 " + strings.Repeat("x", 5000) + "\r\n", Timeout},
		"headers without an end":    {ok + long + "A: b\r\nC", Timeout},
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

// When many answers are long, little is kept of more, and they succeed.
func TestLittleIsKeptWhenManyAnswersAreLong(t *testing.T) {
	headers := strings.Repeat("A: "+strings.Repeat("a", 97)+"\r\n", 50)
	// A kept connection that the receiver is about to close would fail a later call.
	long := ok + headers + "Connection: close\r\nContent-Length: 10000\r\n\r\n" + strings.Repeat("x", 10_000)
	client := newClient(t, loopback(), Options{})
	url := "http://" + serveFault(t, say(long))
	for _, taken := range []int{0, maxLong - 1, maxLong, 0} {
		for range taken {
			client.long <- struct{}{}
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
			<-client.long
		}
	}
	if n := len(client.long); n != 0 {
		t.Errorf("the room of %d answers is not given back", n)
	}
}
