package memstore

import (
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// record adds entries to the audit log. An entry that is there already is not
// added twice.
func (s *Store) record(entries ...delivery.AuditEntry) {
	for _, e := range entries {
		known := func(other delivery.AuditEntry) bool { return other.ID == e.ID }
		if e.ID == 0 || !slices.ContainsFunc(s.AuditRows, known) {
			s.AuditRows = append(s.AuditRows, e)
		}
	}
}

// Record implements [delivery.AuditStore].
func (s *Store) Record(ctx context.Context, entries ...delivery.AuditEntry) error {
	if err := s.lock(ctx, "Record"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.record(entries...)
	return nil
}

// AuditLog implements [delivery.AuditStore].
func (s *Store) AuditLog(
	ctx context.Context, org delivery.OrgID, f delivery.AuditFilter, p delivery.Page,
) (delivery.Slice[delivery.AuditEntry], error) {
	if err := s.lock(ctx, "AuditLog"); err != nil {
		return delivery.Slice[delivery.AuditEntry]{}, err
	}
	defer s.mu.Unlock()
	l := listing[delivery.AuditEntry]{
		kind:       'a',
		key:        func(e *delivery.AuditEntry) string { return timeKey(e.At) },
		id:         func(e *delivery.AuditEntry) int64 { return int64(e.ID) },
		descending: true,
	}
	return l.page(selected(s.AuditRows, func(e *delivery.AuditEntry) bool {
		return (org == 0 || e.Org == org) && delivery.Among(f.Actions, e.Action) &&
			(f.Object == "" || e.Object.ID == f.Object) && (f.Key == 0 || e.Actor.Key == f.Key) &&
			(f.After.IsZero() || !e.At.Before(f.After)) && (f.Before.IsZero() || e.At.Before(f.Before))
	}), p)
}

// DiscardAudit implements [delivery.AuditStore].
func (s *Store) DiscardAudit(ctx context.Context, t time.Time) (more bool, err error) {
	if err := s.lock(ctx, "DiscardAudit"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	if latest := s.now().Add(-delivery.MinAuditRetention); latest.Before(t) {
		t = latest
	}
	s.AuditRows, more = discard(s.AuditRows, func(e *delivery.AuditEntry) bool { return e.At.Before(t) })
	return more, nil
}
