package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"portalhooks/delivery/loop"
)

const (
	crashPoll  = 100 * time.Millisecond
	crashTries = 5 // to kill a server with undelivered events
)

// crash measures the time from a restart to the arrival of the last delivery that the
// server had acknowledged before it was killed.
func (b *bench) crash(ctx context.Context) error {
	for range crashTries {
		f, late, err := b.oneCrash(ctx)
		if err != nil {
			return err
		}
		if late > 0 {
			b.report.add(f)
			return nil
		}
	}
	b.progress("nothing: every server had delivered all acknowledged events when it was killed")
	return nil
}

// oneCrash kills one server; late is the number of its undelivered events.
func (b *bench) oneCrash(ctx context.Context) (f Figure, late int, err error) {
	fx, err := b.newFixture(ctx, 1, endpoints)
	if err != nil {
		return f, 0, err
	}
	defer func() { err = errors.Join(err, fx.drop(ctx)) }()
	if err := b.receiver.reset(ctx); err != nil {
		return f, 0, err
	}
	acked, killed, err := b.loadAndKill(ctx, fx)
	if err != nil {
		return f, 0, err
	}
	restarted := time.Now()
	s, err := b.serve(ctx, fx)
	if err != nil {
		return f, 0, err
	}
	late, last, err := b.redelivered(ctx, acked, killed)
	if err := errors.Join(err, s.close()); err != nil {
		return f, 0, err
	}
	f = Figure{
		Name: "crash", Title: "kill -9 to the last redelivery, from the restart", Unit: "s",
		Note: fmt.Sprintf("%d acknowledged, %d of them not delivered when the server was killed; none lost.",
			len(acked), late),
	}
	f.Value = max(0, last.Sub(restarted).Seconds())
	f.Score = f.Value
	return f, late, nil
}

// loadAndKill kills a server under load and returns the marks of the acknowledged
// events and the time of the kill.
func (b *bench) loadAndKill(ctx context.Context, fx *fixture) (map[int64]bool, time.Time, error) {
	s, err := b.serve(ctx, fx)
	if err != nil {
		return nil, time.Time{}, err
	}
	var mu sync.Mutex
	acked := map[int64]bool{}
	// Unique marks: they count from the start time.
	next := time.Now().UnixNano()
	l := startLoad(ctx, Options{}.shape(), nil, func(ctx context.Context, n int) error {
		marks := make([]int64, 0, n)
		err := s.ingest(ctx, endpoints, n, func() string {
			mu.Lock()
			defer mu.Unlock()
			next++
			marks = append(marks, next)
			return markPrefix + strconv.FormatInt(next, 10)
		})
		mu.Lock()
		defer mu.Unlock()
		for _, mark := range marks {
			if err == nil {
				acked[mark] = true
			}
		}
		return err
	})
	loop.Sleep(ctx, b.o.Duration)
	killed := s.crash()
	at := time.Now()
	_ = l.end() // the callers fail because the server is down
	return acked, at, errors.Join(ctx.Err(), killed)
}

// redelivered waits until every acknowledged event has arrived. It returns how many
// arrived after the kill and the time of the last arrival.
func (b *bench) redelivered(
	ctx context.Context, acked map[int64]bool, killed time.Time,
) (n int, last time.Time, err error) {
	err = until(ctx, crashPoll, "all acknowledged events are delivered", func() (bool, error) {
		arrived, err := b.receiver.arrivals(ctx)
		if err != nil {
			return false, err
		}
		late, latest := 0, int64(0)
		for mark := range acked {
			at, ok := arrived[mark]
			if !ok {
				return false, nil
			}
			if at > killed.UnixNano() {
				late++
				latest = max(at, latest)
			}
		}
		n, last = late, time.Unix(0, latest)
		return true, nil
	})
	return n, last, err
}
