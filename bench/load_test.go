package bench

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCallersPauseWhenAheadOfTheDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var submitted, done atomic.Int64
		usual := Options{}.shape()
		l := startLoad(t.Context(), usual, done.Load, func(_ context.Context, n int) error {
			submitted.Add(int64(n))
			return nil
		})
		synctest.Wait()
		most := int64(usual.ahead + usual.callers*usual.batch)
		if n := submitted.Load(); n <= int64(usual.ahead) || n > most {
			t.Errorf("%d events are ahead, want more than %d and at most %d", n, usual.ahead, most)
		}
		done.Store(submitted.Load())
		before := submitted.Load()
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if submitted.Load() == before {
			t.Error("nothing was submitted after all events were delivered")
		}
		if err := l.end(); err != nil {
			t.Error(err)
		}
		if l.sent.Load() != submitted.Load() {
			t.Errorf("%d acknowledged, want %d", l.sent.Load(), submitted.Load())
		}
	})
}

func TestLoadReturnsTheErrorsOfItsCallers(t *testing.T) {
	broken := errors.New("broken")
	called := make(chan struct{}, 2)
	l := startLoad(t.Context(), shape{callers: 2, batch: 1}, nil, func(context.Context, int) error {
		called <- struct{}{}
		return broken
	})
	<-called
	if err := l.end(); !errors.Is(err, broken) {
		t.Errorf("err = %v, want %v", err, broken)
	}
	if n := l.sent.Load(); n != 0 {
		t.Errorf("%d acknowledged, want none", n)
	}
}

func TestUntilEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := until(ctx, time.Minute, "never", func() (bool, error) { return false, nil }); err == nil {
			t.Error("until returned nil, want an error")
		}
	})
}

func TestUntilTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := until(t.Context(), time.Second, "never", func() (bool, error) { return false, nil }); err == nil {
			t.Error("until returned nil, want an error")
		}
		if got := time.Since(began); got != waitTimeout {
			t.Errorf("until returned after %s, want %s", got, waitTimeout)
		}
	})
}
