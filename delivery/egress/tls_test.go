package egress

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// An authority signs certificates that the tests' clients trust.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	return authority{must(x509.ParseCertificate(der)), key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// leaf returns a certificate for 127.0.0.1, after edit.
func (a authority) leaf(edit func(*x509.Certificate)) tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if edit != nil {
		edit(template)
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serveTLS serves 204 with config until the test ends.
func serveTLS(t testing.TB, config *tls.Config) (url string) {
	t.Helper()
	return serveTLSWith(t, config, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
}

func serveTLSWith(t testing.TB, config *tls.Config, do http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client hangs up
		do(w, r)
	}))
	server.TLS = config
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func TestDoAndTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	with := func(cert tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{cert}} }
	old := with(ours.leaf(nil))
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	client12 := with(ours.leaf(nil))
	client12.MaxVersion = tls.VersionTLS12
	wantsCert := with(ours.leaf(nil))
	wantsCert.ClientAuth = tls.RequireAnyClientCert
	wantsCert.MaxVersion = tls.VersionTLS12 // later versions refuse after the handshake

	for name, tt := range map[string]struct {
		config  *tls.Config
		want    Outcome
		message string
	}{
		"good":          {with(ours.leaf(nil)), Success, ""},
		"good, TLS 1.2": {client12, Success, ""},
		"expired": {with(ours.leaf(func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Minute)
		})), TLSError, "expired"},
		"not yet valid": {with(ours.leaf(func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(time.Minute)
		})), TLSError, "not valid yet"},
		"another host": {with(ours.leaf(func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)}
		})), TLSError, "another host name"},
		"for clients only": {with(ours.leaf(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})), TLSError, "not valid for this use"},
		"unknown authority":   {with(other.leaf(nil)), TLSError, "unknown authority"},
		"old version":         {old, TLSError, "handshake failed"},
		"wants a certificate": {wantsCert, TLSError, "handshake failed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := loopback()
			p.RootCAs = ours.pool()
			client := newClient(t, p, Options{})
			url := serveTLS(t, tt.config)
			got := client.Do(t.Context(), Request{URL: url, Body: []byte("{}"), Timeout: longLimit})
			if got.Outcome != tt.want || !strings.Contains(got.Err, tt.message) {
				t.Errorf("outcome = %s, %q, want %s saying %q", got.Outcome, got.Err, tt.want, tt.message)
			}
			if got.Timing.TLS <= 0 || got.Timing.Connect <= 0 {
				t.Errorf("timing = %+v, want both steps of the connection", got.Timing)
			}
		})
	}
}

func TestDoAndServersThatSpeakNoTLS(t *testing.T) {
	for name, tt := range map[string]struct {
		answer fault
		limit  time.Duration
		want   Outcome
	}{
		"plain HTTP":        {say("HTTP/1.1 400 Bad Request\r\n\r\n"), longLimit, TLSError},
		"garbage":           {say("\x00\x01\x02 what?"), longLimit, TLSError},
		"closes at once":    {say(""), longLimit, TLSError},
		"resets at once":    {reset(""), longLimit, TLSError},
		"hangs":             {sayAndHang(""), hangLimit, Timeout},
		"hangs in a record": {sayAndHang("\x16\x03\x03\x00\x40"), hangLimit, Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveRaw(t, tt.answer)
			client := newClient(t, loopback(), Options{})
			got := client.Do(t.Context(), Request{URL: "https://" + address, Timeout: tt.limit})
			if got.Outcome != tt.want || got.RemoteAddr != address {
				t.Errorf("outcome = %s, %q from %q, want %s", got.Outcome, got.Err, got.RemoteAddr, tt.want)
			}
			if tt.want == Timeout && !strings.Contains(got.Err, "TLS") {
				t.Errorf("sentence = %q, want it to name the handshake", got.Err)
			}
		})
	}
}

func TestAnAlertAfterTheHandshakeIsATLSError(t *testing.T) {
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}
	got, _ := ofFailure(t.Context(), t.Context(), alert, waiting, time.Second)
	if got != TLSError {
		t.Errorf("outcome = %s, want %s", got, TLSError)
	}
}

// Most receivers offer HTTP/2 as well.
func TestDoSpeaksHTTP11AndKeepsItsConnection(t *testing.T) {
	ours := newAuthority(t)
	p := loopback()
	p.RootCAs = ours.pool()
	client := newClient(t, p, Options{})
	url := serveTLSWith(t, &tls.Config{Certificates: []tls.Certificate{ours.leaf(nil)}},
		func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	for i := range 3 {
		got := client.Do(t.Context(), Request{URL: url, Body: []byte("{}")})
		if got.Outcome != Success || string(got.Body) != "HTTP/1.1" || got.Timing.Reused != (i > 0) {
			t.Errorf("call %d: %s (%s), %s, reused %t", i, got.Outcome, got.Err, got.Body, got.Timing.Reused)
		}
	}
}

func TestDoSaysThatAReceiverSpeaksAnotherProtocol(t *testing.T) {
	ours := newAuthority(t)
	p := loopback()
	p.RootCAs = ours.pool()
	listener := tls.NewListener(listen(t), &tls.Config{
		Certificates: []tls.Certificate{ours.leaf(nil)},
		NextProtos:   []string{"other"}, // Go's own would speak HTTP/1.1 where it says "h2"
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := listener.Accept(); err == nil {
			_, _ = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
	}()
	got := newClient(t, p, Options{}).Do(t.Context(), Request{URL: "https://" + listener.Addr().String()})
	if got.Outcome != TLSError || !strings.Contains(got.Err, "does not speak HTTP/1.1") {
		t.Errorf("outcome = %s (%s)", got.Outcome, got.Err)
	}
	_ = listener.Close()
	<-done
}

func TestDoSurvivesFaultsOverTLS(t *testing.T) {
	endless := func(w http.ResponseWriter) {
		for _, err := w.Write(make([]byte, 1024)); err == nil; {
			_, err = w.Write(make([]byte, 1024))
		}
	}
	for name, tt := range map[string]struct {
		do    http.HandlerFunc
		limit time.Duration
		want  Outcome
		bytes int64
	}{
		"hangs before an answer": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, hangLimit, Timeout, 0},
		"hangs in the body": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "abc")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, hangLimit, Timeout, 3},
		"endless body": {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, longLimit, Success, MaxRead},
		"endless error body": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			endless(w)
		}, longLimit, HTTPError, MaxRead},
		"large headers": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 200 {
				w.Header().Set("X-"+strings.Repeat("a", i), strings.Repeat("v", 1024))
			}
		}, longLimit, ResponseError, 0},
		"breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "abc")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, longLimit, ResponseError, 3},
	} {
		t.Run(name, func(t *testing.T) {
			ours := newAuthority(t)
			p := loopback()
			p.RootCAs = ours.pool()
			url := serveTLSWith(t, &tls.Config{Certificates: []tls.Certificate{ours.leaf(nil)}}, tt.do)
			got := newClient(t, p, Options{}).Do(t.Context(), Request{URL: url, Body: []byte("{}"), Timeout: tt.limit})
			if got.Outcome != tt.want || got.BodyBytes != tt.bytes {
				t.Errorf("%s (%s) after %d bytes, want %s after %d",
					got.Outcome, got.Err, got.BodyBytes, tt.want, tt.bytes)
			}
		})
	}
}

// serveRaw lets answer speak as soon as it has seen the first byte.
func serveRaw(t *testing.T, answer fault) (address string) {
	t.Helper()
	listener := listen(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if _, err := bufio.NewReader(conn).ReadByte(); err == nil {
			answer(conn, stop)
		}
	}()
	t.Cleanup(func() {
		close(stop)
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}
