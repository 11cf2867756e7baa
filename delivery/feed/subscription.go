package feed

import (
	"context"
	"errors"
)

// ErrStopped is returned by Read when the hub has stopped.
var ErrStopped = errors.New("the delivery log has stopped")

// An Item is an entry and the text of the cursor after it.
type Item[T any] struct {
	Entry  T
	Cursor string
}

// A Subscription is a subscriber's position in the log. It is not safe for concurrent
// use. A subscriber pulls:
//
//	for {
//		changed := sub.Changed() // before Read, to not miss an entry
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
	seen Cursor   // position after the last read; may be shared, so it is never modified
	ring *ring[T] // the ring of next
	next int64    // index of the next entry
	// edge is set once s has reached the end of the ring without having seen any
	// later entry. From then on it reads only the entries that the view marks.
	edge bool
}

// Subscribe returns a subscription that starts after a cursor. The caller must close
// it.
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
		h.Wake() // to open the ring
	}
	return &Subscription[T]{hub: h, key: in.Key, view: v, seen: after.clone()}
}

// Close ends the subscription. Closing the last one discards the ring.
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

// Changed returns a channel that is closed when a matching entry may have been added
// after this call, or the hub has stopped.
func (s *Subscription[T]) Changed() <-chan struct{} {
	s.hub.mu.RLock()
	defer s.hub.mu.RUnlock()
	if s.edge {
		return s.view.changed
	}
	return s.hub.changed
}

// Seen returns the position up to which all matching entries have been read. Its
// vector must not be modified.
func (s *Subscription[T]) Seen() Cursor { return s.seen }

// Read returns the next page of matching entries and moves past them. An empty page
// means that there are no new entries. Read returns ErrStopped if the hub has
// stopped.
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

// A place is the position of a subscription relative to the ring.
type place int

const (
	behind place = iota // further entries may be in the log only
	inside              // further entries may be in the ring
	atEnd               // no further entries yet
)

// recent reads a page from the ring.
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

// enter finds the position in the ring. It returns false if a matching entry that has
// not been seen may be older than the ring.
func (s *Subscription[T]) enter(r *ring[T]) bool {
	switch {
	case s.ring == r && s.next >= r.first:
	case s.ring == r && s.edge && s.next > s.view.lost: // no dropped entry matched
		s.next, s.seen = r.first, Cursor{At: s.seen.At, Seen: r.base.Clone()}
	case s.seen.Seen.covers(r.base):
		s.ring, s.next, s.edge = r, r.first, false
	default:
		s.edge = false
		return false
	}
	return true
}

// readView reads the next page of entries that the view marks.
func (s *Subscription[T]) readView(r *ring[T]) (page []Item[T]) {
	from := s.next
	for {
		s.next = s.view.following(s.next, r.end, r.capacity())
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

// readRing matches the next page of entries in the ring.
func (s *Subscription[T]) readRing(r *ring[T]) (page []Item[T]) {
	seen, end := s.seen.clone(), min(s.next+int64(s.hub.opts.Page), r.end)
	for ; s.next < end; s.next++ {
		if e := r.at(s.next).entry; !seen.Seen.Has(s.hub.log.Place(e)) {
			page = s.match(page, &seen, e)
		}
	}
	s.seen = seen
	if s.next == r.end && r.edge.Seen.covers(seen.Seen) {
		s.seen, s.edge = r.edge, true
	}
	return page
}

// match passes an entry and appends it to page if it matches.
func (s *Subscription[T]) match(page []Item[T], seen *Cursor, e T) []Item[T] {
	s.hub.log.pass(seen, e)
	if s.view.wants(e) {
		page = append(page, Item[T]{e, s.hub.opts.Text(*seen)})
	}
	return page
}

// replay reads a page from the log itself. Few subscribers may do so at a time, so
// that the replays of subscribers do not starve the writers.
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
		page = s.match(page, &seen, e)
	}
	if len(entries) == 0 {
		// The log has no entry before the start of the ring, as of the start of this
		// read: the entries that s has not seen were discarded.
		seen.Seen.join(base)
	}
	s.seen = seen
	if len(entries) == 0 && !open {
		return nil, atEnd, nil
	}
	return page, behind, nil
}

// base returns a copy of the position at which the ring starts, and whether there is
// a ring.
func (h *Hub[T]) base() (Vector, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.ring == nil {
		return nil, false
	}
	return h.ring.base.Clone(), true
}
