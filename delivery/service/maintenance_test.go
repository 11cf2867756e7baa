package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/memstore"
)

func TestAWebhookThatOnlyFailsIsDisabled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{FailingLimit: 2 * time.Hour, Poll: time.Minute}, answers{badURL: status(500)})
		bad, good := r.webhook(badURL), r.webhook(okURL)
		r.start()
		for range 10 {
			r.ingest(1, bad, good)
			time.Sleep(10 * time.Minute)
		}
		if w := r.current(bad.ID); w.Status != delivery.Enabled {
			t.Fatal("disabled before the limit")
		}
		r.ingest(1, bad)
		time.Sleep(40 * time.Minute)
		if w := r.current(bad.ID); w.Status != delivery.Disabled || w.DisabledReason != delivery.DisabledAsFailing {
			t.Errorf("webhook %+v, want it disabled as failing", w)
		}
		if w := r.current(good.ID); w.Status != delivery.Enabled {
			t.Error("a webhook that works was disabled")
		}
		time.Sleep(2 * time.Minute)
		if n := r.states()[delivery.Canceled]; n == 0 {
			t.Error("what was pending was not canceled")
		}
	})
}

// A target that works or fails all the time costs few writes; one that changes
// its mind is told of soon.
func TestHealthIsWrittenSparingly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var down bool
		r := newRig(t, Options{}, answers{okURL: func(context.Context, int) egress.Result {
			if down {
				return egress.Result{Outcome: egress.HTTPError, Status: 500}
			}
			return egress.Result{Outcome: egress.Success, Status: 200}
		}})
		w := r.webhook(okURL)
		r.startPart(r.pipeline.Dispatcher.Run, r.pipeline.Settler.Run, r.pipeline.Health.Run)
		writes := func() (n int) {
			r.store.Change(func() { n = r.store.Calls["RecordHealth"] })
			return n
		}
		for range 300 {
			r.queued(5, w)
			r.pipeline.Dispatcher.Wake()
			time.Sleep(100 * time.Millisecond)
		}
		if n := writes(); n > 4 {
			t.Errorf("%d writes in 30 s of success, want one each 10 s", n)
		}
		down = true
		r.queued(1, w)
		r.pipeline.Dispatcher.Wake()
		time.Sleep(1100 * time.Millisecond)
		r.store.Change(func() {
			if h := r.store.HealthRows[w.ID]; h.FailingSince.IsZero() || h.LastSuccessAt.IsZero() {
				t.Errorf("health %+v, want it to be failing since now", h)
			}
		})
	})
}

func TestHealthSurvivesTheDatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		r.store.Change(func() {
			r.store.Fail = func(method string) error {
				if method == "RecordHealth" {
					return errors.New("connection refused")
				}
				return nil
			}
		})
		r.ingest(1, w)
		time.Sleep(time.Minute)
		r.store.Change(func() { r.store.Fail = nil })
		time.Sleep(11 * time.Second)
		r.store.Change(func() {
			if h := r.store.HealthRows[w.ID]; h.LastSuccessAt.IsZero() {
				t.Errorf("health %+v, want the success from before", h)
			}
		})
	})
}

func TestOldEntriesAreDiscardedInPortions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Retention: time.Hour, Poll: time.Minute}, nil)
		w := r.webhook(okURL)
		r.start()
		r.ingest(95, w)
		time.Sleep(30 * time.Minute)
		r.wantStates(map[delivery.State]int{delivery.Delivered: 95})
		time.Sleep(45 * time.Minute)
		r.wantStates(map[delivery.State]int{})
		r.store.Change(func() {
			if r.store.Calls["Prepare"] < 2 {
				t.Error("partitions are not prepared every hour")
			}
		})
	})
}

func TestExpiredSecretsAreRemoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Poll: time.Minute}, nil)
		soon, past := delivery.Now().Add(90*time.Minute), delivery.Now().Add(-time.Minute)
		w := r.webhook(okURL, func(w *delivery.Webhook) {
			current := w.Secrets[0]
			w.Secrets = []delivery.SealedSecret{
				current,
				{Hint: "soon", ExpiresAt: soon},
				{Hint: "past", ExpiresAt: past},
			}
		})
		hints := func() []string {
			var hints []string
			for _, secret := range r.current(w.ID).Secrets[1:] {
				hints = append(hints, secret.Hint)
			}
			return hints
		}
		r.start()
		synctest.Wait()
		if got := hints(); !slices.Equal(got, []string{"soon"}) {
			t.Errorf("old secrets %v, want the one that still signs", got)
		}
		time.Sleep(150 * time.Minute)
		if got := hints(); len(got) != 0 {
			t.Errorf("old secrets %v, want none", got)
		}
	})
}

func TestSessionsThatAreOverAreRemoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Poll: time.Minute}, nil)
		r.store.SessionRows = []delivery.Session{
			{
				ID:     "over",
				SeenAt: delivery.Now().Add(-delivery.SessionIdle - time.Second),
			}, {ID: "lasts", SeenAt: delivery.Now()},
		}
		left := func() (ids []string) {
			r.store.Change(func() {
				for _, s := range r.store.SessionRows {
					ids = append(ids, s.ID)
				}
			})
			return ids
		}
		r.start()
		synctest.Wait()
		if got := left(); !slices.Equal(got, []string{"lasts"}) {
			t.Errorf("sessions %v, want the one that lasts", got)
		}
		time.Sleep(delivery.SessionIdle + 2*sessionPause)
		if got := left(); len(got) != 0 {
			t.Errorf("sessions %v after an hour, want none", got)
		}
	})
}

// A rotation between reading and writing is not undone.
func TestRemovingSecretsUndoesNoRotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL, func(w *delivery.Webhook) {
			w.Secrets = append(w.Secrets, delivery.SealedSecret{ExpiresAt: delivery.Now().Add(-time.Minute)})
		})
		time.Sleep(time.Second)
		fresh, _, err := r.newSecret(w.Org, w.ID, delivery.Now())
		if err != nil {
			t.Fatal(err)
		}
		r.store.Fail = func(method string) error {
			if method == "SetSecrets" { // a concurrent rotation
				r.store.WebhookRows[w.ID].Secrets = []delivery.SealedSecret{fresh}
			}
			return nil
		}
		if err := r.dropSecrets(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.current(w.ID).Secrets; len(got) != 1 || !got[0].CreatedAt.Equal(fresh.CreatedAt) {
			t.Errorf("secrets %+v, want the fresh one", got)
		}
	})
}

func TestSystemStatus(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Version: "9"}, answers{hangURL: slow(10 * time.Second)})
		w := r.webhook(hangURL)
		r.start()
		r.ingest(3, w)
		time.Sleep(time.Second)
		got, err := r.SystemStatus(t.Context(), operator)
		if err != nil {
			t.Fatal(err)
		}
		if got.Busy != 3 || got.Workers != 128 || got.Queue.Leased != 3 || len(got.Members) != 1 ||
			got.Database != "ok" || got.Version != "9" {
			t.Errorf("status %+v", got)
		}
		if _, err := r.SystemStatus(t.Context(), admin); delivery.CodeOf(err) != delivery.Forbidden {
			t.Errorf("an admin asks: %v, want FORBIDDEN", err)
		}
		r.store.Change(func() { r.store.Down = errors.New("connection refused") })
		if got, err = r.SystemStatus(t.Context(), operator); err != nil || got.Database == "ok" {
			t.Errorf("without a database: %+v, %v", got, err)
		}
		r.store.Change(func() { r.store.Down = nil })
	})
}

// Maintenance that is needed once runs on the live server with the lowest slot, and
// on the next one when that server is gone.
func TestOneServerMaintainsForAll(t *testing.T) {
	tasks := []string{"Prepare", "Discard", "FailingWebhooks", "Organizations"}
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Owner: delivery.Owner{Slot: 3, Epoch: 1}}, nil)
		r.store.OldestTx = time.Minute
		lower := delivery.Owner{Slot: 1, Epoch: 7}
		r.store.Change(func() {
			r.store.MemberRows[1] = &memstore.Member{
				Member: delivery.Member{Owner: lower}, Until: time.Now().Add(3 * time.Hour),
			}
		})
		r.start()
		time.Sleep(2 * time.Hour)
		r.store.Change(func() {
			for _, method := range tasks {
				if n := r.store.Calls[method]; n != 0 {
					t.Errorf("%s was called %d times although slot 1 lives", method, n)
				}
			}
			if n := r.store.Calls["Reap"]; n == 0 {
				t.Error("nothing was reaped: every server does that")
			}
		})
		time.Sleep(3 * time.Hour)
		r.store.Change(func() {
			for _, method := range tasks {
				if n := r.store.Calls[method]; n == 0 {
					t.Errorf("%s was not called after slot 1 had ended", method)
				}
			}
		})
		if age := r.counted("database_oldest_transaction_seconds"); age != 60 {
			t.Errorf("the oldest transaction is %g s old, want what the store says", age)
		}
	})
}
