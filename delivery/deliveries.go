package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"portalhooks/delivery/template"
)

// maxIDs bounds the lists of ids that one call takes.
const maxIDs = 100

// Deliveries lists deliveries of org, the newest first; those of every
// organization when org is 0, which only operators may ask for. It returns
// NotFound where the caller may not see org.
func (s *Service) Deliveries(
	ctx context.Context, c Caller, org OrgID, f DeliveryFilter, p Page,
) (Slice[Delivery], error) {
	if err := checkWatch(c, org); err != nil {
		return Slice[Delivery]{}, err
	}
	p, err := p.bounded()
	if err != nil {
		return Slice[Delivery]{}, err
	}
	return s.store.Deliveries(ctx, org, f, p)
}

// checkWatch refuses a caller who may not see org's deliveries, or with org 0
// everybody's.
func checkWatch(c Caller, org OrgID) error {
	if org == 0 {
		return c.checkOperator()
	}
	return c.checkRead(org)
}

// DeliveriesByID returns the deliveries with the ids, nil where there is none
// that the caller may see.
func (s *Service) DeliveriesByID(ctx context.Context, c Caller, ids []DeliveryID) ([]*Delivery, error) {
	if !c.Known() {
		return nil, errUnauthenticated
	}
	found, err := s.store.DeliveriesByID(ctx, 0, ids)
	if err != nil {
		return nil, fmt.Errorf("find deliveries: %w", err)
	}
	return align(ids, found,
		func(d *Delivery) DeliveryID { return d.ID },
		func(d *Delivery) bool { return c.checkRead(d.Org) == nil }), nil
}

// Attempts returns the attempts of each delivery, oldest first. For deliveries
// that the caller may not see there are none.
func (s *Service) Attempts(ctx context.Context, c Caller, deliveries []*Delivery) ([][]LogEntry, error) {
	ids := distinctOf(deliveries, func(d *Delivery) (DeliveryID, bool) {
		if !canSee(c, d) {
			return 0, false
		}
		return d.ID, true
	})
	if len(ids) == 0 {
		return make([][]LogEntry, len(deliveries)), nil
	}
	entries, err := s.store.Entries(ctx, orgOf(deliveries), ids)
	if err != nil {
		return nil, fmt.Errorf("find attempts: %w", err)
	}
	attempts := make([][]LogEntry, len(deliveries))
	for i, d := range deliveries {
		if canSee(c, d) {
			attempts[i] = slices.DeleteFunc(slices.Clone(entries[d.ID]),
				func(e LogEntry) bool { return e.Attempt == nil })
		}
	}
	return attempts, nil
}

// EntriesByID returns the log entries with the ids, nil where there is none
// that the caller may see.
func (s *Service) EntriesByID(ctx context.Context, c Caller, ids []LogID) ([]*LogEntry, error) {
	if !c.Known() {
		return nil, errUnauthenticated
	}
	found, err := s.store.EntriesByID(ctx, 0, ids)
	if err != nil {
		return nil, fmt.Errorf("find log entries: %w", err)
	}
	return align(ids, found,
		func(e *LogEntry) LogID { return e.ID },
		func(e *LogEntry) bool { return c.checkRead(e.Delivery.Org) == nil }), nil
}

// Messages returns the exact bytes that each delivery sends: empty where the
// message is too large, the event is no longer kept, or the caller may not see
// the delivery.
func (s *Service) Messages(ctx context.Context, c Caller, deliveries []*Delivery) ([]string, error) {
	events, err := s.eventsOf(ctx, c, deliveries)
	if err != nil {
		return nil, err
	}
	messages := make([]string, len(deliveries))
	for i, d := range deliveries {
		if d == nil || events[d.Event] == nil || !canSee(c, d) {
			continue
		}
		if messages[i], err = s.message(ctx, events[d.Event], d); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// message renders a delivery's message; it is empty when it can't be sent.
func (s *Service) message(ctx context.Context, e *Event, d *Delivery) (string, error) {
	body, err := s.pipeline.Renderer.Render(ctx, nil, e, d.Version, d.ID)
	if errors.Is(err, template.ErrTooLarge) || CodeOf(err) == NotFound || CodeOf(err) == TemplateInvalid {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("render a message: %w", err)
	}
	return string(body), nil
}

// eventsOf returns the events of the deliveries that the caller may see.
func (s *Service) eventsOf(
	ctx context.Context, c Caller, deliveries []*Delivery,
) (map[EventID]*Event, error) {
	ids := distinctOf(deliveries, func(d *Delivery) (EventID, bool) {
		if !canSee(c, d) {
			return 0, false
		}
		return d.Event, true
	})
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.store.EventsByID(ctx, orgOf(deliveries), ids)
	if err != nil {
		return nil, fmt.Errorf("find events: %w", err)
	}
	events := make(map[EventID]*Event, len(found))
	for i := range found {
		events[found[i].ID] = &found[i]
	}
	return events, nil
}

// canSee reports whether d is a delivery that the caller may see.
func canSee(c Caller, d *Delivery) bool { return d != nil && c.checkRead(d.Org) == nil }

// orgOf returns the organization of the deliveries, or 0 when there are
// several.
func orgOf(deliveries []*Delivery) OrgID {
	orgs := distinctOf(deliveries, func(d *Delivery) (OrgID, bool) {
		if d == nil {
			return 0, false
		}
		return d.Org, true
	})
	if len(orgs) == 1 {
		return orgs[0]
	}
	return 0
}
