package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"portalhooks/delivery"
	"portalhooks/delivery/template"
)

// maxIDs bounds the lists of ids that one call takes.
const maxIDs = 100

// Deliveries lists deliveries of org, the newest first; those of every
// organization when org is 0, which only operators may ask for. It returns
// NotFound where the caller may not see org, and LimitExceeded when the list
// takes too long. A page of a filter without an index may end early: see Slice.
func (s *Service) Deliveries(
	ctx context.Context, c delivery.Caller, org delivery.OrgID, f delivery.DeliveryFilter, p delivery.Page,
) (delivery.Slice[delivery.Delivery], error) {
	if err := checkWatch(c, org); err != nil {
		return delivery.Slice[delivery.Delivery]{}, err
	}
	p, err := p.Bounded()
	if err != nil {
		return delivery.Slice[delivery.Delivery]{}, err
	}
	if f, err = bounded(f); err != nil {
		return delivery.Slice[delivery.Delivery]{}, err
	}
	if p.First > 0 && scans(&f) {
		return s.search(ctx, org, f, p)
	}
	found, err := s.store.Deliveries(ctx, org, f, p)
	return found, tooSlow(ctx, err)
}

// checkWatch refuses a caller who may not see org's deliveries, or with org 0
// everybody's.
func checkWatch(c delivery.Caller, org delivery.OrgID) error {
	if org == 0 {
		return c.CheckOperator()
	}
	return c.CheckRead(org)
}

// Watch follows the delivery log: see [Publisher.Watch]. The errors are those of
// Deliveries, and Invalid for a cursor that is none.
func (s *Service) Watch(
	ctx context.Context, c delivery.Caller, in delivery.WatchInput,
) (<-chan delivery.LogItem, error) {
	if err := checkWatch(c, in.Org); err != nil {
		return nil, err
	}
	var err error
	if in.Filter, err = bounded(in.Filter); err != nil {
		return nil, err
	}
	return s.pipeline.Publisher.Watch(ctx, in)
}

// DeliveriesByID returns the deliveries with the ids, nil where there is none
// that the caller may see.
func (s *Service) DeliveriesByID(
	ctx context.Context, c delivery.Caller, ids []delivery.DeliveryID,
) ([]*delivery.Delivery, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	found, err := s.store.DeliveriesByID(ctx, 0, ids)
	if err != nil {
		return nil, fmt.Errorf("find deliveries: %w", err)
	}
	return align(ids, found,
		func(d *delivery.Delivery) delivery.DeliveryID { return d.ID },
		func(d *delivery.Delivery) bool { return c.CheckRead(d.Org) == nil }), nil
}

// Attempts returns the attempts of each delivery, oldest first. For deliveries
// that the caller may not see there are none.
func (s *Service) Attempts(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) ([][]delivery.LogEntry, error) {
	ids := distinctOf(deliveries, func(d *delivery.Delivery) (delivery.DeliveryID, bool) {
		if !canSee(c, d) {
			return 0, false
		}
		return d.ID, true
	})
	if len(ids) == 0 {
		return make([][]delivery.LogEntry, len(deliveries)), nil
	}
	entries, err := s.store.Entries(ctx, orgOf(deliveries), ids)
	if err != nil {
		return nil, fmt.Errorf("find attempts: %w", err)
	}
	attempts := make([][]delivery.LogEntry, len(deliveries))
	for i, d := range deliveries {
		if canSee(c, d) {
			attempts[i] = slices.DeleteFunc(slices.Clone(entries[d.ID]),
				func(e delivery.LogEntry) bool { return e.Attempt == nil })
		}
	}
	return attempts, nil
}

// EntriesByID returns the log entries with the ids, nil where there is none
// that the caller may see.
func (s *Service) EntriesByID(
	ctx context.Context, c delivery.Caller, ids []delivery.LogID,
) ([]*delivery.LogEntry, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	found, err := s.store.EntriesByID(ctx, 0, ids)
	if err != nil {
		return nil, fmt.Errorf("find log entries: %w", err)
	}
	return align(ids, found,
		func(e *delivery.LogEntry) delivery.LogID { return e.ID },
		func(e *delivery.LogEntry) bool { return c.CheckRead(e.Delivery.Org) == nil }), nil
}

// maxMessages bounds the messages that one call renders, in bytes together.
const maxMessages = 8 << 20

// Messages returns the exact bytes that each delivery sends: empty where the
// message is too large, the event is no longer kept, or the caller may not see
// the delivery. It returns LimitExceeded when they are too long together.
func (s *Service) Messages(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) ([]string, error) {
	events, err := s.eventsOf(ctx, c, deliveries)
	if err != nil {
		return nil, err
	}
	messages, size := make([]string, len(deliveries)), 0
	for i, d := range deliveries {
		if d == nil || events[d.Event] == nil || !canSee(c, d) {
			continue
		}
		if messages[i], err = s.message(ctx, events[d.Event], d); err != nil {
			return nil, err
		}
		if size += len(messages[i]); size > maxMessages {
			return nil, delivery.Errorf(delivery.LimitExceeded, "",
				"The messages have more than %d MiB together. Ask for fewer deliveries at a time.", maxMessages>>20)
		}
	}
	return messages, nil
}

// message renders a delivery's message; it is empty when it can't be sent.
func (s *Service) message(ctx context.Context, e *delivery.Event, d *delivery.Delivery) (string, error) {
	body, err := s.pipeline.Renderer.Render(ctx, nil, e, d.Version, d.ID)
	if errors.Is(err, template.ErrTooLarge) || delivery.CodeOf(err) == delivery.NotFound ||
		delivery.CodeOf(err) == delivery.TemplateInvalid {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("render a message: %w", err)
	}
	return string(body), nil
}

// eventsOf returns the events of the deliveries that the caller may see.
func (s *Service) eventsOf(
	ctx context.Context, c delivery.Caller, deliveries []*delivery.Delivery,
) (map[delivery.EventID]*delivery.Event, error) {
	ids := distinctOf(deliveries, func(d *delivery.Delivery) (delivery.EventID, bool) {
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
	events := make(map[delivery.EventID]*delivery.Event, len(found))
	for i := range found {
		events[found[i].ID] = &found[i]
	}
	return events, nil
}

// canSee reports whether d is a delivery that the caller may see.
func canSee(c delivery.Caller, d *delivery.Delivery) bool {
	return d != nil && c.CheckRead(d.Org) == nil
}

// orgOf returns the organization of the deliveries, or 0 when there are
// several.
func orgOf(deliveries []*delivery.Delivery) delivery.OrgID {
	orgs := distinctOf(deliveries, func(d *delivery.Delivery) (delivery.OrgID, bool) {
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
