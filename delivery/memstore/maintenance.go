package memstore

import (
	"context"
	"time"

	"portalhooks/delivery"
)

// portion is how many rows of a table one call discards at most. It is small, so
// that a test sees several portions.
const portion = 10

// discard removes at most one portion of the elements that are old, and reports
// whether more may be left.
func discard[T any](list []T, old func(*T) bool) (kept []T, more bool) {
	left := portion
	for i := range list {
		if left > 0 && old(&list[i]) {
			left--
		} else {
			kept = append(kept, list[i])
		}
	}
	return kept, left == 0
}

// Prepare implements [delivery.Maintenance]. There are no partitions.
func (s *Store) Prepare(ctx context.Context, _ time.Time) error {
	if err := s.lock(ctx, "Prepare"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return nil
}

// Discard implements [delivery.Maintenance].
func (s *Store) Discard(ctx context.Context, t time.Time) (more bool, err error) {
	if err := s.lock(ctx, "Discard"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	first := delivery.IDAt[delivery.LogID](t)
	log, more := discard(s.LogRows, func(e *delivery.LogEntry) bool { return e.ID < first })
	if len(log) < len(s.LogRows) {
		s.LogRows, s.HorizonAt = log, delivery.Later(s.HorizonAt, t)
		s.forgetOutcomes()
	}
	return s.discardEvents(t) || more, nil
}

// discardEvents removes events without a pending delivery, and their keys.
func (s *Store) discardEvents(t time.Time) (more bool) {
	first := delivery.IDAt[delivery.EventID](t)
	gone := make(map[delivery.EventID]bool)
	pending := make(map[delivery.EventID]bool)
	for _, r := range s.queue.rows {
		pending[r.delivery.Event] = true
	}
	for id := range s.EventRows {
		if len(gone) < portion && id < first && !pending[id] {
			gone[id] = true
			delete(s.EventRows, id)
		}
	}
	for key, stored := range s.keys {
		if gone[stored.ID] {
			delete(s.keys, key)
		}
	}
	return len(gone) == portion
}

// forgetOutcomes keeps the outcomes of the deliveries that can be listed.
func (s *Store) forgetOutcomes() {
	kept := make(map[delivery.DeliveryID]outcome)
	for _, d := range s.AllDeliveries() {
		if latest, made := s.outcomes[d.ID]; made {
			kept[d.ID] = latest
		}
	}
	s.outcomes = kept
}

// ForgetEvents removes all events, and what is only kept for them: their keys, and
// the outcomes of deliveries. Call it within Change.
func (s *Store) ForgetEvents() {
	clear(s.EventRows)
	clear(s.keys)
	clear(s.outcomes)
}

// Wake implements [delivery.Maintenance]. The store can't tell: it returns nil.
func (s *Store) Wake() <-chan struct{} { return nil }

// Notify implements [delivery.Maintenance]. It does nothing.
func (s *Store) Notify() {}

// OldestTransaction implements [delivery.Maintenance]. There is never one.
func (s *Store) OldestTransaction(ctx context.Context) (time.Duration, error) {
	if err := s.lock(ctx, "OldestTransaction"); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return 0, nil
}

// Ping implements [delivery.Maintenance].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.lock(ctx, "Ping"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return nil
}
