package memstore

import (
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// since returns the number of the version of its webhook since which a row is
// pending; that of no version at all counts as the latest.
func (s *Store) since(r *row, w *delivery.Webhook) int {
	if r.since > 0 {
		return r.since
	}
	for i := range s.VersionRows {
		if v := &s.VersionRows[i]; v.ID == r.delivery.Version {
			return v.Number
		}
	}
	return w.Version.Number
}

// disposition returns what the webhook of a row decides about it. A webhook that
// is not stored decides nothing.
func (s *Store) disposition(r *row) (d delivery.Disposition, w *delivery.Webhook) {
	if w = s.WebhookRows[r.delivery.Webhook]; w == nil {
		return delivery.ToSend, nil
	}
	return w.Disposition(s.since(r, w)), w
}

// Recall implements [delivery.Queue]. The position is the last row that was
// looked at.
func (s *Store) Recall(
	ctx context.Context, id delivery.WebhookID, at delivery.RecallPosition, limit int,
) (delivery.Recalled, error) {
	if err := s.lock(ctx, "Recall"); err != nil {
		return delivery.Recalled{}, err
	}
	defer s.mu.Unlock()
	w := s.WebhookRows[id]
	if w == nil {
		return delivery.Recalled{Done: true}, nil
	}
	change := int64(w.Version.Number)
	if w.Version.Deleted {
		change = -1
	}
	if at.Change != change {
		at = delivery.RecallPosition{Change: change}
	}
	result := delivery.Recalled{Next: at}
	now := s.now()
	for _, r := range slices.Clone(s.queue.byWebhook[id]) {
		if r.delivery.ID <= at.ID {
			continue
		}
		if limit == 0 {
			return result, nil
		}
		if s.recall(r, now) {
			result.Changed++
		}
		limit--
		result.Next.ID = r.delivery.ID
	}
	result.Done = true
	delete(s.recalling, id)
	return result, nil
}

// recall brings a row in line with its webhook and reports whether it was not.
func (s *Store) recall(r *row, now time.Time) bool {
	was := *r
	d, w := s.disposition(r)
	leased := r.owner != delivery.Owner{}
	switch {
	case d == delivery.ToCancel && leased:
		r.cancel = true
	case d == delivery.ToCancel:
		if r.held || r.due.After(now) || r.delivery.Ordered {
			r.cancel, r.delivery.Ordered = true, false
			r.due = now
		}
		r.held = false
	case d == delivery.ToSend && r.held, d == delivery.ToHold && !r.held && !leased && r.due.After(now):
		r.held, r.due = false, now
	}
	if d != delivery.ToCancel {
		r.delivery.Ordered = w.Version.Policy.Ordered
	}
	return *r != was
}

// Unrecalled implements [delivery.Queue].
func (s *Store) Unrecalled(
	ctx context.Context, after delivery.WebhookID, limit int,
) (found []delivery.WebhookID, next delivery.WebhookID, err error) {
	if err := s.lock(ctx, "Unrecalled"); err != nil {
		return nil, 0, err
	}
	defer s.mu.Unlock()
	for id := range s.WebhookRows {
		if id > after && (s.recalling[id] != 0 || s.contradicted(id)) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	if len(found) > limit {
		found = found[:limit]
		next = found[limit-1]
	}
	return found, next, nil
}

// contradicted reports whether a row is held although its webhook does not hold,
// or waits for a retry although that makes no calls.
func (s *Store) contradicted(id delivery.WebhookID) bool {
	w, now := s.WebhookRows[id], s.now()
	holds := w.Holding && !w.Version.Deleted
	silent := w.Version.Deleted || w.Status == delivery.Disabled && !w.Holding
	return slices.ContainsFunc(s.queue.byWebhook[id], func(r *row) bool {
		return r.held && !holds || silent && !r.held && r.owner == delivery.Owner{} && r.due.After(now)
	})
}

// Whether a recall is due: what it has to do beside setting states.
const (
	recallStates = iota + 1
	recallOrder
	recallIntoOrder // none is claimed until all are ordered
)

// changed notes what a change of a webhook means for its rows.
func (s *Store) changed(was, now *delivery.Webhook) {
	reordered := was.Version.Policy.Ordered != now.Version.Policy.Ordered || s.recalling[now.ID] >= recallOrder
	switch {
	case reordered && now.Version.Policy.Ordered:
		s.recalling[now.ID] = recallIntoOrder
	case reordered:
		s.recalling[now.ID] = recallOrder
	case was.Status != now.Status, was.Holding != now.Holding, was.CancelBefore != now.CancelBefore:
		s.recalling[now.ID] = recallStates
	}
}
