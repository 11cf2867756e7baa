package service

import "context"

// byLeader makes a task one that a single server does for all: the living one
// with the lowest slot. There may be two for a moment, while one comes or goes,
// so the task must be safe to do twice. There is no election: a server that dies
// has a successor as soon as its lease ends.
func (s *Service) byLeader(t task) task {
	do := t.do
	t.do = func(ctx context.Context) error {
		leader, err := s.leader(ctx)
		if err != nil || !leader {
			return err
		}
		return do(ctx)
	}
	return t
}

// leader reports whether this server has the lowest slot of all that live.
func (s *Service) leader(ctx context.Context) (bool, error) {
	members, err := s.store.Members(ctx)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.Owner.Slot < s.opts.Owner.Slot {
			return false, nil
		}
	}
	return !s.lease.silent(), nil
}
