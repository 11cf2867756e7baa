package harness

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"portalhooks/delivery/loop"
)

// Interrupted loads events from first on and calls interrupt in the middle:
// when as many as enough are acknowledged in all and many more are on their way.
func (r *Rig) Interrupted(t *testing.T, l *Ledger, first, last, enough int, interrupt func() error) {
	t.Helper()
	reached, ended := l.Reaches(enough), make(chan error, 1)
	server := r.Server
	go func() { ended <- Load(t.Context(), server, l, first, last) }()
	select {
	case <-reached:
	case err := <-ended:
		if err != nil {
			t.Fatalf("the load ended before it was interrupted: %v%s", err, server.Transcript())
		}
		ended <- nil // it was quick
	}
	if err := interrupt(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Logf("the load was cut off: %v", err)
	}
}

// Finish sends what is not acknowledged yet, as Portal does that has got no
// answer, waits until everything is delivered and settled, and returns how many
// acknowledged events did not arrive.
func (r *Rig) Finish(t *testing.T, l *Ledger, first, last int) (lost int) {
	t.Helper()
	if err := Load(t.Context(), r.Server, l, first, last); err != nil {
		t.Fatalf("%v%s", err, r.Server.Transcript())
	}
	if lost = r.Lost(t, l); lost == 0 {
		r.Settled(t)
	}
	return lost
}

// Lost waits until everything acknowledged has arrived and returns how much has
// not.
func (r *Rig) Lost(t *testing.T, l *Ledger) (lost int) {
	t.Helper()
	err := Eventually(t.Context(), "everything acknowledged is delivered", func(context.Context) (bool, error) {
		lost = r.Witness.missing(l.Copy())
		return lost == 0, nil
	})
	if err != nil {
		t.Errorf("%v: %d are not%s", err, lost, r.Server.Transcript())
	}
	return lost
}

// A flow is a load of so many events a second, from a sender that sends again
// what it gets no answer for, until stop is called.
type flow struct {
	next int // the number of the first event that was not sent
	stop func()
	done chan struct{}
}

// The rate of a flow: a batch for each tick is 500 events a second.
const (
	flowTick    = 10 * time.Millisecond
	flowSenders = 32                     // batches that wait for their answers at once
	flowRetry   = 250 * time.Millisecond // the longest pause before a batch is sent again
)

// Stream begins to report events from first on to a server.
func Stream(ctx context.Context, s *Server, l *Ledger, first int) *flow {
	ctx, stop := context.WithCancel(ctx)
	p := &flow{next: first, stop: stop, done: make(chan struct{})}
	batches := make(chan int)
	ended := make(chan struct{}, flowSenders)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: flowSenders}}
	for range flowSenders {
		go func() {
			defer func() { ended <- struct{}{} }()
			for from := range batches {
				pause := loop.Backoff{Min: flowTick, Max: flowRetry}
				for ctx.Err() == nil && Report(ctx, client, s, l, from, from+batchSize) != nil {
					pause.Sleep(ctx) // ends with the context, as the loop does
				}
			}
		}()
	}
	go func() {
		defer close(p.done)
		defer client.CloseIdleConnections()
		tick := time.NewTicker(flowTick)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-tick.C:
				select {
				case batches <- p.next:
					p.next += batchSize
				case <-ctx.Done():
				}
			}
		}
		close(batches)
		for range flowSenders {
			<-ended
		}
	}()
	return p
}

// End ends the stream and returns the number after the last event of it.
func (p *flow) End() int {
	p.stop()
	<-p.done
	return p.next
}

// Acknowledges waits until so many more events are acknowledged, or the server
// ends, and returns how long that took.
func (r *Rig) Acknowledges(t *testing.T, l *Ledger, more int) time.Duration {
	t.Helper()
	began := time.Now()
	select {
	case <-l.Reaches(len(l.Copy()) + more):
	case <-r.Server.Ended:
		t.Fatalf("the server has ended%s", r.Server.Transcript())
	case <-time.After(Patience):
		t.Fatal(errors.New("nothing is acknowledged any more"), r.Server.Transcript())
	}
	return time.Since(began)
}
