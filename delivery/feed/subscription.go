package feed

import (
	"context"
	"errors"
)

// ErrStopped is the error of Read when the hub no longer runs.
var ErrStopped = errors.New("the live log has stopped")

// A Subscription is one subscriber's place in the log. It belongs to one
// goroutine, which pulls:
//
//	for {
//		changed := sub.Changed() // before reading, or an entry could slip in between
//		page, err := sub.Read(ctx)
//		…
//		if len(page) == 0 {
//			<-changed
//		}
//	}
type Subscription[T any] struct {
	hub  *Hub[T]
	seen Vector
	ring *ring[T] // the ring that next is an index of
	next int64
}

// Subscribe starts after a position. Close the subscription after use.
func (h *Hub[T]) Subscribe(after Vector) *Subscription[T] {
	h.mu.Lock()
	h.count++
	first := h.count == 1
	h.mu.Unlock()
	if first {
		h.Wake() // the ring has to be opened
	}
	return &Subscription[T]{hub: h, seen: after.Clone()}
}

// Close ends the subscription. The last one to go takes the ring along.
func (s *Subscription[T]) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.hub.count--; s.hub.count == 0 {
		s.hub.ring = nil
	}
}

// Changed returns a channel that is closed when the log has grown after this
// call, or the hub has stopped.
func (s *Subscription[T]) Changed() <-chan struct{} {
	s.hub.mu.RLock()
	defer s.hub.mu.RUnlock()
	return s.hub.changed
}

// Read returns the next page of entries and moves on past them. An empty page
// means that there is nothing new yet.
func (s *Subscription[T]) Read(ctx context.Context) ([]T, error) {
	page, found, err := s.recent()
	if found || err != nil {
		return page, err
	}
	return s.replay(ctx)
}

// recent reads from the ring. It reports false when entries that s has not
// seen may be older than the ring.
func (s *Subscription[T]) recent() (page []T, found bool, err error) {
	h := s.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.stopped {
		return nil, false, ErrStopped
	}
	r := h.ring
	if r == nil {
		return nil, false, nil
	}
	if s.ring != r || s.next < r.first {
		if !s.seen.covers(r.base) {
			return nil, false, nil
		}
		s.ring, s.next = r, r.first
	}
	if s.next < r.end {
		page, s.next = r.read(make([]T, 0, min(int64(h.opts.Page), r.end-s.next)), s.next, s.seen)
	}
	s.advance(page)
	return page, true, nil
}

// replay reads from the log itself. Only few subscribers may do so at once, so
// that those who are behind don't take the database from those who write.
func (s *Subscription[T]) replay(ctx context.Context) ([]T, error) {
	h := s.hub
	select {
	case h.replays <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.replays }()

	base := h.base()
	page, err := h.log.Follow(ctx, s.seen, h.opts.Page)
	if err != nil {
		return nil, err
	}
	s.advance(page)
	if len(page) == 0 {
		// Nothing is left before where the ring began when this read started:
		// what s has not seen of that was discarded.
		s.seen.join(base)
	}
	return page, nil
}

// base returns a copy of the position at which the ring begins.
func (h *Hub[T]) base() Vector {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.ring == nil {
		return nil
	}
	return h.ring.base.Clone()
}

func (s *Subscription[T]) advance(page []T) {
	for _, e := range page {
		s.seen.Advance(s.hub.log.Place(e))
	}
}
