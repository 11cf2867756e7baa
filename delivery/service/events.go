package service

import (
	"context"

	"portalhooks/delivery"
)

// Events lists an organization's events, the newest first.
func (s *Service) Events(
	ctx context.Context, c delivery.Caller, org delivery.OrgID, f delivery.EventFilter, p delivery.Page,
) (delivery.Slice[delivery.Event], error) {
	if err := c.CheckRead(org); err != nil {
		return delivery.Slice[delivery.Event]{}, err
	}
	p, err := p.Bounded()
	if err != nil {
		return delivery.Slice[delivery.Event]{}, err
	}
	if err := checkListed("filter.types", f.Types); err != nil {
		return delivery.Slice[delivery.Event]{}, err
	}
	if !delivery.Storable(f.WorkspaceID) || !delivery.Storable(f.SourceEventID) ||
		!delivery.Storable(string(f.Group)) {
		return delivery.Slice[delivery.Event]{}, nil // nothing is stored under such an id
	}
	return s.store.Events(ctx, org, f, p)
}

// EventsByID returns the events with the ids, nil where there is none that the
// caller may see.
func (s *Service) EventsByID(
	ctx context.Context, c delivery.Caller, ids []delivery.EventID,
) ([]*delivery.Event, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	found, err := s.store.EventsByID(ctx, 0, ids)
	if err != nil {
		return nil, err
	}
	return align(ids, found,
		func(e *delivery.Event) delivery.EventID { return e.ID },
		func(e *delivery.Event) bool { return c.CheckRead(e.Org) == nil }), nil
}
