package loop

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// pauses returns the next n pauses of b.
func pauses(b *Backoff, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = b.Next()
	}
	return all
}

func TestPausesDoubleFromMinToMax(t *testing.T) {
	const second = time.Second
	for name, tt := range map[string]struct {
		min, max time.Duration
		want     []time.Duration
	}{
		"max is a doubling of min": {second, 4 * second, []time.Duration{second, 2 * second, 4 * second, 4 * second}},
		"max is between two":       {second, 3 * second, []time.Duration{second, 2 * second, 3 * second, 3 * second}},
		"min is max":               {second, second, []time.Duration{second, second, second, second}},
	} {
		t.Run(name, func(t *testing.T) {
			got := pauses(&Backoff{Min: tt.min, Max: tt.max}, len(tt.want))
			if !slices.Equal(got, tt.want) {
				t.Errorf("pauses %v, want %v", got, tt.want)
			}
		})
	}
}

func TestResetMakesTheNextPauseMin(t *testing.T) {
	b := &Backoff{Min: time.Second, Max: time.Minute}
	b.Reset() // before the first pause it has no effect
	for range 2 {
		want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}
		if got := pauses(b, len(want)); !slices.Equal(got, want) {
			t.Errorf("pauses %v, want %v", got, want)
		}
		b.Reset()
	}
}

func TestJitterVariesPausesWithinItsBounds(t *testing.T) {
	const samples = 1000
	b := &Backoff{Min: time.Second, Max: time.Second, Jitter: 0.5}
	got := pauses(b, samples)
	least, most := slices.Min(got), slices.Max(got)
	if least < time.Second/2 || most > 3*time.Second/2 {
		t.Errorf("pauses from %s to %s, want them within 500ms and 1.5s", least, most)
	}
	// That all of a thousand lie in one half happens once in 2^999 runs.
	if least >= time.Second || most <= time.Second {
		t.Errorf("pauses from %s to %s, want some on either side of 1s", least, most)
	}
}

func TestBackoffSleepsForItsPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Backoff{Min: time.Second, Max: time.Minute}
		start := time.Now()
		for _, want := range []time.Duration{1 * time.Second, 3 * time.Second, 7 * time.Second} {
			if !b.Sleep(t.Context()) {
				t.Error("Sleep = false, want true: the context lasts")
			}
			if got := time.Since(start); got != want {
				t.Errorf("awake after %s, want %s", got, want)
			}
		}
	})
}

func TestBackoffStopsSleepingWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		b := &Backoff{Min: time.Minute, Max: time.Minute}
		if b.Sleep(ctx) {
			t.Error("Sleep = true, want false: the context has ended")
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("awake after %s, want 1s", got)
		}
	})
}
