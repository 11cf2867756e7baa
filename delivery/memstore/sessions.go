package memstore

import (
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// CreateSession implements [delivery.SessionStore].
func (s *Store) CreateSession(ctx context.Context, one delivery.Session, keep int) error {
	if err := s.lock(ctx, "CreateSession"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.SessionRows = append(s.SessionRows, one)
	same := selected(s.SessionRows, func(other *delivery.Session) bool { return other.Person == one.Person })
	slices.SortStableFunc(same, func(a, b delivery.Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
	for _, oldest := range same[min(keep, len(same)):] {
		s.endSession(oldest.ID)
	}
	return nil
}

func (s *Store) endSession(id string) {
	s.SessionRows = slices.DeleteFunc(s.SessionRows, func(one delivery.Session) bool { return one.ID == id })
}

// SessionsByID implements [delivery.SessionStore].
func (s *Store) SessionsByID(ctx context.Context, ids []string) ([]delivery.Session, error) {
	if err := s.lock(ctx, "SessionsByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return selected(s.SessionRows, func(one *delivery.Session) bool { return slices.Contains(ids, one.ID) }), nil
}

// TouchSessions implements [delivery.SessionStore].
func (s *Store) TouchSessions(ctx context.Context, ids []string, at time.Time) error {
	if err := s.lock(ctx, "TouchSessions"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for i := range s.SessionRows {
		if one := &s.SessionRows[i]; slices.Contains(ids, one.ID) {
			one.SeenAt = delivery.Later(one.SeenAt, at)
		}
	}
	return nil
}

// EndSession implements [delivery.SessionStore].
func (s *Store) EndSession(ctx context.Context, id string) error {
	if err := s.lock(ctx, "EndSession"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.endSession(id)
	return nil
}

// DiscardSessions implements [delivery.SessionStore].
func (s *Store) DiscardSessions(ctx context.Context, t time.Time) (more bool, err error) {
	if err := s.lock(ctx, "DiscardSessions"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	unused := func(one *delivery.Session) bool { return one.SeenAt.Before(t) }
	s.SessionRows, more = discard(s.SessionRows, unused)
	return more, nil
}
