package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
)

// A shape is how a load comes: callers at once, each submitting batches one
// after the other.
type shape struct {
	callers, batch int
	// Ahead is how many events callers may be ahead of the deliveries when they
	// submit one more batch each. All of that fits in the memory of the server:
	// what comes to the queue for want of room is another measurement.
	ahead int
}

// shape returns how the load of a run comes.
func (o Options) shape() shape {
	if o.Quick {
		return shape{callers: 4, batch: 20, ahead: 100}
	}
	return shape{callers: 16, batch: 100, ahead: 2_000}
}

// A numberer gives every event of a run a number of its own.
type numberer struct{ last atomic.Int64 }

func (n *numberer) next() int64 { return n.last.Add(1) }

// sourceID spells a number as Portal spells its ids: 24 hexadecimal digits that
// begin with the seconds and end with a counter.
func sourceID(at time.Time, number int64) string {
	return fmt.Sprintf("%08x5c0ffee001%06x", uint32(at.Unix()), number&0xffffff)
}

// reports makes reports about the alerts in turn, or about the one that nobody
// listens to.
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

// ingest submits a batch to a service in this process.
func (e *engine) ingest(ctx context.Context, reports []delivery.Report) error {
	results, err := e.service.Ingest(ctx, portal, reports)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Status != delivery.Accepted {
			return fmt.Errorf("a report of the measurement was not accepted (%s): %w", r.Status, r.Errors)
		}
	}
	return nil
}

// A load is callers that go on until they are stopped.
type load struct {
	sent atomic.Int64 // events acknowledged

	stop   context.CancelFunc
	all    sync.WaitGroup
	failed chan error
}

// startLoad starts callers that call submit with the number of events to
// submit, as long as those acknowledged are not further ahead of done than they
// may be. A nil done sets no bound.
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
					_ = wait(going, time.Millisecond)
					continue
				}
				// What was begun is finished: half a batch must not be left.
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

// end stops the callers and returns the first error of each.
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

// wait waits for d or the end of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// patience bounds every wait for the system to catch up.
const patience = 2 * time.Minute

// until calls true every so often, until it is.
func until(ctx context.Context, every time.Duration, what string, true func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("this never came true: %s", what))
	defer cancel()
	for {
		reached, err := true()
		if reached || err != nil {
			return err
		}
		if wait(ctx, every) != nil {
			return context.Cause(ctx)
		}
	}
}
