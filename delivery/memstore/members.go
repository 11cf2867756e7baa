package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

// A Member is the latest run of a server in one slot.
type Member struct {
	delivery.Member

	Until      time.Time // the end of its lease; zero when it has left
	Reaped     int64     // the latest epoch of the slot whose deliveries were released
	ExpiryFrom time.Time // from which on ended leases of deliveries count
}

// Join implements [delivery.Membership]. It returns Unavailable when every slot
// is taken.
func (s *Store) Join(ctx context.Context, name string, ttl time.Duration) (delivery.Owner, error) {
	if err := s.lock(ctx, "Join"); err != nil {
		return delivery.Owner{}, err
	}
	defer s.mu.Unlock()
	now := s.now()
	for slot := range delivery.MaxSlot + 1 {
		m := s.MemberRows[slot]
		if m == nil {
			m = &Member{}
			s.MemberRows[slot] = m
		}
		if m.Until.After(now) || !m.Until.IsZero() && m.Reaped < m.Owner.Epoch {
			continue // it lives, or may come back
		}
		owner := delivery.Owner{Slot: slot, Epoch: m.Owner.Epoch + 1}
		m.Member = delivery.Member{Owner: owner, Name: name, StartedAt: now, SeenAt: now}
		m.Until, m.ExpiryFrom = now.Add(ttl), time.Time{}
		return owner, nil
	}
	return delivery.Owner{}, delivery.Errorf(delivery.Unavailable, "", "Every slot is taken.")
}

// member returns the run of a server, nil when it is not the latest of its slot.
func (s *Store) member(owner delivery.Owner) *Member {
	if m := s.MemberRows[owner.Slot]; m != nil && m.Owner == owner {
		return m
	}
	return nil
}

// Heartbeat implements [delivery.Membership].
func (s *Store) Heartbeat(ctx context.Context, owner delivery.Owner, ttl time.Duration, steady bool) error {
	if err := s.lockAs(ctx, owner, "Heartbeat"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := s.now()
	m := s.member(owner)
	if m == nil || !m.Until.After(now) && m.Reaped >= owner.Epoch {
		return delivery.Errorf(delivery.NotFound, "", "The lease of this server has ended.")
	}
	switch {
	case !m.Until.After(now) || m.SeenAt.After(now):
		m.ExpiryFrom = now.Add(delivery.JobLease)
	case !steady:
		m.ExpiryFrom = delivery.Later(m.ExpiryFrom, now.Add(ttl))
	}
	m.SeenAt, m.Until = now, now.Add(ttl)
	return nil
}

// mayCome reports whether a server may live that could settle what it holds.
func (s *Store) mayCome(now time.Time) bool {
	for _, m := range s.MemberRows {
		if !m.Until.IsZero() && m.Reaped < m.Owner.Epoch && (!m.Until.After(now) || m.ExpiryFrom.After(now)) {
			return true
		}
	}
	return false
}

// FollowClock implements [delivery.Membership]. It moves nothing: what waits does so
// until the clock has caught up.
func (s *Store) FollowClock(ctx context.Context, self delivery.Owner) (bool, error) {
	if err := s.lockAs(ctx, self, "FollowClock"); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	return false, nil
}

// Leave implements [delivery.Membership]. Leaving twice is fine.
func (s *Store) Leave(ctx context.Context, owner delivery.Owner) error {
	if err := s.lockAs(ctx, owner, "Leave"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if now, m := s.now(), s.member(owner); m != nil && m.Until.After(now) {
		m.Until = time.Time{}
	}
	return nil
}

// Reap implements [delivery.Membership]. The epoch of a lease that lasts is
// alive; those before it are not.
func (s *Store) Reap(ctx context.Context, self delivery.Owner, steady bool) (int, error) {
	if err := s.lock(ctx, "Reap"); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	n, now := 0, s.now()
	for slot, m := range s.MemberRows {
		ended := m.Owner.Epoch
		if !m.Until.IsZero() && (m.Until.After(now) || !steady) {
			ended--
		}
		if slot == self.Slot || m.Reaped >= ended {
			continue
		}
		m.Reaped = ended
		n += s.queue.releaseAll(now, heldBy(delivery.Owner{Slot: slot, Epoch: ended}))
	}
	return n, nil
}

// Members implements [delivery.Membership].
func (s *Store) Members(ctx context.Context) ([]delivery.Member, error) {
	if err := s.lock(ctx, "Members"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var list []delivery.Member
	for _, slot := range slices.Sorted(maps.Keys(s.MemberRows)) {
		if m := s.MemberRows[slot]; m.Until.After(s.now()) {
			list = append(list, m.Member)
		}
	}
	return list, nil
}
