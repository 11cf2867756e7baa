package memstore

import (
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// Release implements [delivery.Queue].
func (s *Store) Release(
	ctx context.Context, owner delivery.Owner, ids []delivery.DeliveryID, pause time.Duration,
) (int, error) {
	if err := s.lockAs(ctx, owner, "Release"); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	due := s.now().Add(pause)
	if ids == nil {
		return s.queue.releaseAll(due, heldBy(owner)), nil
	}
	n := 0
	for _, id := range ids {
		if r := s.queue.leases[id]; r != nil && r.owner == owner {
			s.queue.release(r, due)
			n++
		}
	}
	return n, nil
}

// heldBy passes what any epoch of owner's slot up to owner's has leased.
func heldBy(owner delivery.Owner) func(*row) bool {
	return func(r *row) bool { return r.owner.Slot == owner.Slot && r.owner.Epoch <= owner.Epoch }
}

// Requeue implements [delivery.Queue].
func (s *Store) Requeue(
	ctx context.Context, deliveries []delivery.Delivery, records []delivery.AuditEntry,
) error {
	if err := s.lock(ctx, "Requeue"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, d := range deliveries {
		if _, stored := s.EventRows[d.Event]; !stored {
			return delivery.Errorf(delivery.NotFound, "", "The event is no longer kept.")
		}
	}
	for _, d := range deliveries {
		w := s.WebhookRows[d.Webhook]
		if w != nil && w.Disposition(w.Version.Number) == delivery.ToCancel {
			return delivery.ErrNotEnabled
		}
	}
	for _, d := range deliveries {
		w := s.WebhookRows[d.Webhook]
		if w != nil {
			d.Ordered = w.Version.Policy.Ordered
			if d.State == delivery.Held && !w.Holding {
				d.State = delivery.Queued
			}
		}
		r := s.queue.add(d, s.now())
		if w != nil {
			r.since = w.Version.Number
		}
	}
	s.record(records...)
	return nil
}

// Depth implements [delivery.Queue].
func (s *Store) Depth(ctx context.Context) (delivery.QueueDepth, error) {
	if err := s.lock(ctx, "Depth"); err != nil {
		return delivery.QueueDepth{}, err
	}
	defer s.mu.Unlock()
	var depth delivery.QueueDepth
	now := s.now()
	for _, r := range s.queue.rows {
		switch {
		case r.held:
			depth.Held++
		case r.leased(now):
			depth.Leased++
		default:
			depth.Pending++
			if !r.due.After(now) && (depth.OldestDue.IsZero() || r.due.Before(depth.OldestDue)) {
				depth.OldestDue = r.due
			}
		}
	}
	return depth, nil
}

// Pending implements [delivery.DeliveryStore].
func (s *Store) Pending(
	ctx context.Context, ids []delivery.WebhookID, limit int,
) (map[delivery.WebhookID]delivery.Backlog, error) {
	if err := s.lock(ctx, "Pending"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	backlogs := make(map[delivery.WebhookID]delivery.Backlog, len(ids))
	for _, id := range ids {
		var b delivery.Backlog
		for _, r := range s.queue.byWebhook[id] {
			if r.held {
				b.Held++
			} else {
				b.Pending++
			}
		}
		backlogs[id] = delivery.Backlog{Pending: min(b.Pending, limit), Held: min(b.Held, limit)}
	}
	return backlogs, nil
}

// Queued returns all pending deliveries as jobs, oldest first; leased ones have their
// Owner. Call it within Change.
func (s *Store) Queued() []delivery.Job {
	jobs := make([]delivery.Job, 0, len(s.queue.rows))
	now := s.now()
	for _, r := range s.queue.rows {
		d, _ := s.disposition(r)
		jobs = append(jobs, delivery.Job{
			Delivery: r.view(now), Owner: r.owner, Cancel: r.cancel || d == delivery.ToCancel,
		})
	}
	slices.SortFunc(jobs, func(a, b delivery.Job) int { return int(a.Delivery.ID - b.Delivery.ID) })
	return jobs
}
