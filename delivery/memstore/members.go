package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

func (f *Store) Join(ctx context.Context, name string, ttl time.Duration) (delivery.Owner, error) {
	leave, err := f.enter(ctx, "Join")
	if err != nil {
		return delivery.Owner{}, err
	}
	defer leave()
	now := time.Now()
	for slot := 0; ; slot++ {
		if m := f.MemberRows[slot]; m == nil || now.After(m.Until) {
			o := delivery.Owner{Slot: slot, Epoch: now.UnixNano()}
			f.MemberRows[slot] = &Member{
				delivery.Member{Owner: o, Name: name, StartedAt: now, SeenAt: now},
				now.Add(ttl),
			}
			return o, nil
		}
	}
}

func (f *Store) Heartbeat(ctx context.Context, owner delivery.Owner, ttl time.Duration) error {
	leave, err := f.enterAs(ctx, owner, "Heartbeat")
	if err != nil {
		return err
	}
	defer leave()
	m := f.MemberRows[owner.Slot]
	if m == nil || m.Owner != owner {
		return delivery.ErrNotFound
	}
	m.SeenAt, m.Until = time.Now(), time.Now().Add(ttl)
	return nil
}

func (f *Store) Leave(ctx context.Context, owner delivery.Owner) error {
	leave, err := f.enterAs(ctx, owner, "Leave")
	if err != nil {
		return err
	}
	defer leave()
	if m := f.MemberRows[owner.Slot]; m != nil && m.Owner == owner {
		delete(f.MemberRows, owner.Slot)
	}
	return nil
}

func (f *Store) Bury(ctx context.Context, self delivery.Owner) (int, error) {
	leave, err := f.enter(ctx, "Bury")
	if err != nil {
		return 0, err
	}
	defer leave()
	n := 0
	for _, row := range f.QueueRows {
		m := f.MemberRows[row.Owner.Slot]
		if row.Owner == (delivery.Owner{}) || row.Owner.Slot == self.Slot || m == nil {
			continue
		}
		if m.Owner != row.Owner || time.Now().After(m.Until) {
			row.Owner, row.due = delivery.Owner{}, time.Now()
			n++
		}
	}
	return n, nil
}

func (f *Store) Members(ctx context.Context) ([]delivery.Member, error) {
	leave, err := f.enter(ctx, "Members")
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []delivery.Member
	for _, slot := range slices.Sorted(maps.Keys(f.MemberRows)) {
		if m := f.MemberRows[slot]; time.Now().Before(m.Until) {
			list = append(list, m.Member)
		}
	}
	return list, nil
}

func (f *Store) Prepare(ctx context.Context, _ time.Time) error {
	leave, err := f.enter(ctx, "Prepare")
	if err != nil {
		return err
	}
	leave()
	return nil
}

func (f *Store) Discard(ctx context.Context, t time.Time) (more bool, err error) {
	leave, err := f.enter(ctx, "Discard")
	if err != nil {
		return false, err
	}
	defer leave()
	const portion = 10
	before := len(f.LogRows)
	f.HorizonAt = t
	removed := 0
	f.LogRows = slices.DeleteFunc(f.LogRows, func(e delivery.LogEntry) bool {
		if removed == portion || !delivery.IDTime(e.ID).Before(t) {
			return false
		}
		removed++
		return true
	})
	return before-len(f.LogRows) == portion, nil
}

func (f *Store) Wake() <-chan struct{} { return f.WakeUps }

func (f *Store) Notify() {
	f.Change(func() { f.Notified++ })
	select {
	case f.Told <- struct{}{}:
	default:
	}
}

func (f *Store) OldestTransaction(ctx context.Context) (time.Duration, error) {
	leave, err := f.enter(ctx, "OldestTransaction")
	if err != nil {
		return 0, err
	}
	leave()
	return time.Minute, nil
}

func (f *Store) Ping(ctx context.Context) error {
	leave, err := f.enter(ctx, "Ping")
	if err != nil {
		return err
	}
	leave()
	return nil
}
