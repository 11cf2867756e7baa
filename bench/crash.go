package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

const (
	crashPoll  = 100 * time.Millisecond
	crashTries = 5 // until a server dies with something undelivered
)

// crash measures how long after a restart the last delivery arrives of what a
// server had acknowledged when it was killed.
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
	b.tell("nothing: each server was killed when it had delivered all that it had acknowledged")
	return nil
}

// oneCrash kills one server; late is how many deliveries it had still to make.
func (b *bench) oneCrash(ctx context.Context) (f Figure, late int, err error) {
	w, err := b.newWorld(ctx, 1, endpoints)
	if err != nil {
		return f, 0, err
	}
	defer func() { err = errors.Join(err, w.drop(ctx)) }()
	if err := b.receiver.reset(ctx); err != nil {
		return f, 0, err
	}
	acked, killed, err := b.loadAndKill(ctx, w)
	if err != nil {
		return f, 0, err
	}
	restarted := time.Now()
	s, err := b.serve(ctx, w)
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

// loadAndKill kills a server under load and returns the marks of what it had
// acknowledged, and when it died.
func (b *bench) loadAndKill(ctx context.Context, w *world) (map[int64]bool, time.Time, error) {
	s, err := b.serve(ctx, w)
	if err != nil {
		return nil, time.Time{}, err
	}
	var mu sync.Mutex
	acked := map[int64]bool{}
	// Marks are all different: they count up from the time of the start.
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
	waited := wait(ctx, b.o.Duration)
	killed := s.crash()
	at := time.Now()
	_ = l.end() // the callers have lost their server
	return acked, at, errors.Join(waited, killed)
}

// redelivered waits until everything acknowledged has arrived, and returns how
// many came after the server was killed, and when the last one did.
func (b *bench) redelivered(
	ctx context.Context, acked map[int64]bool, killed time.Time,
) (n int, last time.Time, err error) {
	err = until(ctx, crashPoll, "everything acknowledged is delivered", func() (bool, error) {
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
