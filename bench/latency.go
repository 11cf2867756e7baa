package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"portalhooks/delivery/loop"
)

// latencyRate is the load during latency in events per second.
const latencyRate = 100

// latency measures the time from the mutation to the receiver under light load.
func (b *bench) latency(ctx context.Context) error {
	return b.withServer(ctx, 1, endpoints, func(s *serverProcess) error {
		// Warm-up: the first events fill caches and open connections.
		load := steadyLoad{hooks: endpoints, rate: latencyRate, d: b.o.Duration / warmUp}
		if _, err := b.submitSteadily(ctx, s, load); err != nil {
			return err
		}
		if err := b.receiver.reset(ctx); err != nil {
			return err
		}
		from := b.procfs.read()
		load.d = 2 * b.o.Duration
		acks, err := b.submitSteadily(ctx, s, load)
		if err != nil {
			return err
		}
		used := b.procfs.since(from)
		delays, err := b.receiver.delays(ctx)
		if err != nil {
			return err
		}
		f := Figure{
			Name: "latency", Title: "mutation to receiver, p50 at 100/s", Value: percentile(delays, 50), Unit: "ms",
			CPU: used.perThousand(float64(len(delays)), serverRole, dataRole), Others: used.share(),
			Note: fmt.Sprintf("p99 %s ms; acknowledged after %s ms (p50) and %s ms (p99); %d events.",
				short(percentile(delays, 99)), short(percentile(acks, 50)), short(percentile(acks, 99)), len(delays)),
		}
		f.Score = f.Value - percentile(acks, 50)
		b.report.add(f)
		return nil
	})
}

// withServer calls use with a server on a new fixture.
func (b *bench) withServer(
	ctx context.Context, first, hooks int, use func(*serverProcess) error,
) (err error) {
	fx, err := b.newFixture(ctx, first, hooks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fx.drop(ctx)) }()
	s, err := b.serve(ctx, fx)
	if err != nil {
		return err
	}
	return errors.Join(use(s), s.close())
}

// A steadyLoad submits one event at a time at a constant rate.
type steadyLoad struct {
	hooks int
	rate  int // events per second
	d     time.Duration
	hang  bool // whether one of the endpoints does not respond
}

// submitSteadily submits marked events at a constant rate and returns the time to
// their acknowledgment in milliseconds. It waits until all of them are delivered,
// except those to the endpoint that hangs.
func (b *bench) submitSteadily(ctx context.Context, s *serverProcess, load steadyLoad) ([]float64, error) {
	before, err := s.delivered(ctx)
	if err != nil {
		return nil, err
	}
	acks, err := b.submitAll(ctx, s, load)
	if err != nil {
		return nil, err
	}
	made := before + int64(len(acks))
	if load.hang {
		made -= int64(len(acks)/load.hooks) + 1 // the maximum for one endpoint
	}
	return acks, s.finish(ctx, made)
}

// submitAll submits marked events at a constant rate, regardless of the server's
// speed, and returns the time to their acknowledgment in milliseconds.
func (b *bench) submitAll(ctx context.Context, s *serverProcess, load steadyLoad) ([]float64, error) {
	n := max(1, int(load.d.Seconds()*float64(load.rate)))
	var mu sync.Mutex
	var all sync.WaitGroup
	var acks []float64
	var errs []error
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(load.rate))
		if !loop.Sleep(ctx, time.Until(due)) {
			errs = append(errs, ctx.Err())
			break
		}
		all.Go(func() {
			sent := time.Now()
			err := s.ingest(ctx, load.hooks, 1, sentNow)
			took := milliseconds(time.Since(sent))
			mu.Lock()
			defer mu.Unlock()
			acks = append(acks, took)
			errs = append(errs, err)
		})
	}
	all.Wait()
	return acks, errors.Join(errs...)
}
