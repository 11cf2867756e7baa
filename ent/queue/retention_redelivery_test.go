package queue

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

// An event that is delivered again while retention looks at its day stays: the
// redelivery was promised.
func TestRetentionKeepsTheEventOfARedeliveryThatIsBeingStored(t *testing.T) {
	for name, others := range map[string]bool{"of a day that is dropped": false, "of a day with others": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openQueue(t, enttest.Postgres(t))
			owner, err := s.Join(t.Context(), "retention", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			u := &maintained{t: t, store: s, owner: owner, ids: delivery.NewIDs(owner.Slot), today: dayOf(time.Now())}
			s.organization(t, 7)
			again := u.finishedAt(u.today.AddDate(0, 0, -9).Add(time.Hour))
			if others {
				pending := u.event(int64(again.Event) + 1<<22)
				pending.Deliveries[0].State = delivery.Queued
				u.commit([]delivery.NewEvent{pending}, nil)
			}

			storing, store := make(chan struct{}), make(chan struct{})
			slow := New(s.db, func(context.Context, sqldb.Querier, ...delivery.AuditEntry) error {
				close(storing)
				<-store
				return nil
			}, slog.New(slog.DiscardHandler))
			t.Cleanup(func() { _ = slow.Close() })
			stored, discarded := make(chan error, 1), make(chan error, 1)
			go func() { stored <- slow.Requeue(t.Context(), []delivery.Delivery{again}, nil) }()
			<-storing
			go func() { discarded <- u.discard(t.Context()) }()
			discarding := s.waitsForLock(t, discarded)
			close(store)
			if err := <-stored; err != nil {
				t.Errorf("Requeue: %v", err)
			}
			if err := <-discarding; err != nil {
				t.Errorf("Discard: %v", err)
			}
			found, err := s.EventsByID(t.Context(), 7, []delivery.EventID{again.Event})
			if err != nil || len(found) != 1 {
				t.Errorf("EventsByID gave %d events, %v, want the one that is delivered again", len(found), err)
			}
		})
	}
}

// finishedAt stores an event of the given time, and returns another delivery of
// it. Its own is finished.
func (u *maintained) finishedAt(at time.Time) delivery.Delivery {
	u.t.Helper()
	e := u.event(delivery.IDAt[int64](at) + 1)
	d := e.Deliveries[0]
	u.commit([]delivery.NewEvent{e}, []delivery.Settlement{finished(u.owner, d, 1)})
	d.RedeliveryOf, d.ID = d.ID, delivery.DeliveryID(u.ids.Next())
	d.Trigger, d.State = delivery.ByRedelivery, delivery.Queued
	return d
}

// waitsForLock returns when a statement waits for a lock, or when ended has a
// value, which the returned channel has then.
func (s *testQueue) waitsForLock(t *testing.T, ended chan error) <-chan error {
	t.Helper()
	for {
		select {
		case err := <-ended:
			ended <- err
			return ended
		case <-time.After(time.Millisecond):
		}
		waiting, err := numbers(t.Context(), s.db.Reader(), "SELECT count(*) FROM pg_locks WHERE NOT granted")
		if err != nil {
			t.Fatal(err)
		}
		if waiting[0] > 0 {
			return ended
		}
	}
}
