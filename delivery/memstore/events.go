package memstore

import (
	"cmp"
	"context"
	"slices"

	"portalhooks/delivery"
)

// EventsByID implements [delivery.EventStore].
func (s *Store) EventsByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.EventID,
) ([]delivery.Event, error) {
	if err := s.lock(ctx, "EventsByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return byID(s.EventRows, ids, func(e delivery.Event) bool { return org == 0 || e.Org == org }), nil
}

// events returns the events that pass, in no order.
func (s *Store) events(passes func(*delivery.Event) bool) []delivery.Event {
	var found []delivery.Event
	for _, e := range s.EventRows {
		if passes(&e) {
			found = append(found, e)
		}
	}
	return found
}

// Events implements [delivery.EventStore].
func (s *Store) Events(
	ctx context.Context, org delivery.OrgID, f delivery.EventFilter, p delivery.Page,
) (delivery.Slice[delivery.Event], error) {
	if err := s.lock(ctx, "Events"); err != nil {
		return delivery.Slice[delivery.Event]{}, err
	}
	defer s.mu.Unlock()
	l := newest('e', func(e *delivery.Event) int64 { return int64(e.ID) })
	return l.page(s.events(func(e *delivery.Event) bool {
		return e.Org == org && !e.Test && delivery.Among(f.Types, e.Type) &&
			(f.Item == 0 || e.Item == f.Item) && (f.Group == "" || e.Group == f.Group) &&
			(f.WorkspaceID == "" || e.WorkspaceID == f.WorkspaceID) &&
			(f.SourceEventID == "" || e.SourceEventID == f.SourceEventID) &&
			(f.After.IsZero() || !e.ReceivedAt.Before(f.After)) &&
			(f.Before.IsZero() || e.ReceivedAt.Before(f.Before))
	}), p)
}

// EventsOfGroup implements [delivery.EventStore].
func (s *Store) EventsOfGroup(
	ctx context.Context, org delivery.OrgID, g delivery.GroupID, t delivery.EventType, limit int,
) ([]delivery.Event, error) {
	if err := s.lock(ctx, "EventsOfGroup"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.ofGroup(org, g, t, limit), nil
}

func (s *Store) ofGroup(
	org delivery.OrgID, g delivery.GroupID, t delivery.EventType, limit int,
) []delivery.Event {
	found := s.events(func(e *delivery.Event) bool { return e.Org == org && e.Group == g && e.Type == t })
	slices.SortFunc(found, func(a, b delivery.Event) int { return cmp.Compare(a.ID, b.ID) })
	return found[:min(limit, len(found))]
}

// CountOfGroup implements [delivery.EventStore].
func (s *Store) CountOfGroup(
	ctx context.Context, org delivery.OrgID, g delivery.GroupID, t delivery.EventType, limit int,
) (int, error) {
	if err := s.lock(ctx, "CountOfGroup"); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return len(s.ofGroup(org, g, t, limit)), nil
}

// StoredByKey implements [delivery.EventStore].
func (s *Store) StoredByKey(
	ctx context.Context, org delivery.OrgID, keys []string,
) (map[string]delivery.Stored, error) {
	if err := s.lock(ctx, "StoredByKey"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := make(map[string]delivery.Stored)
	for _, key := range keys {
		if stored, known := s.keys[eventKey{org, key}]; known {
			stored.Fresh = false
			found[key] = stored
		}
	}
	return found, nil
}
