package loop

import (
	"context"
	"errors"
)

// ErrStopped is returned for items that come when a Batcher no longer runs.
var ErrStopped = errors.New("the loop has ended")

// A Batcher is a group commit. One goroutine takes all items that have arrived
// while it committed the batch before: alone an item waits for no other, and
// many items share a commit, without a timer.
type Batcher[T any] struct {
	in    chan T
	max   int
	admit func(item T, first bool) bool
	ended chan struct{}
}

// BatcherOptions tune a Batcher.
type BatcherOptions[T any] struct {
	Queue int // items that wait without blocking their caller
	Max   int // items in one batch; no limit if zero
	// Admit reports whether item fits into the batch; the first item of a batch
	// always does. An item that does not fit is the first of the next batch. It
	// is called by the goroutine of Run. Nil admits every item.
	Admit func(item T, first bool) bool
}

// NewBatcher returns a Batcher. Nothing is taken before Run is called.
func NewBatcher[T any](o BatcherOptions[T]) *Batcher[T] {
	return &Batcher[T]{in: make(chan T, o.Queue), max: o.Max, admit: o.Admit, ended: make(chan struct{})}
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

// Run hands batches to commit, one after the other, until ctx ends.
func (b *Batcher[T]) Run(ctx context.Context, commit func(batch []T)) {
	defer close(b.ended)
	for {
		select {
		case first := <-b.in:
			b.commit(first, commit)
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
			b.commit(first, commit)
		case <-ctx.Done():
			for len(b.in) > 0 {
				b.commit(<-b.in, commit)
			}
			return
		}
	}
}

// commit commits first with all items that have arrived, and then the items that did
// not fit into that batch.
func (b *Batcher[T]) commit(first T, commit func(batch []T)) {
	for more := true; more; {
		var batch []T
		batch, first, more = b.gather(first)
		commit(batch)
	}
}

// gather returns first and what else has arrived. With more set the next item
// did not fit.
func (b *Batcher[T]) gather(first T) (batch []T, next T, more bool) {
	if b.admit != nil {
		b.admit(first, true)
	}
	batch = append(make([]T, 0, b.size()), first)
	for b.max == 0 || len(batch) < b.max {
		select {
		case next = <-b.in:
			if b.admit != nil && !b.admit(next, false) {
				return batch, next, true
			}
			batch = append(batch, next)
		default:
			return batch, next, false
		}
	}
	return batch, next, false
}

// size returns how many items a batch probably has.
func (b *Batcher[T]) size() int {
	if n := 1 + len(b.in); b.max == 0 || n < b.max {
		return n
	}
	return b.max
}
