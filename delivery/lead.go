package delivery

import "context"

// led makes a chore one of those that one process does for all: the living one
// with the lowest slot. There may be two for a moment, while one comes or goes,
// so such a chore must bear being done twice. Nobody elects anybody, and a
// process that dies has a successor as soon as it is known to be dead.
func (s *Service) led(c chore) chore {
	do := c.do
	c.do = func(ctx context.Context) error {
		leads, err := s.leads(ctx)
		if err != nil || !leads {
			return err
		}
		return do(ctx)
	}
	return c
}

// leads reports whether this process has the lowest slot of all that live.
func (s *Service) leads(ctx context.Context) (bool, error) {
	members, err := s.store.Members(ctx)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.Owner.Slot < s.opts.Owner.Slot {
			return false, nil
		}
	}
	return !s.silent(), nil
}
