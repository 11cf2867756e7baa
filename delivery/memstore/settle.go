package memstore

import (
	"context"
	"slices"

	"portalhooks/delivery"
)

// An outcome is what lists and counts need of a delivery's latest attempt.
type outcome struct {
	word   delivery.Outcome
	status int
}

// Settle implements [delivery.Queue].
func (s *Store) Settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error) {
	if len(batch) == 0 {
		return nil, ctx.Err()
	}
	if err := s.lockAs(ctx, batch[0].Owner, "Settle"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	held := make([]bool, len(batch))
	for i := range batch {
		held[i] = s.settle(&batch[i])
	}
	return held, nil
}

// settle reports whether the fence held, now or when an earlier call wrote the
// entry. What is to be held by a webhook that does not hold it is due at once.
func (s *Store) settle(one *delivery.Settlement) bool {
	if one.Unqueued {
		s.settleTest(one)
		return true
	}
	d := &one.Entry.Delivery
	r := s.queue.leases[d.ID]
	if r == nil || r.owner != one.Owner || r.delivery.Attempts != one.Before {
		return s.hasEntry(&one.Entry)
	}
	if d.State == delivery.Held {
		if fate, w := s.disposition(r); w != nil && fate != delivery.ToHold {
			s.queue.release(r, s.now())
			return false
		}
	}
	s.write(one.Entry)
	s.count(&one.Entry)
	if d.State.Final() {
		s.queue.remove(r)
		return true
	}
	due := s.now()
	if !r.cancel { // what is to be canceled does not wait
		due = due.Add(one.Pause)
	}
	s.queue.release(r, due)
	r.delivery.Attempts, r.held = d.Attempts, d.State == delivery.Held
	return true
}

// settleTest logs the test of a webhook, which has no place in the queue.
func (s *Store) settleTest(one *delivery.Settlement) {
	if one.Event != nil {
		s.putEvent(*one.Event)
	}
	if !s.hasEntry(&one.Entry) {
		s.write(one.Entry)
	}
}

// hasEntry reports whether an earlier call wrote the entry.
func (s *Store) hasEntry(e *delivery.LogEntry) bool {
	return slices.ContainsFunc(s.LogRows, func(known delivery.LogEntry) bool {
		return known.ID == e.ID && known.Delivery.ID == e.Delivery.ID
	})
}

// write adds an entry to the log. The log does not tell which deliveries were
// ordered.
func (s *Store) write(e delivery.LogEntry) {
	e.Delivery.Ordered = false
	if e.Attempt != nil {
		s.outcomes[e.Delivery.ID] = outcome{e.Attempt.Outcome, e.Attempt.HTTPStatus}
		e.Attempt = cleaned(*e.Attempt)
	}
	s.LogRows = append(s.LogRows, e)
}

// cleaned makes the texts of an attempt storable.
func cleaned(a delivery.Attempt) *delivery.Attempt {
	a.Error, a.RemoteAddress = delivery.Clean(a.Error), delivery.Clean(a.RemoteAddress)
	a.ResponseBody = delivery.Clean(a.ResponseBody)
	a.ResponseHeaders = slices.Clone(a.ResponseHeaders)
	for i := range a.ResponseHeaders {
		h := &a.ResponseHeaders[i]
		h.Name, h.Value = delivery.Clean(h.Name), delivery.Clean(h.Value)
	}
	return &a
}
