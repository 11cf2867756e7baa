package memstore

import (
	"context"
	"errors"
	"time"

	"portalhooks/delivery"
)

// An eventKey identifies a fact.
type eventKey struct {
	org delivery.OrgID
	key string
}

// Ingest implements [delivery.Queue].
func (s *Store) Ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) ([]delivery.Ingested, error) {
	if err := s.lockAs(ctx, owner, "Ingest"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if m := s.MemberRows[owner.Slot]; m != nil && m.Owner.Epoch > owner.Epoch {
		return nil, delivery.Errorf(delivery.NotFound, "", "The lease of this server has ended.")
	}
	if s.hasRepeated(batch) {
		return nil, errRepeatedID
	}
	results := make([]delivery.Ingested, len(batch))
	for i, in := range batch {
		org := s.Org(in.Org)
		if org == nil || org.ConfigVersion != in.ConfigVersion {
			results[i].Stale = true
			continue
		}
		for _, e := range in.Events {
			results[i].Events = append(results[i].Events, s.Add(owner, lease, in.Org, e))
		}
	}
	return results, nil
}

var errRepeatedID = errors.New("a delivery with this id is stored already")

// hasRepeated reports whether a delivery of a new event has an id that is stored.
func (s *Store) hasRepeated(batch []delivery.Ingest) bool {
	for _, in := range batch {
		for _, e := range in.Events {
			if _, known := s.keys[eventKey{in.Org, e.Key}]; known {
				continue
			}
			for _, d := range e.Deliveries {
				if s.queue.rows[d.ID] != nil {
					return true
				}
			}
		}
	}
	return false
}

// Add stores an event with its deliveries as Ingest does, whatever it was
// matched against. Call it within Change.
func (s *Store) Add(
	owner delivery.Owner, lease time.Duration, org delivery.OrgID, e delivery.NewEvent,
) delivery.Stored {
	key := eventKey{org, e.Key}
	if stored, known := s.keys[key]; known {
		stored.Fresh = stored.ID == e.Event.ID // the same call again
		return stored
	}
	stored := delivery.Stored{
		ID: e.Event.ID, Fresh: true, Fingerprint: e.Fingerprint, Deliveries: len(e.Deliveries),
	}
	s.keys[key] = stored
	s.putEvent(e.Event)
	now := s.now()
	for _, d := range e.Deliveries {
		r := s.queue.add(d, now)
		if d.State == delivery.Sending {
			s.queue.lease(r, owner, now.Add(lease))
		}
	}
	return stored
}

func (s *Store) putEvent(e delivery.Event) {
	e.ItemName, e.SourceEventID = delivery.Clean(e.ItemName), delivery.Clean(e.SourceEventID)
	e.Group = delivery.GroupID(delivery.Clean(string(e.Group)))
	e.WorkspaceID, e.WorkspaceName = delivery.Clean(e.WorkspaceID), delivery.Clean(e.WorkspaceName)
	s.EventRows[e.ID] = e
}
