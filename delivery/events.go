package delivery

import "context"

// Events lists an organization's events, the newest first.
func (s *Service) Events(
	ctx context.Context, c Caller, org OrgID, f EventFilter, p Page,
) (Slice[Event], error) {
	if err := c.checkRead(org); err != nil {
		return Slice[Event]{}, err
	}
	p, err := p.bounded()
	if err != nil {
		return Slice[Event]{}, err
	}
	if !storable(f.WorkspaceID) || !storable(f.SourceEventID) || !storable(string(f.Group)) {
		return Slice[Event]{}, nil // nothing is stored under such an id
	}
	return s.store.Events(ctx, org, f, p)
}

// EventsByID returns the events with the ids, nil where there is none that the
// caller may see.
func (s *Service) EventsByID(ctx context.Context, c Caller, ids []EventID) ([]*Event, error) {
	if !c.Known() {
		return nil, errUnauthenticated
	}
	found, err := s.store.EventsByID(ctx, 0, ids)
	if err != nil {
		return nil, err
	}
	return align(ids, found,
		func(e *Event) EventID { return e.ID },
		func(e *Event) bool { return c.checkRead(e.Org) == nil }), nil
}
