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
	"portalhooks/delivery/signature"
)

func TestAFreshDeliveryIsSentAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Version: "1.2"}, nil)
		w := r.webhook(okURL)
		r.start()
		synctest.Wait()
		began := time.Now()
		id := r.ingest(1, w)[0]
		synctest.Wait()

		calls := r.sent()
		if len(calls) != 1 || !calls[0].at.Equal(began) {
			t.Fatalf("calls %+v, want one without waiting for a poll", calls)
		}
		h := calls[0].header
		for name, want := range map[string]string{
			"Webhook-Id": id.String(), "Webhook-Attempt": "1", "User-Agent": "Portalhooks/1.2",
			"Content-Type": "application/json; charset=utf-8",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		target, err := r.pipeline.Targets.Of(t.Context(), w.Org, w.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := signature.Verify(h, []byte(calls[0].body), time.Now(), target.Secrets...); err != nil {
			t.Errorf("the signature: %v", err)
		}
		log := r.entries(id)
		if len(log) != 1 || log[0].Delivery.State != delivery.Delivered || log[0].Attempt.HTTPStatus != 200 ||
			log[0].Delivery.Attempts != 1 || log[0].Delivery.FinishedAt.IsZero() {
			t.Errorf("log %+v, want one entry that it was delivered", log)
		}
		if r.pipeline.Dispatcher.Held() != 0 {
			t.Errorf("%d deliveries are still in memory", r.pipeline.Dispatcher.Held())
		}
	})
}

// The default schedule, followed to its end: ten attempts in three days.
func TestADeliveryFollowsItsSchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Poll: 30 * time.Second}, answers{badURL: status(500)})
		w := r.webhook(badURL)
		r.startPart(r.pipeline.Dispatcher.Run, r.pipeline.Settler.Run)
		id := r.queued(1, w)[0]
		time.Sleep(5 * 24 * time.Hour)
		synctest.Wait()

		calls := r.sent()
		if len(calls) != len(delivery.DefaultSchedule)+1 {
			t.Fatalf("%d calls, want %d", len(calls), len(delivery.DefaultSchedule)+1)
		}
		for i, pause := range delivery.DefaultSchedule {
			got := calls[i+1].at.Sub(calls[i].at)
			if got < pause*8/10 || got > pause*12/10+r.opts.Poll {
				t.Errorf("pause %d was %s, want %s give or take a fifth and one poll", i+1, got, pause)
			}
			if calls[i+1].attempt != i+2 || calls[i+1].body != calls[0].body || calls[i+1].id != id.String() {
				t.Errorf("call %d differs from the first in more than its number", i+2)
			}
		}
		r.wantStates(map[delivery.State]int{delivery.Failed: 1})
		log := r.entries(id)
		if len(log) != 10 || log[0].Delivery.State != delivery.Retrying ||
			log[9].Delivery.State != delivery.Failed {
			t.Errorf("log of %d entries, want 10 that end with FAILED", len(log))
		}
	})
}

func TestGoneDisablesTheWebhook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Concurrency: 1}, answers{badURL: status(410)})
		w := r.webhook(badURL)
		r.start()
		id := r.ingest(1, w)[0]
		time.Sleep(5 * time.Second)
		later := r.queued(3, w)
		time.Sleep(5 * time.Second)

		if log := r.entries(id); len(log) != 1 || log[0].Delivery.State != delivery.Failed {
			t.Errorf("log %+v, want FAILED at once", log)
		}
		got := r.current(w.ID)
		if got.Status != delivery.Disabled || got.DisabledReason != delivery.DisabledAsGone ||
			got.Version.Number != 2 ||
			got.Version.Listening ||
			got.UpdatedBy != delivery.SystemName {
			t.Errorf("webhook %+v, want a second version that the system disabled", got)
		}
		if log := r.entries(later[0]); len(log) != 1 || log[0].Delivery.State != delivery.Canceled ||
			log[0].Attempt != nil {
			t.Errorf("log of a pending delivery %+v, want CANCELED without a call", log)
		}
		if n := len(r.sent()); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

func TestGoneSparesAWebhookWithANewTarget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		if err := r.disable(t.Context(), w.Org, w.ID, delivery.DisabledAsGone, badURL); err != nil {
			t.Fatal(err)
		}
		if got := r.current(w.ID); got.Status != delivery.Enabled {
			t.Error("the webhook was disabled for a target that it no longer has")
		}
	})
}

func TestUnwantedDeliveriesAreSettledWithoutACall(t *testing.T) {
	disabled := func(w *delivery.Webhook) { w.Status, w.Version.Listening = delivery.Disabled, false }
	holding := func(w *delivery.Webhook) { w.Status, w.Holding = delivery.Disabled, true }
	for name, tt := range map[string]struct {
		change func(*delivery.Webhook)
		before func(r *rig, w delivery.Webhook)
		want   delivery.State
	}{
		"disabled": {change: disabled, want: delivery.Canceled},
		"holding":  {change: holding, want: delivery.Held},
		"deleted": {change: func(*delivery.Webhook) {}, want: delivery.Canceled, before: func(r *rig, w delivery.Webhook) {
			if err := r.store.DeleteWebhook(r.t.Context(), w.Org, w.ID, delivery.Now(), "admin",
				delivery.AuditEntry{}); err != nil {
				r.t.Fatal(err)
			}
		}},
		"dropped": {change: func(*delivery.Webhook) {}, want: delivery.Canceled, before: func(r *rig, w delivery.Webhook) {
			r.change(w.ID, func(now *delivery.Webhook) { now.CancelBefore = now.Version.Number })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, Options{}, nil)
				w := r.webhook(okURL, tt.change)
				enabled := w
				enabled.Status = delivery.Enabled // the deliveries were made while it was
				r.queued(2, enabled)
				if tt.before != nil {
					tt.before(r, w)
				}
				r.start()
				time.Sleep(3 * time.Second)
				r.wantStates(map[delivery.State]int{tt.want: 2})
				if n := len(r.sent()); n != 0 {
					t.Errorf("%d calls, want none", n)
				}
			})
		})
	}
}

// A claim may lease deliveries and fail afterwards: they are sent, and their room
// in memory is free again.
func TestAClaimThatFailsLateLeaksNoRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		ids := r.queued(3, r.webhook(okURL))
		r.store.Beside = errors.New("the statement behind the claim failed")
		r.start()
		time.Sleep(10 * time.Second)
		r.sentOnce(ids, r.sent())
		if held := r.pipeline.Dispatcher.Held(); held != 0 {
			t.Errorf("%d deliveries are still in memory", held)
		}
	})
}

func TestHeldDeliveriesGoOutWhenReleased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL, func(w *delivery.Webhook) { w.Status, w.Holding = delivery.Disabled, true })
		r.start()
		ids := r.ingest(3, w)
		time.Sleep(time.Minute)
		r.wantStates(map[delivery.State]int{delivery.Held: 3})
		r.change(w.ID, func(now *delivery.Webhook) { now.Status, now.Holding = delivery.Enabled, false })
		r.recall(t.Context(), w.ID)
		synctest.Wait()
		r.sentOnce(ids, r.sent())
		r.wantStates(map[delivery.State]int{delivery.Delivered: 3})
	})
}

// A hanging receiver with more deliveries than memory holds doesn't delay the
// deliveries to other receivers.
func TestAHangingReceiverDelaysNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hang := func(ctx context.Context, _ int) egress.Result {
			<-ctx.Done()
			return egress.Result{Outcome: egress.Timeout}
		}
		r := newRig(t, Options{Workers: 32, Memory: 200}, answers{hangURL: hang})
		stuck := r.webhook(hangURL)
		var others []delivery.Webhook
		for range 9 {
			others = append(others, r.webhook(okURL))
		}
		r.queued(1000, stuck)
		r.start()
		r.ingest(300, stuck)
		time.Sleep(500 * time.Millisecond)
		for range 20 {
			began := time.Now()
			ids := r.ingest(1, others...)
			synctest.Wait()
			r.sentOnce(ids, r.sent())
			for _, c := range r.sent() {
				if c.url == okURL && c.at.Sub(began) > 0 && c.at.After(began) {
					t.Fatalf("a call to a healthy receiver came %s late", c.at.Sub(began))
				}
			}
			time.Sleep(500 * time.Millisecond)
		}
		hanging := 0
		for _, c := range r.sent() {
			if c.url == hangURL && time.Since(c.at) < delivery.DefaultTimeout {
				hanging++
			}
		}
		if hanging > r.opts.Concurrency {
			t.Errorf("%d calls to the receiver that hangs, want at most %d", hanging, r.opts.Concurrency)
		}
		if held := r.pipeline.Dispatcher.Held(); held > r.opts.Memory {
			t.Errorf("%d deliveries in memory, at most %d allowed", held, r.opts.Memory)
		}
	})
}

func TestABacklogLargerThanMemoryIsDelivered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Workers: 4, Concurrency: 4, Memory: 16}, answers{okURL: slow(time.Millisecond)})
		var ids []delivery.DeliveryID
		for range 3 {
			ids = append(ids, r.queued(300, r.webhook(okURL))...)
		}
		r.start()
		for range 3000 {
			time.Sleep(10 * time.Millisecond)
			if held := r.pipeline.Dispatcher.Held(); held > 16 || held < 0 {
				t.Fatalf("%d deliveries in memory, want 0 to 16", held)
			}
		}
		r.sentOnce(ids, r.sent())
		r.wantStates(map[delivery.State]int{delivery.Delivered: 900})
	})
}

func TestEveryClaimIsBoundedByWebhook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{okURL: slow(time.Second)})
		r.queued(5000, r.webhook(okURL))
		r.start()
		time.Sleep(10 * time.Second)
		r.store.Change(func() {
			narrow := 0
			for _, perWebhook := range r.store.Claims {
				if perWebhook < 1 || perWebhook > pipeline.ClaimSize/2 {
					t.Errorf("a claim took %d of a webhook", perWebhook)
				}
				if perWebhook == r.opts.Concurrency {
					narrow++
				}
			}
			if narrow == 0 {
				t.Error("no claim was narrow, though the webhook had more than it may hold")
			}
			if n := len(r.store.Claims); n > 100 {
				t.Errorf("%d claims in 10 s: the claims run in circles", n)
			}
		})
	})
}

// What has waited in memory until its lease may end is not sent: it comes back
// by a claim, and no delivery is out twice.
func TestADeliveryIsNotSentWhenItsLeaseMayEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Workers: 1, Concurrency: 1}, answers{okURL: slow(14 * time.Second)})
		w := r.webhook(okURL)
		r.start()
		ids := r.ingest(12, w)
		for range 12 {
			time.Sleep(14 * time.Second)
		}
		for len(r.sent()) < 12 {
			time.Sleep(14 * time.Second)
		}
		time.Sleep(5 * time.Minute)
		r.sentOnce(ids, r.sent())
		r.wantStates(map[delivery.State]int{delivery.Delivered: 12})
		if n := r.counted("deliveries_put_back_total"); n == 0 {
			t.Error("no lease was over: the test proves nothing")
		}
	})
}

func TestAPanicFailsItsDeliveryAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Workers: 2}, answers{
			badURL: func(context.Context, int) egress.Result { panic("poison") },
		})
		bad, good := r.webhook(badURL), r.webhook(okURL)
		r.start()
		poisoned, fine := r.ingest(3, bad), r.ingest(5, good)
		synctest.Wait()
		r.sentOnce(fine, r.sent())
		r.wantStates(map[delivery.State]int{delivery.Delivered: 5, delivery.Failed: 3})
		if log := r.entries(poisoned[0]); len(log) != 1 || log[0].Attempt == nil || log[0].Attempt.Error == "" {
			t.Errorf("log %+v, want an attempt that says what happened", log)
		}
		if n := r.counted("worker_panics_total"); n != 3 {
			t.Errorf("%v panics counted, want 3", n)
		}
	})
}

func TestAMessageTooLargeFailsWithoutACall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL, func(w *delivery.Webhook) { w.Version.Template = `{"a":"#alert_information"}` })
		r.start()
		e := r.event(w)
		e.Event.Variables = []byte(`{"alert_information":"` + string(make1MiB()) + `"}`)
		r.store.Change(func() { r.store.Add(delivery.Owner{}, 0, r.org.ID, e) })
		r.pipeline.Dispatcher.Wake()
		time.Sleep(2 * time.Second)
		log := r.entries(e.Deliveries[0].ID)
		if len(log) != 1 || log[0].Delivery.State != delivery.Failed ||
			log[0].Attempt.Outcome != delivery.BodyTooLarge {
			t.Errorf("log %+v, want FAILED for BODY_TOO_LARGE", log)
		}
		if n := len(r.sent()); n != 0 {
			t.Errorf("%d calls, want none", n)
		}
	})
}

func make1MiB() []byte {
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = 'x'
	}
	return b
}

// While the webhook can't be read there is no attempt, and none is used up.
func TestNoConfigurationIsNoAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.store.Change(func() {
			r.store.Fail = func(method string) error {
				if method == "Config" || method == "OrganizationsByID" {
					return errors.New("no connection")
				}
				return nil
			}
		})
		r.start()
		ids := r.ingest(20, w)
		time.Sleep(30 * time.Second)
		if n := len(r.sent()); n != 0 {
			t.Errorf("%d calls without a configuration", n)
		}
		r.store.Change(func() {
			if n := r.store.Calls["Claim"]; n > 70 {
				t.Errorf("%d claims in 30 s: the claims run in circles", n)
			}
			r.store.Fail = nil
		})
		time.Sleep(3 * time.Second)
		r.sentOnce(ids, r.sent())
		for _, c := range r.sent() {
			if c.attempt != 1 {
				t.Errorf("the first call has the number %d", c.attempt)
			}
		}
	})
}
