package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// calm is the rate at which latency is measured, in events a second.
const calm = 100

// latency measures how long an event takes from the mutation to the receiver
// on a server that has little to do.
func (b *bench) latency(ctx context.Context) error {
	return b.withServer(ctx, 1, endpoints, func(s *served) error {
		// The first events fill caches and open connections.
		if _, err := b.paced(ctx, s, steady{hooks: endpoints, rate: calm, d: b.o.Duration / warmUp}); err != nil {
			return err
		}
		if err := b.receiver.reset(ctx); err != nil {
			return err
		}
		from := b.host.read()
		acks, err := b.paced(ctx, s, steady{hooks: endpoints, rate: calm, d: 2 * b.o.Duration})
		if err != nil {
			return err
		}
		used := b.host.since(from)
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

// withServer uses a server over a new world.
func (b *bench) withServer(ctx context.Context, first, hooks int, use func(*served) error) (err error) {
	w, err := b.newWorld(ctx, first, hooks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.drop(ctx)) }()
	s, err := b.serve(ctx, w)
	if err != nil {
		return err
	}
	return errors.Join(use(s), s.close())
}

// A steady load is one event after the other, about the alerts in turn.
type steady struct {
	hooks int
	rate  int // events a second
	d     time.Duration
	hang  bool // whether one of the endpoints does not answer
}

// paced submits marked events at a steady rate whatever becomes of them, and
// returns how many milliseconds each took to be acknowledged. It waits until
// all that can be delivered are.
func (b *bench) paced(ctx context.Context, s *served, load steady) ([]float64, error) {
	before, err := s.delivered(ctx)
	if err != nil {
		return nil, err
	}
	n := max(1, int(load.d.Seconds()*float64(load.rate)))
	var mu sync.Mutex
	var all sync.WaitGroup
	var acks []float64
	var errs []error
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(load.rate))
		if err := wait(ctx, time.Until(due)); err != nil {
			errs = append(errs, err)
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
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	made := before + int64(n)
	if load.hang {
		made -= int64(n/load.hooks) + 1 // at most as many are for one endpoint
	}
	return acks, s.finish(ctx, made)
}
