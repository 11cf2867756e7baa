package feed

import (
	"context"
	"errors"
)

// ErrStopped is the error of Read when the hub no longer runs.
var ErrStopped = errors.New("the live log has stopped")

// An Item is an entry and the text of the cursor behind it.
type Item[T any] struct {
	Entry  T
	Cursor string
}

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
	key  string
	view *view[T]
	seen Cursor   // after the latest read; may be shared, so it is replaced and never changed
	ring *ring[T] // the ring that next is an index of
	next int64
	// edge says that s came to the end of the ring and had seen nothing but what
	// was before it: from there on, all there is to look at is what the view
	// notes.
	edge bool
}

// Subscribe starts after a cursor. Close the subscription after use.
func (h *Hub[T]) Subscribe(after Cursor, in Interest[T]) *Subscription[T] {
	h.mu.Lock()
	v := h.views[in.Key]
	if v == nil {
		v = newView(in.Wants, h.opts.Entries)
		h.views[in.Key] = v
	}
	v.count++
	h.count++
	first := h.count == 1
	h.mu.Unlock()
	if first {
		h.Wake() // the ring has to be opened
	}
	return &Subscription[T]{hub: h, key: in.Key, view: v, seen: after.clone()}
}

// Close ends the subscription. The last one to go takes the ring along.
func (s *Subscription[T]) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.view.count--; s.view.count == 0 {
		delete(h.views, s.key)
	}
	if h.count--; h.count == 0 {
		h.ring = nil
	}
}

// Changed returns a channel that is closed when there is more to read after
// this call, or the hub has stopped.
func (s *Subscription[T]) Changed() <-chan struct{} {
	s.hub.mu.RLock()
	defer s.hub.mu.RUnlock()
	if s.edge {
		return s.view.changed
	}
	return s.hub.changed
}

// Seen returns the position up to which everything wanted was read. Its vector
// must not be changed.
func (s *Subscription[T]) Seen() Cursor { return s.seen }

// Read returns the next page of entries that are wanted and moves on past
// them, and past those that are not. An empty page means that there is nothing
// new yet.
func (s *Subscription[T]) Read(ctx context.Context) ([]Item[T], error) {
	for {
		page, place, err := s.recent()
		if place == behind && err == nil {
			page, place, err = s.replay(ctx)
		}
		if err != nil || len(page) > 0 || place == atEnd {
			return page, err
		}
	}
}

// A place is where a subscription is in the log.
type place int

const (
	behind place = iota // there may be something that only the log has
	inside              // there may be more in the ring
	atEnd               // there is nothing more yet
)

// recent reads from the ring.
func (s *Subscription[T]) recent() ([]Item[T], place, error) {
	h := s.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	r := h.ring
	switch {
	case h.stopped:
		return nil, behind, ErrStopped
	case r == nil || !s.enter(r):
		return nil, behind, nil
	}
	var page []Item[T]
	if s.edge {
		page = s.readView(r)
	} else {
		page = s.readRing(r)
	}
	if s.next < r.end {
		return page, inside, nil
	}
	return page, atEnd, nil
}

// enter finds the place in the ring. It reports false when something that is
// wanted, and not seen, may be older than the ring.
func (s *Subscription[T]) enter(r *ring[T]) bool {
	switch {
	case s.ring == r && s.next >= r.first:
	case s.ring == r && s.edge && s.next > s.view.lost: // nothing of what was dropped is wanted
		s.next, s.seen = r.first, Cursor{At: s.seen.At, Seen: r.base.Clone()}
	case s.seen.Seen.covers(r.base):
		s.ring, s.next, s.edge = r, r.first, false
	default:
		s.edge = false
		return false
	}
	return true
}

// readView reads what the view has noted, at the edge.
func (s *Subscription[T]) readView(r *ring[T]) (page []Item[T]) {
	from := s.next
	for {
		s.next = s.view.following(s.next, r.end, r.places())
		if s.next == r.end {
			s.seen = r.edge
			return page
		}
		if len(page) == s.hub.opts.Page {
			break
		}
		found := r.at(s.next)
		page = append(page, Item[T]{found.entry, found.cursor})
		s.next++
	}
	seen := s.seen.clone()
	for ; from < s.next; from++ {
		s.hub.log.pass(&seen, r.at(from).entry)
	}
	s.seen = seen
	return page
}

// readRing looks at a page of what the ring has, on the way to the edge.
func (s *Subscription[T]) readRing(r *ring[T]) (page []Item[T]) {
	seen, end := s.seen.clone(), min(s.next+int64(s.hub.opts.Page), r.end)
	for ; s.next < end; s.next++ {
		if e := r.at(s.next).entry; !seen.Seen.Has(s.hub.log.Place(e)) {
			page = s.look(page, &seen, e)
		}
	}
	s.seen = seen
	if s.next == r.end && r.edge.Seen.covers(seen.Seen) {
		s.seen, s.edge = r.edge, true
	}
	return page
}

// look passes an entry and appends it to page when it is wanted.
func (s *Subscription[T]) look(page []Item[T], seen *Cursor, e T) []Item[T] {
	s.hub.log.pass(seen, e)
	if s.view.wants(e) {
		page = append(page, Item[T]{e, seen.String()})
	}
	return page
}

// replay reads from the log itself. Only few subscribers may do so at once, so
// that those who are behind don't take the database from those who write.
func (s *Subscription[T]) replay(ctx context.Context) ([]Item[T], place, error) {
	h := s.hub
	select {
	case h.replays <- struct{}{}:
	case <-ctx.Done():
		return nil, behind, ctx.Err()
	}
	defer func() { <-h.replays }()

	base, open := h.base()
	entries, err := h.log.Follow(ctx, s.seen.Seen, h.opts.Page)
	if err != nil {
		return nil, behind, err
	}
	seen := s.seen.clone()
	var page []Item[T]
	for _, e := range entries {
		page = s.look(page, &seen, e)
	}
	if len(entries) == 0 {
		// Nothing is left before where the ring began when this read started: what
		// s has not seen of that was discarded.
		seen.Seen.join(base)
	}
	s.seen = seen
	if len(entries) == 0 && !open {
		return nil, atEnd, nil
	}
	return page, behind, nil
}

// base returns a copy of the position at which the ring begins, if there is one.
func (h *Hub[T]) base() (Vector, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.ring == nil {
		return nil, false
	}
	return h.ring.base.Clone(), true
}
