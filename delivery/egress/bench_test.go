package egress

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// These benchmarks make the same call to the same kind of receiver, which is
// in the same process and part of the figures.

func BenchmarkDo(b *testing.B) {
	url, body, header := receiver(b)
	client := newClient(b, loopback(), Options{})
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			got := client.Do(b.Context(), Request{URL: url, Header: header, Body: body})
			if got.Outcome != Success {
				b.Errorf("outcome = %s: %s", got.Outcome, got.Err)
			}
		}
	})
}

func BenchmarkBareClient(b *testing.B) {
	url, body, header := receiver(b)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := must(http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body)))
			req.Header = header.Clone()
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}

func BenchmarkValidateURL(b *testing.B) {
	g := newGuard(Policy{}.withDefaults())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.validate("https://hooks.example.com/services/T0/B0/x?y=z"); err != nil {
			b.Fatal(err)
		}
	}
}

func receiver(b *testing.B) (url string, body []byte, header http.Header) {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	}))
	b.Cleanup(server.Close)
	return server.URL, bytes.Repeat([]byte("x"), 1024), http.Header{
		"Content-Type":      {"application/json"},
		"Webhook-Id":        {"dlv_0123456789"},
		"Webhook-Timestamp": {"1700000000"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
}
