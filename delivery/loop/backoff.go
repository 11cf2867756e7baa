package loop

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A Backoff makes the pauses between the tries of something that fails: the
// first is Min, each next one twice as long, at most Max. Jitter, from 0 to 1,
// is how far a pause is varied either way.
type Backoff struct {
	Min, Max time.Duration
	Jitter   float64

	pauses *backoff.ExponentialBackOff
}

// Next returns the next pause.
func (b *Backoff) Next() time.Duration {
	if b.pauses == nil {
		b.pauses = &backoff.ExponentialBackOff{
			InitialInterval: b.Min, MaxInterval: b.Max, Multiplier: 2, RandomizationFactor: b.Jitter,
		}
		b.pauses.Reset()
	}
	return b.pauses.NextBackOff()
}

// Sleep waits for the next pause and reports whether ctx still lasts.
func (b *Backoff) Sleep(ctx context.Context) bool { return Sleep(ctx, b.Next()) }

// Reset makes the next pause Min again.
func (b *Backoff) Reset() {
	if b.pauses != nil {
		b.pauses.Reset()
	}
}
