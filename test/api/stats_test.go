package api

import (
	"testing"

	"portalhooks/test/harness"
)

// The counts of an organization and of its webhook are those of what was
// delivered, and what counts can't answer is refused.
func TestStatsCountWhatWasDelivered(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		w.Report(t, "tenant-b", 50, 4) // in addition to the reports of NewWorld, some for several webhooks
		list := w.Must(t, w.B.Viewer, `{ organization(id: "tenant-b") {
			deliveries(first: 100, filter: {states: [DELIVERED], triggers: [EVENT, REDELIVERY]}) {
				nodes { id } } } }`, nil)
		delivered := len(list.List(t, "organization.deliveries.nodes"))
		a := w.Must(t, w.B.Viewer, fill(`query ($filter: DeliveryFilter) { organization(id: "tenant-b") {
			deliveryStats(window: LAST_24_HOURS, filter: $filter) {
				from to total { delivered failed canceled attempts successShare p50Ms p95Ms }
				outcomes { outcome attempts } buckets { from to counts { delivered p95Ms } } } }
			node(id: @webhook) { ... on Webhook { health {
				last24Hours { delivered attempts successShare p50Ms } } } } }`,
			w.B.Names, nil), map[string]any{"filter": map[string]any{"states": []string{"DELIVERED"}}})
		const stats = "organization.deliveryStats."
		for path, want := range map[string]any{
			"total.delivered": float64(delivered), "total.failed": 0.0, "total.successShare": 1.0,
			"outcomes.0.outcome": "SUCCESS", "outcomes.0.attempts": float64(delivered), "outcomes.1": nil,
			"buckets.0.counts.delivered": 0.0, "buckets.0.counts.p95Ms": nil,
			"to": a.Find(stats + "buckets.23.to"), "from": a.Find(stats + "buckets.0.from"),
		} {
			if got := a.Find(stats + path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		p50, _ := a.Find(stats + "total.p50Ms").(float64)
		p95, _ := a.Find(stats + "total.p95Ms").(float64)
		if delivered == 0 || p50 <= 0 || p95 < p50 {
			t.Errorf("%d deliveries took %v ms, 95 of 100 at most %v ms", delivered, p50, p95)
		}
		if n, _ := a.Find("node.health.last24Hours.delivered").(float64); n == 0 || n > float64(delivered) {
			t.Errorf("the webhook has %v deliveries of %d", n, delivered)
		}
		refused := w.Ask(t, w.B.Viewer, `{ organization(id: "tenant-b") {
			deliveryStats(window: LAST_7_DAYS, filter: {text: "x"}) { from } } }`, nil)
		if got := refused.Code(); got != "BAD_USER_INPUT" {
			t.Errorf("a filter by text is refused with %s: %s", got, refused.Body)
		}
	})
}
