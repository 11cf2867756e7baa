package loop

import (
	"context"
	"errors"
	"time"
)

// ErrStopped is returned for items that come when a Batcher no longer runs.
var ErrStopped = errors.New("the loop has ended")

// A Batcher is a group commit. One goroutine takes all items that have arrived
// while it committed the batch before: alone an item waits for no other, and
// many items share a commit, without a timer.
type Batcher[T any] struct {
	in     chan T
	max    int
	choose func(waiting []T) (batch, later []T, pause time.Duration)
	ended  chan struct{}
}

// BatcherOptions tune a Batcher.
type BatcherOptions[T any] struct {
	Queue int // items that wait without blocking their caller
	Max   int // items in one batch; no limit if zero
	// Choose splits the items that wait, in the order of their arrival, into the
	// next batch and those that wait for a later one. If the batch is empty, nothing
	// is committed, and what is left waits for the pause or for the next item. It is
	// called by the goroutine of Run. Nil chooses all items, up to Max; with Choose,
	// Max must be zero.
	Choose func(waiting []T) (batch, later []T, pause time.Duration)
}

// NewBatcher returns a Batcher. Nothing is taken before Run is called.
func NewBatcher[T any](o BatcherOptions[T]) *Batcher[T] {
	return &Batcher[T]{in: make(chan T, o.Queue), max: o.Max, choose: o.Choose, ended: make(chan struct{})}
}

// Put hands an item over. It blocks while the queue is full, and returns the
// error of ctx, or ErrStopped when Run has ended. An item that is handed over
// while Run ends may stay in the queue: wait for Ended beside its answer.
func (b *Batcher[T]) Put(ctx context.Context, item T) error {
	select {
	case <-b.ended: // also when the queue has room
		return ErrStopped
	default:
	}
	select {
	case b.in <- item:
		return nil
	case <-b.ended:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ended is closed when Run has returned.
func (b *Batcher[T]) Ended() <-chan struct{} { return b.ended }

// Run hands batches to commit, one after the other, until ctx ends. What it has
// taken by then is committed.
func (b *Batcher[T]) Run(ctx context.Context, commit func(batch []T)) {
	defer close(b.ended)
	for {
		select {
		case first := <-b.in:
			b.commit(ctx, first, commit)
		case <-ctx.Done():
			return
		}
	}
}

// RunAll does the same and then commits what was handed over before ctx ended.
// Callers of Put have to end first.
func (b *Batcher[T]) RunAll(ctx context.Context, commit func(batch []T)) {
	defer close(b.ended)
	for {
		select {
		case first := <-b.in:
			b.commit(ctx, first, commit)
		case <-ctx.Done():
			for len(b.in) > 0 {
				b.commit(ctx, <-b.in, commit)
			}
			return
		}
	}
}

// commit commits first with all items that have arrived, and then the items that
// were left for later batches.
func (b *Batcher[T]) commit(ctx context.Context, first T, commit func(batch []T)) {
	batch := append(make([]T, 0, b.size()), first)
	if b.choose == nil {
		commit(b.arrived(batch))
		return
	}
	for waiting := batch; len(waiting) > 0; {
		if ctx.Err() == nil {
			waiting = b.arrived(waiting)
		}
		var pause time.Duration
		if batch, waiting, pause = b.choose(waiting); len(batch) > 0 {
			commit(batch)
		} else if len(waiting) > 0 {
			waiting = b.await(ctx, waiting, pause)
		}
	}
}

// await waits for the pause or for an item, which it appends. Once ctx has ended no
// more items are taken.
func (b *Batcher[T]) await(ctx context.Context, items []T, pause time.Duration) []T {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	in := b.in
	if ctx.Err() != nil {
		in = nil
	}
	select {
	case next := <-in:
		return append(items, next)
	case <-timer.C:
		return items
	}
}

// arrived appends the items that have arrived.
func (b *Batcher[T]) arrived(items []T) []T {
	for b.max == 0 || len(items) < b.max {
		select {
		case next := <-b.in:
			items = append(items, next)
		default:
			return items
		}
	}
	return items
}

// size returns how many items a batch probably has.
func (b *Batcher[T]) size() int {
	if n := 1 + len(b.in); b.max == 0 || n < b.max {
		return n
	}
	return b.max
}
