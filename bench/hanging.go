package bench

import (
	"context"
	"fmt"
)

const (
	hangingHooks = 100
	hangingRate  = 400 // events per second, over all endpoints
	quickRate    = 100 // the same in a quick run
)

// hanging measures the effect of an endpoint that does not respond on the others.
func (b *bench) hanging(ctx context.Context) error {
	return b.withServer(ctx, hangingHook, hangingHooks, func(s *serverProcess) error {
		// Warm-up: the first events fill caches and open connections.
		if _, err := b.othersDelay(ctx, s, false); err != nil {
			return err
		}
		var with, without, ratios []float64
		for range b.o.Rounds {
			for _, hang := range []bool{false, true} {
				p99, err := b.othersDelay(ctx, s, hang)
				if err != nil {
					return err
				}
				if hang {
					with = append(with, p99)
				} else {
					without = append(without, p99)
				}
			}
			ratios = append(ratios, ratio(with[len(with)-1], without[len(without)-1]))
		}
		b.report.add(Figure{
			Name: "hanging", Title: "p99 of 99 endpoints while one hangs", Value: median(with), Unit: "ms",
			Score: median(ratios), Rounds: with,
			Note: fmt.Sprintf("%s ms when none hangs; %d events/s over %d endpoints.",
				short(median(without)), b.o.size(quickRate, hangingRate, hangingRate), hangingHooks),
		})
		return nil
	})
}

// othersDelay returns the 99th percentile of the delays of all endpoints but the first.
// When it returns, the first one has got its deliveries too.
func (b *bench) othersDelay(ctx context.Context, s *serverProcess, hang bool) (float64, error) {
	before, err := s.delivered(ctx)
	if err != nil {
		return 0, err
	}
	if err := b.receiver.reset(ctx); err != nil {
		return 0, err
	}
	if hang {
		if err := b.receiver.hang(ctx); err != nil {
			return 0, err
		}
	}
	rate := b.o.size(quickRate, hangingRate, hangingRate)
	load := steadyLoad{hooks: hangingHooks, rate: rate, d: b.o.Duration, hang: hang}
	acks, err := b.submitSteadily(ctx, s, load)
	if err != nil {
		return 0, err
	}
	delays, err := b.receiver.delays(ctx)
	if err != nil {
		return 0, err
	}
	if err := b.receiver.reset(ctx); err != nil {
		return 0, err
	}
	return percentile(delays, 99), s.finish(ctx, before+int64(len(acks)))
}
