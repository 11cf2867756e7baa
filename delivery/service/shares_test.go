package service

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
)

// One organization has twenty webhooks whose receivers answer after 29 seconds,
// which no circuit breaker minds, and more for them than memory holds. The other
// organization's alerts and ordinary events are sent at once all the same.
func TestSlowReceiversOfOneOrganizationLeaveWorkersToOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slowly := answers{}
		r := newRig(t, Options{}, slowly)
		var many []delivery.Webhook
		for i := range 20 {
			url := fmt.Sprintf("https://slow-%d.example/", i)
			slowly[url] = slow(29 * time.Second)
			many = append(many, r.webhook(url, bulk, func(w *delivery.Webhook) {
				w.Version.Policy.Concurrency, w.Version.Policy.Timeout = 64, 30*time.Second
			}))
		}
		other := r.organization(2, "other")
		var alert, ordinary delivery.Webhook
		r.as(other, func() {
			alert = r.webhook(okURL)
			ordinary = r.webhook(hangURL, bulk)
		})
		r.queued(300, many...)
		r.start()
		time.Sleep(3 * time.Second)
		for n := range 40 {
			r.ingest(5, many...)
			for _, w := range []delivery.Webhook{alert, ordinary} {
				before := len(r.sentTo(w.Version.Target))
				r.as(other, func() { r.ingest(1, w) })
				synctest.Wait()
				if got := len(r.sentTo(w.Version.Target)); got != before+1 {
					t.Fatalf("event %d to %s was not sent at once", n, w.Version.Target)
				}
			}
			time.Sleep(1700 * time.Millisecond)
		}
		if n := len(r.sent()); n < 100 {
			t.Errorf("%d calls: the slow organization has no share at all", n)
		}
	})
}
