package egress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/test/faults"
)

// selfSigned returns a self-signed certificate for 127.0.0.1.
func selfSigned() tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Every bad certificate, version and handshake is a failed call that says what
// is wrong, and no request is sent over it.
func TestTortureTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	with := func(cert tls.Certificate, versions ...uint16) *tls.Config {
		config := &tls.Config{Certificates: []tls.Certificate{cert}}
		if len(versions) > 0 {
			config.MinVersion, config.MaxVersion = versions[0], versions[0]
		}
		return config
	}
	edited := func(edit func(*x509.Certificate)) *tls.Config { return with(ours.leaf(edit)) }
	for name, tt := range map[string]struct {
		config  *tls.Config
		message string
	}{
		"expired": {edited(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "expired"},
		"not valid yet": {edited(func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(time.Hour)
		}), "not valid yet"},
		"for another name": {edited(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"elsewhere.test"}
		}), "another host name"},
		"without any name":  {edited(func(c *x509.Certificate) { c.IPAddresses = nil }), ""},
		"self-signed":       {with(selfSigned()), "unknown authority"},
		"unknown authority": {with(other.leaf(nil)), "unknown authority"},
		"TLS 1.0":           {with(ours.leaf(nil), tls.VersionTLS10), "handshake"},
		"TLS 1.1":           {with(ours.leaf(nil), tls.VersionTLS11), "handshake"},
	} {
		asked := false
		raw := serveTLSWith(t, tt.config, func(http.ResponseWriter, *http.Request) { asked = true })
		p := loopback()
		p.RootCAs = ours.pool()
		got := newClient(t, p, Options{}).Do(t.Context(), Request{URL: raw, Body: []byte("{}"), Timeout: longLimit})
		if got.Outcome != TLSError || !strings.Contains(got.Err, tt.message) || asked {
			t.Errorf("%s: %s, %q, request sent %t, want %s saying %q",
				name, got.Outcome, got.Err, asked, TLSError, tt.message)
		}
		faults.Result{Fault: "TLS: " + name, Rounds: 1, Note: string(got.Outcome) + ", nothing sent"}.Report(t)
	}
	for name, tt := range map[string]struct {
		answer fault
		limit  time.Duration
		want   Outcome
	}{
		"a handshake that hangs":           {sayAndHang(""), hangLimit, Timeout},
		"a handshake that hangs in a part": {sayAndHang("\x16\x03\x03\x00\x40"), hangLimit, Timeout},
		"a handshake byte by byte":         {drip("\x16\x03\x03\x3f\xff", 10*time.Millisecond), hangLimit, Timeout},
		"garbage for a handshake":          {say("\x00\x01\x02 what?"), longLimit, TLSError},
		"a reset in the handshake":         {reset(""), longLimit, TLSError},
	} {
		address := serveRaw(t, tt.answer)
		client := newClient(t, loopback(), Options{})
		got := client.Do(t.Context(), Request{URL: "https://" + address, Timeout: tt.limit})
		if got.Outcome != tt.want {
			t.Errorf("%s: %s, %q, want %s", name, got.Outcome, got.Err, tt.want)
		}
		faults.Result{Fault: "TLS: " + name, Rounds: 1, Note: string(got.Outcome)}.Report(t)
	}
}

// A name that can't be resolved is a failed call, soon: no lookup lasts for
// longer than five seconds. One with a thousand addresses is tried within the
// deadline.
func TestTortureDNS(t *testing.T) {
	if limit := (Options{}).withDefaults().LookupTimeout; limit > 5*time.Second {
		t.Errorf("a lookup may take %s, want 5 s at most", limit)
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	port := must(url.Parse(server.URL)).Port()
	hosts := func(first byte) (all []string) {
		for i := range 1000 {
			all = append(all, netip.AddrFrom4([4]byte{first, 0, byte(i >> 8), byte(i)}).String())
		}
		return all
	}
	cases := map[string]struct {
		zone zone
		want Outcome
	}{
		"NXDOMAIN":                       {fails(rcodeNXDomain), DNSError},
		"SERVFAIL":                       {fails(rcodeServFail), DNSError},
		"REFUSED":                        {fails(5), DNSError},
		"no answer":                      {silent, DNSError},
		"no address":                     {leadsTo(), DNSError},
		"1,000 private addresses":        {leadsTo(hosts(10)...), DNSError},
		"1,000 addresses, one of a host": {leadsTo(append(hosts(10), "127.0.0.1")...), Success},
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		tt := cases[name]
		p := loopback()
		p.Resolver = tt.zone.resolver(t)
		lookup := time.Duration(0) // the default
		if name == "no answer" {
			lookup = 200 * time.Millisecond
		}
		client := newClient(t, p, Options{LookupTimeout: lookup})
		got := client.Do(t.Context(), Request{URL: "http://receiver.test:" + port, Timeout: longLimit})
		if got.Outcome != tt.want || got.Duration >= longLimit {
			t.Errorf("%s: %s (%s) after %s, want %s before the deadline",
				name, got.Outcome, got.Err, got.Duration, tt.want)
		}
		faults.Result{
			Fault: "DNS: " + name, Rounds: 1,
			Note: fmt.Sprintf("%s after %d ms", got.Outcome, got.Duration.Milliseconds()),
		}.Report(t)
	}
	// A thousand addresses that all refuse: the deadline holds.
	p := loopback()
	p.Resolver = leadsTo(hosts(127)...).resolver(t)
	const limit = time.Second
	got := newClient(t, p, Options{}).Do(t.Context(), Request{URL: "http://receiver.test:1", Timeout: limit})
	if got.Outcome != ConnectError && got.Outcome != Timeout {
		t.Errorf("1,000 addresses that refuse: %s (%s)", got.Outcome, got.Err)
	}
	faults.Result{
		Fault: "DNS: 1,000 addresses that refuse", Rounds: 1,
		Note: fmt.Sprintf("%s after %d ms of %d", got.Outcome, got.Duration.Milliseconds(), limit.Milliseconds()),
	}.Report(t)
}
