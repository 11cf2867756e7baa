package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
)

// A shape describes a load: the number of concurrent callers and the size of the
// batches that each of them submits one after the other.
type shape struct {
	callers, batch int
	// Ahead is how many events the callers may be ahead of the deliveries before they
	// pause. They fit in the server's memory: draining the queue is a separate
	// measurement.
	ahead int
}

// shape returns the shape of a run's load.
func (o Options) shape() shape {
	if o.Quick {
		return shape{callers: 4, batch: 20, ahead: 100}
	}
	return shape{callers: 16, batch: 100, ahead: 2_000}
}

// A numberer assigns a unique number to every event of a run.
type numberer struct{ last atomic.Int64 }

func (n *numberer) next() int64 { return n.last.Add(1) }

// sourceID returns an id in Portal's format: 24 hexadecimal digits that start with the
// seconds and end with a counter.
func sourceID(at time.Time, number int64) string {
	return fmt.Sprintf("%08x5c0ffee001%06x", uint32(at.Unix()), number&0xffffff)
}

// reports returns n reports that rotate over the alerts, or are about quietAlert if
// there are no hooks.
func (b *bench) reports(hooks, n int) []delivery.Report {
	now := time.Now().UTC()
	reports := make([]delivery.Report, n)
	for i := range reports {
		number := b.numbers.next()
		alert := quietAlert
		if hooks > 0 {
			alert = alertID(int(number) % hooks)
		}
		reports[i] = delivery.Report{
			OrganizationID: orgRef, SourceEventID: sourceID(now, number), OccurredAt: now,
			ActiveAlert: &delivery.ActiveAlertReport{Alert: delivery.ReportedAlert{
				ID: alert, Name: "Low disk space", Information: "Drive C: 2 GB free of 237 GB",
				Start: now, Element: unmarked, Severity: "WARNING", Category: "Performance",
			}},
		}
	}
	return reports
}

// ingest submits a batch to the engine.
func (e *engine) ingest(ctx context.Context, reports []delivery.Report) error {
	results, err := e.service.Ingest(ctx, portal, reports)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Status != delivery.Accepted {
			return fmt.Errorf("a report was not accepted (%s): %w", r.Status, r.Errors)
		}
	}
	return nil
}

// A load is a group of callers that submit until they are stopped.
type load struct {
	sent atomic.Int64 // events acknowledged

	stop   context.CancelFunc
	all    sync.WaitGroup
	failed chan error
}

// startLoad starts callers that repeatedly call submit with the batch size. They pause
// while the acknowledged events are more than s.ahead ahead of done. A nil done sets no
// limit.
func startLoad(
	ctx context.Context, s shape, done func() int64, submit func(ctx context.Context, size int) error,
) *load {
	l := &load{failed: make(chan error, s.callers)}
	going, stop := context.WithCancel(ctx)
	l.stop = stop
	for range s.callers {
		l.all.Go(func() {
			for going.Err() == nil {
				if done != nil && l.sent.Load()-done() > int64(s.ahead) {
					loop.Sleep(going, time.Millisecond)
					continue
				}
				// With ctx, not going: a submitted batch is completed.
				if err := submit(ctx, s.batch); err != nil {
					l.failed <- err
					return
				}
				l.sent.Add(int64(s.batch))
			}
		})
	}
	return l
}

// end stops the callers and returns their errors.
func (l *load) end() error {
	l.stop()
	l.all.Wait()
	close(l.failed)
	var errs []error
	for err := range l.failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// waitTimeout bounds the time that until waits.
const waitTimeout = 2 * time.Minute

// until polls condition until it returns true. What describes it in the error.
func until(ctx context.Context, interval time.Duration, what string, condition func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, waitTimeout,
		fmt.Errorf("timed out waiting for this: %s", what))
	defer cancel()
	for {
		met, err := condition()
		if met || err != nil {
			return err
		}
		if !loop.Sleep(ctx, interval) {
			return context.Cause(ctx)
		}
	}
}
