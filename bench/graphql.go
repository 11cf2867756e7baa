package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery/loop"
)

// graphql measures end to end: from the mutation to the receiver.
func (b *bench) graphql(ctx context.Context, s *roundFixtures) (sample, error) {
	return b.deliverThroughAPI(ctx, s.server)
}

func (b *bench) deliverThroughAPI(ctx context.Context, s *serverProcess) (sample, error) {
	before, err := s.delivered(ctx)
	if err != nil {
		return sample{}, err
	}
	meter, err := b.startMeter(ctx)
	if err != nil {
		return sample{}, err
	}
	l := startLoad(ctx, b.o.shape(), meter.received, func(ctx context.Context, n int) error {
		return s.ingest(ctx, endpoints, n, noMark)
	})
	taken, err := b.windowErr(ctx, func() (int64, error) { return s.delivered(ctx) }, serverRole, dataRole)
	err = errors.Join(err, l.end(), meter.end())
	if err != nil {
		return sample{}, err
	}
	return taken, s.finish(ctx, before+l.sent.Load())
}

// finish waits until the server has made n deliveries in total.
func (s *serverProcess) finish(ctx context.Context, n int64) error {
	return until(ctx, 10*time.Millisecond, fmt.Sprintf("%d deliveries are made", n), func() (bool, error) {
		done, err := s.delivered(ctx)
		return done >= n, err
	})
}

// meterPause is the polling interval of a meter.
const meterPause = 5 * time.Millisecond

// A meter polls the number of calls that the receiver has got since the start.
type meter struct {
	now   atomic.Int64
	stop  context.CancelFunc
	ended chan error
}

func (b *bench) startMeter(ctx context.Context) (*meter, error) {
	before, err := b.receiver.count(ctx)
	if err != nil {
		return nil, err
	}
	m := &meter{ended: make(chan error, 1)}
	asking, stop := context.WithCancel(ctx)
	m.stop = stop
	go func() {
		for loop.Sleep(asking, meterPause) {
			n, err := b.receiver.count(ctx)
			if err != nil {
				m.ended <- err
				return
			}
			m.now.Store(n - before)
		}
		m.ended <- nil
	}()
	return m, nil
}

func (m *meter) received() int64 { return m.now.Load() }

func (m *meter) end() error {
	m.stop()
	return <-m.ended
}

// ingestAcks measures the rate of acknowledged events that match no webhook.
func (b *bench) ingestAcks(ctx context.Context, s *roundFixtures) (sample, error) {
	return b.acks(ctx, s, noMark)
}

// devices is the number of devices in fleetAcks.
const devices = 5000

// fleetAcks is ingestAcks for the alerts of many devices, each of which forms a group
// of its own.
func (b *bench) fleetAcks(ctx context.Context, s *roundFixtures) (sample, error) {
	var last atomic.Int64
	return b.acks(ctx, s, func() string {
		return fmt.Sprintf("Device %d", last.Add(1)*7919%devices) // a prime spreads consecutive numbers
	})
}

func (b *bench) acks(ctx context.Context, s *roundFixtures, mark func() string) (sample, error) {
	var mu sync.Mutex
	var waits []float64
	l := startLoad(ctx, b.o.shape(), nil, func(ctx context.Context, n int) error {
		began := time.Now()
		err := s.server.ingest(ctx, 0, n, mark)
		took := milliseconds(time.Since(began))
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, took)
		return err
	})
	taken, err := b.window(ctx, l.sent.Load, serverRole, dataRole)
	err = errors.Join(err, l.end())
	taken.waits = waits
	return taken, err
}
