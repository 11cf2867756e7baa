package memstore

import (
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// AllDeliveries returns all deliveries, pending and finished ones, in no order.
// Call it within Change.
func (s *Store) AllDeliveries() []delivery.Delivery {
	all := make([]delivery.Delivery, 0, len(s.queue.rows))
	now := s.now()
	for _, r := range s.queue.rows {
		all = append(all, r.view(now))
	}
	for _, e := range s.LogRows {
		if e.Delivery.State.Final() {
			all = append(all, e.Delivery)
		}
	}
	return all
}

// DeliveriesByID implements [delivery.DeliveryStore].
func (s *Store) DeliveriesByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.DeliveryID,
) ([]delivery.Delivery, error) {
	if err := s.lock(ctx, "DeliveriesByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return selected(s.AllDeliveries(), func(d *delivery.Delivery) bool {
		return (org == 0 || d.Org == org) && slices.Contains(ids, d.ID)
	}), nil
}

// Deliveries implements [delivery.DeliveryStore].
func (s *Store) Deliveries(
	ctx context.Context, org delivery.OrgID, f delivery.DeliveryFilter, p delivery.Page,
) (delivery.Slice[delivery.Delivery], error) {
	if err := s.lock(ctx, "Deliveries"); err != nil {
		return delivery.Slice[delivery.Delivery]{}, err
	}
	defer s.mu.Unlock()
	filter := delivery.NewEntryFilter(org, f)
	list := newest('d', func(d *delivery.Delivery) int64 { return int64(d.ID) })
	floor := deliveryFloor(list, f, p, s.now())
	found := selected(s.AllDeliveries(), func(d *delivery.Delivery) bool {
		return int64(d.ID) >= floor && s.passes(filter, d)
	})
	page, err := list.page(found, p)
	if err == nil && floor > 0 && !page.HasNext {
		page.HasNext = true
		page.SearchedTo, page.End = delivery.IDTime(floor), list.cursor(position{id: floor})
	}
	return page, err
}

// deliveryFloor returns the id at which a scan with a window ends; 0 for the end
// of the list.
func deliveryFloor(
	list listing[delivery.Delivery], f delivery.DeliveryFilter, p delivery.Page, now time.Time,
) int64 {
	if p.Window <= 0 || p.First <= 0 {
		return 0
	}
	start := now
	if !f.Before.IsZero() && f.Before.Before(start) {
		start = f.Before
	}
	if at, ok := list.parse(p.After); ok && delivery.IDTime(at.id).Before(start) {
		start = delivery.IDTime(at.id)
	}
	end := delivery.IDAt[int64](f.After)
	if at, ok := list.parse(p.Before); ok {
		end = max(end, at.id)
	}
	if floor := delivery.IDAt[int64](start.Add(-p.Window)); floor > end {
		return floor
	}
	return 0
}

// passes reports whether a delivery, its event and its latest attempt pass.
func (s *Store) passes(filter *delivery.EntryFilter, d *delivery.Delivery) bool {
	e := delivery.LogEntry{Delivery: *d}
	if latest, made := s.outcomes[d.ID]; made {
		e.Attempt = &delivery.Attempt{Outcome: latest.word, HTTPStatus: latest.status}
	}
	if !filter.Entry(&e) {
		return false
	}
	event, stored := s.EventRows[d.Event]
	return !filter.NeedsEvent || stored && filter.Event(&event)
}

// Entries implements [delivery.DeliveryStore].
func (s *Store) Entries(
	ctx context.Context, org delivery.OrgID, ids []delivery.DeliveryID,
) (map[delivery.DeliveryID][]delivery.LogEntry, error) {
	if err := s.lock(ctx, "Entries"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := make(map[delivery.DeliveryID][]delivery.LogEntry)
	for _, e := range s.LogRows {
		if d := &e.Delivery; (org == 0 || d.Org == org) && slices.Contains(ids, d.ID) {
			found[d.ID] = append(found[d.ID], e)
		}
	}
	return found, nil
}

// EntriesByID implements [delivery.DeliveryStore].
func (s *Store) EntriesByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.LogID,
) ([]delivery.LogEntry, error) {
	if err := s.lock(ctx, "EntriesByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return selected(s.LogRows, func(e *delivery.LogEntry) bool {
		return (org == 0 || e.Delivery.Org == org) && slices.Contains(ids, e.ID)
	}), nil
}
