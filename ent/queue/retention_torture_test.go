package queue

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/test/faults"
)

// A maintained is a queue whose retention runs while deliveries are made.
type maintained struct {
	t     *testing.T
	store *testQueue
	owner delivery.Owner
	ids   *delivery.IDs
	today time.Time
	days  int                   // made so far: no two begin at the same time
	stays []delivery.DeliveryID // what must not be removed
	gone  []delivery.DeliveryID // what must be
}

const perDay = 100

// TestTortureRetention discards days while deliveries are made: of the old days
// what is pending stays with its event, of the young ones everything, and
// nothing that is made meanwhile is lost.
func TestTortureRetention(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		owner, err := s.Join(t.Context(), "retention", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		u := &maintained{t: t, store: s, owner: owner, ids: delivery.NewIDs(owner.Slot), today: dayOf(time.Now())}
		s.organization(t, 7)
		rounds := faults.Rounds(2, 40)
		var alone, besides []time.Duration
		for range rounds {
			for age := 12; age > 0; age-- {
				u.day(u.today.AddDate(0, 0, -age), age > 6)
			}
			alone = append(alone, u.deliver(nil)...)
			var over atomic.Bool
			discarded := make(chan error, 1)
			go func() {
				defer over.Store(true)
				discarded <- u.discard(t.Context())
			}()
			besides = append(besides, u.deliver(&over)...)
			if err := <-discarded; err != nil {
				t.Fatal(err)
			}
		}
		lost, left := u.missing(u.stays), len(u.gone)-u.missing(u.gone)
		faults.Result{
			Fault: "retention while deliveries are made", Database: s.db.String(), Rounds: rounds, Lost: lost,
			Note: fmt.Sprintf("p99 of a commit %.1f times that without",
				ratioOf(percentile99(besides), percentile99(alone))),
		}.Report(t)
		if lost > 0 {
			t.Errorf("retention removed %d of %d deliveries that are pending or young", lost, len(u.stays))
		}
		if left > 0 {
			t.Errorf("retention left %d of %d old deliveries", left, len(u.gone))
		}
	})
}

// day makes the deliveries of one day. Of an old one a third is pending.
func (u *maintained) day(day time.Time, old bool) {
	u.t.Helper()
	u.days++
	shift := time.Since(day.Add(time.Duration(u.days)*time.Second)).Milliseconds() << 22
	events := make([]delivery.NewEvent, perDay)
	var batch []delivery.Settlement
	for i := range events {
		events[i] = u.event(u.ids.Next() - shift)
		d := events[i].Deliveries[0]
		switch {
		case old && i%3 == 0:
			events[i].Deliveries[0].State = delivery.Queued
			u.stays = append(u.stays, d.ID)
			continue
		case old:
			u.gone = append(u.gone, d.ID)
		default:
			u.stays = append(u.stays, d.ID)
		}
		batch = append(batch, finished(u.owner, d, i))
	}
	u.commit(events, batch)
}

func (u *maintained) event(id int64) delivery.NewEvent {
	e := delivery.Event{ID: delivery.EventID(id), Org: 7, Type: delivery.ActiveAlert, Variables: []byte("{}")}
	return delivery.NewEvent{Event: e, Key: e.ID.String(), Deliveries: []delivery.Delivery{{
		ID: delivery.DeliveryID(id), Org: 7, Webhook: delivery.WebhookID(id%5 + 1), Version: 4, Event: e.ID,
		Type: e.Type, State: delivery.Sending,
	}}}
}

func (u *maintained) commit(events []delivery.NewEvent, batch []delivery.Settlement) {
	u.t.Helper()
	in := []delivery.Ingest{{Org: 7, Events: events}}
	got, err := u.store.Ingest(u.t.Context(), u.owner, time.Hour, in)
	if err != nil || got[0].Stale {
		u.t.Fatalf("Ingest gave %v, %v", got, err)
	}
	held, err := u.store.Settle(u.t.Context(), batch)
	if err != nil || slices.Contains(held, false) {
		u.t.Fatalf("Settle stored not all of %d: %v", len(batch), err)
	}
}

// deliver makes deliveries, at least so many, and until over is set, and returns
// how long each batch took.
func (u *maintained) deliver(over *atomic.Bool) (took []time.Duration) {
	u.t.Helper()
	for n := 0; n < 30 || over != nil && !over.Load(); n++ {
		events := make([]delivery.NewEvent, 20)
		batch := make([]delivery.Settlement, len(events))
		for i := range events {
			events[i] = u.event(u.ids.Next())
			batch[i] = finished(u.owner, events[i].Deliveries[0], 0)
			u.stays = append(u.stays, events[i].Deliveries[0].ID)
		}
		began := time.Now()
		u.commit(events, batch)
		took = append(took, time.Since(began))
	}
	return took
}

// discard removes what is older than six days.
func (u *maintained) discard(ctx context.Context) error {
	before := u.today.AddDate(0, 0, -6)
	for more := true; more; {
		var err error
		if more, err = u.store.Discard(ctx, before); err != nil {
			return err
		}
	}
	return nil
}

// missing counts the deliveries that are not there, or not with their events.
func (u *maintained) missing(ids []delivery.DeliveryID) (n int) {
	u.t.Helper()
	for some := range slices.Chunk(ids, idsPerStatement) {
		found, err := u.store.DeliveriesByID(u.t.Context(), 7, some)
		if err != nil {
			u.t.Fatal(err)
		}
		events := make([]delivery.EventID, len(found))
		for i := range found {
			events[i] = found[i].Event
		}
		known, err := u.store.EventsByID(u.t.Context(), 7, events)
		if err != nil {
			u.t.Fatal(err)
		}
		n += len(some) - len(known)
	}
	return n
}

func percentile99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}

func ratioOf(a, b time.Duration) float64 { return float64(a) / float64(max(1, b)) }
