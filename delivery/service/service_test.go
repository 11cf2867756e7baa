package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/pipeline"
)

// A stop under load loses nothing and sends nothing twice: what is in flight is
// finished and settled, everything else is free for the next process at once.
func TestAGracefulStopLosesAndRepeatsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := Options{Workers: 16}
		a := answers{okURL: slow(3 * time.Second)}
		r := newRig(t, o, a)
		stop := r.start()
		var ids []delivery.DeliveryID
		for range 10 {
			ids = append(ids, r.ingest(30, r.webhook(okURL))...)
			time.Sleep(700 * time.Millisecond)
		}
		began := time.Now()
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the stop took %s, want no longer than the attempts in flight", took)
		}
		sent := r.sent()
		if len(sent) == 0 || len(sent) == len(ids) {
			t.Fatalf("%d of %d were sent before the stop: the test proves nothing", len(sent), len(ids))
		}
		r.wantStates(map[delivery.State]int{delivery.Delivered: len(sent), delivery.Queued: len(ids) - len(sent)})
		r.store.Change(func() {
			if r.store.MemberRows[0].Until.After(time.Now()) {
				t.Error("the process is still a member")
			}
		})

		next := rigOver(t, r.store, Options{Workers: 16, Owner: delivery.Owner{Slot: 0, Epoch: 2}}, a)
		next.start()
		time.Sleep(5 * time.Minute)
		r.sentOnce(ids, sent, next.sent())
		r.wantStates(map[delivery.State]int{delivery.Delivered: len(ids)})
	})
}

// Attempts that take longer than the stop may are broken off. They don't count.
func TestAStopBreaksOffWhatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Drain: 4 * time.Second}, answers{hangURL: slow(time.Hour)})
		w := r.webhook(hangURL, func(w *delivery.Webhook) { w.Version.Policy.Timeout = delivery.MaxTimeout })
		stop := r.start()
		id := r.ingest(1, w)[0]
		time.Sleep(time.Second)
		began := time.Now()
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("the stop took %s, want Drain", took)
		}
		r.wantStates(map[delivery.State]int{delivery.Queued: 1})
		if log := r.entries(id); len(log) != 0 {
			t.Errorf("log %+v, want none: the attempt does not count", log)
		}
		if d := r.store.AllDeliveries()[0]; d.Attempts != 0 {
			t.Errorf("%d attempts are counted, want none", d.Attempts)
		}
	})
}

// A process that dies between any two steps: the next one in its slot delivers
// everything, and repeats only what was sent but not settled.
func TestAKilledProcessLosesNothing(t *testing.T) {
	for _, ms := range []time.Duration{0, 1, 1500, 2000, 4000} {
		after := ms * time.Millisecond
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := answers{okURL: slow(2 * time.Second)}
				r := newRig(t, Options{Workers: 8, Drain: time.Second}, a)
				r.store.Took["Settle"] = 20 * time.Millisecond
				w1, w2 := r.webhook(okURL), r.webhook(okURL)
				stop := r.start()
				ids := append(r.ingest(20, w1, w2), r.queued(20, w1)...)
				time.Sleep(after)
				r.store.Change(func() { r.store.Dead[rigOwner] = true })
				cut := time.Now()

				next := rigOver(t, r.store, Options{Owner: delivery.Owner{Slot: 0, Epoch: 2}}, a)
				next.start()
				time.Sleep(2500 * time.Millisecond)
				if calls := next.sent(); len(calls) == 0 || calls[0].at.Sub(cut) > 2*time.Second {
					t.Error("the next process did not begin within 2 s")
				}
				time.Sleep(time.Minute)
				if err := stop(); err != nil && !errors.Is(err, errSlotLost) {
					t.Errorf("Run of the dead process: %v", err)
				}
				r.wantStates(map[delivery.State]int{delivery.Delivered: len(ids)})
				wantKilledCalls(t, r, cut, append(r.sent(), next.sent()...))
			})
		})
	}
}

// wantKilledCalls reports deliveries that were sent more often than a process
// cut off from the store explains.
func wantKilledCalls(t *testing.T, r *rig, cut time.Time, calls []sentCall) {
	t.Helper()
	count := make(map[string]int)
	for _, c := range calls {
		count[c.id]++
	}
	for _, d := range r.store.AllDeliveries() {
		log := r.entries(d.ID)
		if len(log) != 1 {
			t.Errorf("%s has %d entries, want one final one", d.ID, len(log))
		}
		n := count[d.ID.String()]
		if n < 1 || n > 2 {
			t.Errorf("%s was sent %d times", d.ID, n)
		}
		if n == 2 && log[0].At.Before(cut) {
			t.Errorf("%s was settled before the cut and sent again", d.ID)
		}
	}
}

func TestAnotherProcessTakesOverFromADeadOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Drain: time.Second}, answers{okURL: slow(10 * time.Second)})
		w := r.webhook(okURL)
		stop := r.start()
		other := rigOver(t, r.store, Options{Owner: delivery.Owner{Slot: 1, Epoch: 5}}, nil)
		other.start()
		ids := r.ingest(20, w)
		time.Sleep(time.Second)
		cut := time.Now()
		r.store.Change(func() { r.store.Dead[rigOwner] = true })
		time.Sleep(delivery.SlotTTL + 3*time.Second)
		for _, c := range other.sent() {
			if took := c.at.Sub(cut); took > delivery.SlotTTL+reapPause+time.Second {
				t.Errorf("taken over after %s", took)
			}
		}
		if err := stop(); err != nil {
			t.Errorf("Run of the dead process: %v", err)
		}
		time.Sleep(time.Minute)
		r.wantStates(map[delivery.State]int{delivery.Delivered: len(ids)})
		for _, id := range ids {
			if log := r.entries(id); len(log) != 1 || delivery.IDSlot(log[0].ID) != 1 {
				t.Errorf("%s has the log %+v, want one entry of the other process", id, log)
			}
		}
	})
}

func TestRunEndsWhenTheSlotIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		stop := r.start()
		w := r.webhook(okURL)
		time.Sleep(10 * time.Second)
		r.store.Change(func() { r.store.MemberRows[0].Owner.Epoch = 2 })
		time.Sleep(heartbeatPause)
		synctest.Wait()
		r.queued(1, w)
		time.Sleep(time.Minute)
		if n := len(r.sent()); n != 0 {
			t.Errorf("%d calls after the slot was lost", n)
		}
		if err := stop(); !errors.Is(err, errSlotLost) {
			t.Errorf("Run = %v, want errSlotLost", err)
		}
		if _, err := r.pipeline.Ingester.Enqueue(t.Context(), nil); delivery.CodeOf(err) != delivery.Unavailable {
			t.Errorf("ingest after the end: %v, want UNAVAILABLE", err)
		}
	})
}

// While the database is away nothing is lost and nothing is sent twice, memory
// stays bounded, and it goes on within seconds.
func TestTheDatabaseComesBack(t *testing.T) {
	for _, outage := range []time.Duration{time.Second, 7 * time.Second, 40 * time.Second, 3 * time.Minute} {
		t.Run(outage.String(), func(t *testing.T) { testOutage(t, outage) })
	}
}

func testOutage(t *testing.T, outage time.Duration) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Workers: 8}, answers{okURL: slow(100 * time.Millisecond)})
		w1, w2 := r.webhook(okURL), r.webhook(okURL)
		r.start()
		ids := r.ingest(50, w1, w2)
		time.Sleep(150 * time.Millisecond)
		r.store.Change(func() { r.store.Down = errors.New("connection refused") })
		time.Sleep(outage)
		r.store.Change(func() { r.store.Down = nil })
		time.Sleep(5 * time.Second)
		r.sentOnce(ids, r.sent())
		r.wantStates(map[delivery.State]int{delivery.Delivered: len(ids)})
		if held := r.pipeline.Dispatcher.Held(); held != 0 {
			t.Errorf("%d deliveries are left in memory", held)
		}
	})
}

// A stop ends although the database is away and more results wait than the
// settler takes.
func TestAStopEndsWithoutADatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Drain: 5 * time.Second, Memory: 20_000}, answers{okURL: slow(time.Millisecond)})
		var webhooks []delivery.Webhook
		for range 20 {
			webhooks = append(webhooks, r.webhook(okURL))
		}
		stop := r.start()
		synctest.Wait()
		r.store.Change(func() { r.store.Took["Settle"] = 2 * time.Second })
		r.ingest(200, webhooks...)
		time.Sleep(time.Second)
		r.store.Change(func() { r.store.Down = errors.New("connection refused") })
		if n := len(r.sent()); n < pipeline.SettleSize {
			t.Fatalf("%d sent: the test proves nothing", n)
		}
		began := time.Now()
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		most := 5*time.Second + pipeline.LeaseMargin + pipeline.SettleFlush + releaseTime + time.Second
		if took := time.Since(began); took > most {
			t.Errorf("the stop took %s", took)
		}
	})
}

// A process that was frozen sends nothing before it knows that its slot is
// still its own: others have taken over what it held.
func TestAFrozenProcessSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Workers: 1, Concurrency: 1}, answers{okURL: slow(time.Second)})
		w := r.webhook(okURL)
		r.start()
		time.Sleep(100 * time.Millisecond)
		r.store.Change(func() {
			r.store.Fail = func(method string) error {
				if method == "Heartbeat" {
					return errors.New("i/o timeout")
				}
				return nil
			}
		})
		r.ingest(15, w)
		time.Sleep(delivery.SlotTTL + time.Second)
		before := len(r.sent())
		time.Sleep(10 * time.Second)
		if n := len(r.sent()); n != before {
			t.Errorf("%d calls while the process was silent", n-before)
		}
		r.store.Change(func() { r.store.Fail = nil })
		time.Sleep(time.Minute)
		r.wantStates(map[delivery.State]int{delivery.Delivered: 15})
	})
}

func TestRunReportsWhatKeepsItFromStarting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		r.store.Down = errors.New("connection refused")
		if err := r.Run(context.Background()); err == nil {
			t.Error("Run without a database returned no error")
		}
	})
}

// The clock of an earlier process in the slot was ahead: log ids still grow.
func TestLogIDsGrowThoughTheClockWasSetBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		ahead := delivery.IDAt[delivery.LogID](
			time.Now().Add(time.Hour),
		) | delivery.LogID(
			rigOwner.Slot,
		)<<delivery.SeqBits | 7
		r.store.LogRows = []delivery.LogEntry{
			{ID: ahead, Delivery: delivery.Delivery{ID: 5, Org: 1, State: delivery.Delivered}},
		}
		r.start()
		synctest.Wait()
		id := r.ingest(1, w)[0]
		synctest.Wait()
		if log := r.entries(id); len(log) != 1 || log[0].ID <= ahead {
			t.Errorf("log %+v, want an id greater than %d", log, ahead)
		}
	})
}

func TestEverythingEndsWithItsLoops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{okURL: func(context.Context, int) egress.Result {
			return egress.Result{Outcome: egress.Success, Status: 200}
		}})
		stop := r.start()
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		synctest.Wait() // the bubble fails if a goroutine is left
	})
}
