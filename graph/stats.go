package graph

import (
	"math"
	"time"

	"portalhooks/delivery/service"
	"portalhooks/graph/gen"
)

func deliveryStats(s *service.Stats) *gen.DeliveryStats {
	out := &gen.DeliveryStats{
		From: s.From, To: s.To, Total: deliveryCounts(s.Total),
		Outcomes: make([]*gen.OutcomeCount, len(s.Outcomes)), Buckets: make([]*gen.StatsBucket, len(s.Buckets)),
	}
	for i, o := range s.Outcomes {
		out.Outcomes[i] = &gen.OutcomeCount{Outcome: o.Outcome, Attempts: atMost32(o.Attempts)}
	}
	for i, b := range s.Buckets {
		out.Buckets[i] = &gen.StatsBucket{From: b.From, To: b.To, Counts: deliveryCounts(b.Counts)}
	}
	return out
}

func deliveryCounts(c service.Counts) *gen.DeliveryCounts {
	out := &gen.DeliveryCounts{
		Delivered: atMost32(c.Delivered), Failed: atMost32(c.Failed), Canceled: atMost32(c.Canceled),
		Attempts: atMost32(c.Attempts),
	}
	if share, ok := c.SuccessShare(); ok {
		out.SuccessShare = &share
	}
	if p50, ok := c.Durations.Quantile(0.50); ok {
		out.P50Ms = inMilliseconds(p50)
	}
	if p95, ok := c.Durations.Quantile(0.95); ok {
		out.P95Ms = inMilliseconds(p95)
	}
	return out
}

// atMost32 returns n, limited to the range of Int.
func atMost32(n int64) int32 { return int32(min(n, math.MaxInt32)) }

func inMilliseconds(d time.Duration) *float64 {
	ms := float64(d.Microseconds()) / 1000
	return &ms
}
