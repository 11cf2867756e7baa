package service

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// BenchmarkPipeline measures everything between ingest's commit and the settled
// result but the database, with a receiver in the same process.
func BenchmarkPipeline(b *testing.B) {
	for _, hooks := range []int{1, 16} {
		b.Run(fmt.Sprintf("webhooks=%d", hooks), func(b *testing.B) { benchmarkPipeline(b, hooks) })
	}
}

func benchmarkPipeline(b *testing.B, hooks int) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	policy := egress.Policy{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowHTTP: true, AnyPort: true,
	}
	client := egress.NewClient(policy, egress.Options{UserAgent: "Portalhooks/dev"})
	defer client.Close()
	r := newRig(b, Options{Concurrency: 64, Memory: 16_384, Egress: policy}, nil)
	r.post = client.Do
	var webhooks []delivery.Webhook
	for i := range hooks {
		webhooks = append(webhooks, r.webhook(fmt.Sprintf("%s/%d", receiver.URL, i)))
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()

	const batch = 960
	b.ReportAllocs()
	for b.Loop() {
		r.ingest(batch/hooks, webhooks...)
		for r.unsettled() {
			<-r.store.Told
		}
	}
	b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

func (r *rig) unsettled() (waiting bool) {
	r.store.Change(func() { waiting = len(r.store.Queued()) > 0 })
	return waiting
}
