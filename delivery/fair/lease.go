package fair

import (
	"slices"

	"portalhooks/delivery"
)

// Lease returns the batch as it is to be stored. Where there is room in memory,
// and the organization does not hold its share of it, deliveries that may start at
// once are leased to this server: they are SENDING. Reserved is how many they are,
// and for how many room was reserved. The caller's events are not changed.
func (s *Scheduler) Lease(batch []delivery.Ingest, m *Memory) (leased []delivery.Ingest, reserved int) {
	leased = make([]delivery.Ingest, len(batch))
	taken := make(map[delivery.OrgID]int)
	for i, unit := range batch {
		leased[i] = unit
		events, n, urgent := s.lease(unit.Events)
		if n > 0 && s.mayHold(unit.Org, taken[unit.Org]+n, urgent, m.Left()-n) && m.Reserve(n, urgent) {
			leased[i].Events = events
			taken[unit.Org] += n
			reserved += n
		}
	}
	return leased, reserved
}

// mayHold reports whether an organization may hold n more jobs in memory, of
// which so many places are left.
func (s *Scheduler) mayHold(id delivery.OrgID, n int, urgent bool, left int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orgs[id]
	if o == nil {
		o = s.newOrganization(id) // it is remembered when it has a lane
	}
	return s.takes(o.turn(urgent), n, left)
}

// lease returns events with those of their deliveries SENDING that may go
// straight to a worker, and how many they are. A delivery may when it is queued
// and not ordered, and its webhook has neither a rate limit nor a circuit
// breaker that is not closed. Urgent says that all events are alerts.
func (s *Scheduler) lease(events []delivery.NewEvent) (leased []delivery.NewEvent, n int, urgent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	for i := range events {
		size += len(events[i].Deliveries)
	}
	leased, urgent = slices.Clone(events), true
	deliveries := make([]delivery.Delivery, 0, size)
	for i := range leased {
		e := &leased[i]
		urgent = urgent && e.Event.Type.Urgent()
		from := len(deliveries)
		deliveries = append(deliveries, e.Deliveries...)
		e.Deliveries = deliveries[from:len(deliveries):len(deliveries)]
		for j := range e.Deliveries {
			d := &e.Deliveries[j]
			if d.State == delivery.Queued && !d.Ordered && s.restricted[d.Webhook] == nil {
				d.State = delivery.Sending
				n++
			}
		}
	}
	return leased, n, urgent
}
