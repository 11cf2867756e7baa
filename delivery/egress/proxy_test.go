package egress

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"portalhooks/delivery/egress/http1"
)

// A testProxy forwards to one receiver, whatever it is asked for, and writes
// down what that was.
type testProxy struct {
	receiver string
	answer   string // to CONNECT

	mu    sync.Mutex
	asked []string
}

// saw returns the requests, with the names of the users that made them.
func (x *testProxy) saw() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.asked)
}

func (x *testProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	x.asked = append(x.asked, r.Method+" "+r.RequestURI+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	x.mu.Unlock()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if r.Method != http.MethodConnect {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nforwarded")
		return
	}
	if _, err := io.WriteString(conn, x.answer); err != nil {
		return
	}
	var d net.Dialer
	onward, err := d.DialContext(r.Context(), "tcp", x.receiver)
	if err != nil {
		return
	}
	defer func() { _ = onward.Close() }()
	go func() {
		_, _ = io.Copy(onward, conn)
		_ = onward.Close()
	}()
	_, _ = io.Copy(conn, onward)
}

// behind returns the policy of a server that calls through x, over http or https.
func (x *testProxy) behind(t *testing.T, scheme string, ours authority) Policy {
	t.Helper()
	server := httptest.NewUnstartedServer(x)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ours.leaf(nil)}}
	if scheme == "https" {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	u := must(url.Parse(server.URL))
	u.User = url.UserPassword("me", "p@ss")
	return Policy{AllowHTTP: true, AnyPort: true, Proxy: u, RootCAs: ours.pool()}
}

const connected = "HTTP/1.1 200 Connection established\r\n\r\n"

// Names are looked up by the proxy, which is on an address that receivers may
// not have.
func TestDoGoesThroughItsProxy(t *testing.T) {
	ours := newAuthority(t)
	receiver := serveTLSWith(t, &tls.Config{Certificates: []tls.Certificate{ours.leaf(nil)}},
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Method+" "+r.Host+r.RequestURI)
		})
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			x := &testProxy{receiver: strings.TrimPrefix(receiver, "https://"), answer: connected}
			p := x.behind(t, scheme, ours)
			client := newClient(t, p, Options{})
			plain := client.Do(t.Context(), Request{URL: "http://receiver.example:81/hook?a=b", Timeout: longLimit})
			if plain.Outcome != Success || string(plain.Body) != "forwarded" || plain.RemoteAddr != "" {
				t.Errorf("plain: %s (%s), %q from %q", plain.Outcome, plain.Err, plain.Body, plain.RemoteAddr)
			}
			for i := range 2 {
				// The certificate is for 127.0.0.1, so the name can't be another.
				got := client.Do(t.Context(), Request{URL: "https://receiver.example/hook", Timeout: longLimit})
				if got.Outcome != TLSError || !strings.Contains(got.Err, "another host name") {
					t.Errorf("call %d of another name: %s (%s)", i, got.Outcome, got.Err)
				}
			}
			const me = " Basic bWU6cEBzcw=="
			want := []string{
				"POST http://receiver.example:81/hook?a=b receiver.example:81" + me,
				"CONNECT receiver.example:443 receiver.example:443" + me,
				"CONNECT receiver.example:443 receiver.example:443" + me,
			}
			if got := x.saw(); !slices.Equal(got, want) {
				t.Errorf("the proxy was asked for %q, want %q", got, want)
			}
			if got := client.Do(t.Context(), Request{URL: "http://127.0.0.1/"}); got.Outcome != Blocked {
				t.Errorf("loopback through the proxy: %s", got.Outcome)
			}
			if got := x.saw(); len(got) != len(want) {
				t.Errorf("the proxy was asked for %q", got[len(want):])
			}
		})
	}
}

// A tunnel is used again, and the receiver's answers are not the proxy's.
func TestATunnelLeadsToTheReceiver(t *testing.T) {
	ours := newAuthority(t)
	receiver := serveTLSWith(t, &tls.Config{Certificates: []tls.Certificate{ours.leaf(nil)}},
		func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+r.RequestURI) })
	address := strings.TrimPrefix(receiver, "https://")
	for _, scheme := range []string{"http", "https"} {
		x := &testProxy{receiver: address, answer: connected}
		p := x.behind(t, scheme, ours)
		p.Allow = loopback().Allow
		client := newClient(t, p, Options{})
		for i := range 3 {
			got := client.Do(t.Context(), Request{URL: receiver + "/hook", Timeout: longLimit})
			if got.Outcome != Success || string(got.Body) != address+"/hook" || got.Timing.Reused != (i > 0) ||
				got.RemoteAddr != "" {
				t.Errorf("%s, call %d: %s (%s), %q from %q, reused %t",
					scheme, i, got.Outcome, got.Err, got.Body, got.RemoteAddr, got.Timing.Reused)
			}
		}
	}
}

func TestDoReportsAProxyThatDoesNotLetItPass(t *testing.T) {
	ours := newAuthority(t)
	for name, tt := range map[string]struct {
		answer  string
		want    Outcome
		message string
	}{
		"refuses":           {"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nno", ConnectError, "proxy"},
		"wants a password":  {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", ConnectError, "proxy"},
		"speaks for others": {connected + "HTTP/1.1 200 OK\r\n\r\n", ConnectError, "proxy"},
		"speaks no HTTP":    {"SSH-2.0-x\r\n\r\n", ConnectError, "could not be reached"},
		"breaks off":        {"HTTP/1.1 200 OK\r\nA:", ConnectError, "could not be reached"},
		"says too much":     {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", http1.MaxHeaderBytes), ConnectError, "could not"},
	} {
		t.Run(name, func(t *testing.T) {
			listener := listen(t)
			defer func() { _ = listener.Close() }()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				_, _ = io.WriteString(conn, tt.answer)
				_ = conn.Close()
			}()
			p := Policy{Proxy: must(url.Parse("http://" + listener.Addr().String())), RootCAs: ours.pool()}
			client := newClient(t, p, Options{})
			got := client.Do(t.Context(), Request{URL: "https://receiver.example/", Timeout: longLimit})
			if got.Outcome != tt.want || !strings.Contains(got.Err, tt.message) || got.RemoteAddr != "" {
				t.Errorf("outcome = %s (%s), remote address %q", got.Outcome, got.Err, got.RemoteAddr)
			}
		})
	}
}

func TestDoGivesUpOnASilentProxy(t *testing.T) {
	listener := listen(t) // it accepts nothing
	defer func() { _ = listener.Close() }()
	for _, scheme := range []string{"http", "https"} {
		p := Policy{Proxy: must(url.Parse(scheme + "://" + listener.Addr().String()))}
		client := newClient(t, p, Options{})
		got := client.Do(t.Context(), Request{URL: "https://receiver.example/", Timeout: hangLimit})
		if got.Outcome != Timeout {
			t.Errorf("%s: outcome = %s (%s)", scheme, got.Outcome, got.Err)
		}
	}
}
