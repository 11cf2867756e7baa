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

// LatestID implements [delivery.Log].
func (s *Store) LatestID(ctx context.Context, slot int, since time.Time) (latest int64, err error) {
	if err := s.lock(ctx, "LatestID"); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	first := delivery.IDAt[int64](since)
	see := func(id int64) {
		if id >= first && delivery.IDSlot(id) == slot {
			latest = max(latest, id)
		}
	}
	for id := range s.EventRows {
		see(int64(id))
	}
	for id := range s.queue.rows {
		see(int64(id))
	}
	for _, e := range s.LogRows {
		see(int64(e.ID))
	}
	return latest, nil
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
