package delivery

import (
	"context"
	"maps"
	"slices"
	"time"
)

func (f *fakeStore) Join(ctx context.Context, name string, ttl time.Duration) (Owner, error) {
	leave, err := f.enter(ctx, "Join")
	if err != nil {
		return Owner{}, err
	}
	defer leave()
	now := time.Now()
	for slot := 0; ; slot++ {
		if m := f.members[slot]; m == nil || now.After(m.until) {
			o := Owner{Slot: slot, Epoch: now.UnixNano()}
			f.members[slot] = &fakeMember{Member{Owner: o, Name: name, StartedAt: now, SeenAt: now}, now.Add(ttl)}
			return o, nil
		}
	}
}

func (f *fakeStore) Heartbeat(ctx context.Context, owner Owner, ttl time.Duration) error {
	leave, err := f.enterAs(ctx, owner, "Heartbeat")
	if err != nil {
		return err
	}
	defer leave()
	m := f.members[owner.Slot]
	if m == nil || m.Owner != owner {
		return errNotFound
	}
	m.SeenAt, m.until = time.Now(), time.Now().Add(ttl)
	return nil
}

func (f *fakeStore) Leave(ctx context.Context, owner Owner) error {
	leave, err := f.enterAs(ctx, owner, "Leave")
	if err != nil {
		return err
	}
	defer leave()
	if m := f.members[owner.Slot]; m != nil && m.Owner == owner {
		delete(f.members, owner.Slot)
	}
	return nil
}

func (f *fakeStore) Bury(ctx context.Context, self Owner) (int, error) {
	leave, err := f.enter(ctx, "Bury")
	if err != nil {
		return 0, err
	}
	defer leave()
	n := 0
	for _, row := range f.queue {
		m := f.members[row.owner.Slot]
		if row.owner == (Owner{}) || row.owner.Slot == self.Slot || m == nil {
			continue
		}
		if m.Owner != row.owner || time.Now().After(m.until) {
			row.owner, row.due = Owner{}, time.Now()
			n++
		}
	}
	return n, nil
}

func (f *fakeStore) Members(ctx context.Context) ([]Member, error) {
	leave, err := f.enter(ctx, "Members")
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []Member
	for _, slot := range slices.Sorted(maps.Keys(f.members)) {
		if m := f.members[slot]; time.Now().Before(m.until) {
			list = append(list, m.Member)
		}
	}
	return list, nil
}

func (f *fakeStore) Prepare(ctx context.Context, _ time.Time) error {
	leave, err := f.enter(ctx, "Prepare")
	if err != nil {
		return err
	}
	leave()
	return nil
}

func (f *fakeStore) Discard(ctx context.Context, t time.Time) (more bool, err error) {
	leave, err := f.enter(ctx, "Discard")
	if err != nil {
		return false, err
	}
	defer leave()
	const portion = 10
	before := len(f.log)
	f.horizon = t
	removed := 0
	f.log = slices.DeleteFunc(f.log, func(e LogEntry) bool {
		if removed == portion || !IDTime(e.ID).Before(t) {
			return false
		}
		removed++
		return true
	})
	return before-len(f.log) == portion, nil
}

func (f *fakeStore) Wake() <-chan struct{} { return f.wake }

func (f *fakeStore) Notify() {
	f.change(func() { f.notified++ })
	select {
	case f.told <- struct{}{}:
	default:
	}
}

func (f *fakeStore) OldestTransaction(ctx context.Context) (time.Duration, error) {
	leave, err := f.enter(ctx, "OldestTransaction")
	if err != nil {
		return 0, err
	}
	leave()
	return time.Minute, nil
}

func (f *fakeStore) Ping(ctx context.Context) error {
	leave, err := f.enter(ctx, "Ping")
	if err != nil {
		return err
	}
	leave()
	return nil
}
