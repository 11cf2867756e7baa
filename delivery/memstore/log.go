package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// Tail implements [delivery.Log].
func (s *Store) Tail(ctx context.Context) (map[int]delivery.LogID, error) {
	if err := s.lock(ctx, "Tail"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	tail := make(map[int]delivery.LogID)
	for _, e := range s.LogRows {
		slot := delivery.IDSlot(e.ID)
		tail[slot] = max(tail[slot], e.ID)
	}
	return tail, nil
}

// Follow implements [delivery.Log].
func (s *Store) Follow(
	ctx context.Context, after map[int]delivery.LogID, limit int,
) ([]delivery.LogEntry, error) {
	if err := s.lock(ctx, "Follow"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := selected(s.LogRows, func(e *delivery.LogEntry) bool { return e.ID > after[delivery.IDSlot(e.ID)] })
	slices.SortFunc(found, func(a, b delivery.LogEntry) int { return cmp.Compare(a.ID, b.ID) })
	return found[:min(limit, len(found))], nil
}

// Horizon implements [delivery.Log].
func (s *Store) Horizon(ctx context.Context) (time.Time, error) {
	if err := s.lock(ctx, "Horizon"); err != nil {
		return time.Time{}, err
	}
	defer s.mu.Unlock()
	return s.HorizonAt, nil
}
