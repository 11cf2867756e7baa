package service

import (
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
)

// waiting returns what one delivery waits for.
func (r *rig) waiting(id delivery.DeliveryID) delivery.Waiting {
	r.t.Helper()
	found, err := r.DeliveriesByID(r.t.Context(), adminOf(r.org.ID), []delivery.DeliveryID{id})
	if err != nil || found[0] == nil {
		r.t.Fatalf("find the delivery: %v, %v", found, err)
	}
	all, err := r.Waiting(r.t.Context(), adminOf(r.org.ID), found)
	if err != nil {
		r.t.Fatal(err)
	}
	return all[0]
}

func TestWaitingSaysWhyTheNextAttemptIsNotMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{badURL: status(503)})
		limited := r.webhook(okURL, func(w *delivery.Webhook) { w.Version.Policy.PerMinute = 1 })
		ordered := r.webhook(hangURL, inOrder)
		holding := r.webhook("https://held.example/", func(w *delivery.Webhook) {
			w.Status, w.Holding = delivery.Disabled, true
		})
		failing := r.webhook(badURL)
		due := r.queued(1, limited)[0]
		line := []delivery.NewEvent{r.event(ordered), r.event(ordered)}
		r.store.Change(func() {
			for i := range line {
				line[i].Deliveries[0].Ordered = true
				r.store.Add(delivery.Owner{}, 0, r.org.ID, line[i])
			}
		})
		held := r.queued(1, holding)[0]
		for name, tt := range map[string]struct {
			id   delivery.DeliveryID
			want delivery.WaitReason
		}{
			"due, with a rate limit":  {due, delivery.WaitRateLimit},
			"the first of the line":   {line[0].Deliveries[0].ID, ""},
			"the second of the line":  {line[1].Deliveries[0].ID, delivery.WaitOrder},
			"held":                    {held, delivery.WaitHeld},
			"due, and nothing else":   {r.queued(1, failing)[0], ""},
			"of an unlimited webhook": {r.queued(1, r.webhook("https://free.example/"))[0], ""},
		} {
			got := r.waiting(tt.id)
			if got.For != tt.want {
				t.Errorf("%s: waits for %q, want %q", name, got.For, tt.want)
			}
			if unknown := tt.want == delivery.WaitOrder || tt.want == delivery.WaitHeld; got.Next.IsZero() != unknown {
				t.Errorf("%s: next attempt at %v, want none only where it depends on something else", name, got.Next)
			}
		}
		if got, err := r.Waiting(t.Context(), delivery.Caller{Name: "x"}, []*delivery.Delivery{nil, {
			Org: r.org.ID, State: delivery.Held,
		}}); err != nil || got[0] != (delivery.Waiting{}) || got[1] != (delivery.Waiting{}) {
			t.Errorf("a stranger is told %v, %v", got, err)
		}
	})
}

// The time of the next attempt is never one that a circuit breaker will let pass.
func TestNextAttemptIsNotBeforeTheBreakerLetsOneThrough(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{badURL: status(503)})
		w := r.webhook(badURL)
		r.start()
		ids := r.queued(30, w)
		r.pipeline.Dispatcher.Wake()
		synctest.Wait()
		for range 400 { // through openings and probes of the breaker, and retries
			time.Sleep(time.Second)
			synctest.Wait()
			breaker, until := r.pipeline.Dispatcher.Breaker(w.ID)
			for _, id := range ids {
				got := r.waiting(id)
				open := breaker == delivery.BreakerOpen
				switch {
				case got == (delivery.Waiting{}): // in the hands of a worker
				case open && got.Next.Before(until):
					t.Fatalf("next attempt at %v, and the breaker is open until %v", got.Next, until)
				case open && got.For != delivery.WaitBreaker && got.For != delivery.WaitSchedule:
					t.Fatalf("waits for %q while the breaker is open", got.For)
				}
			}
		}
		if attempts := len(r.sent()); attempts < 12 {
			t.Errorf("%d attempts: this test did not see the breaker probe", attempts)
		}
	})
}

// becauseOf returns why the only delivery was canceled.
func (r *rig) becauseOf(id delivery.DeliveryID) delivery.CancelReason {
	r.t.Helper()
	found, err := r.DeliveriesByID(r.t.Context(), admin, []delivery.DeliveryID{id})
	if err != nil || found[0] == nil || found[0].State != delivery.Canceled {
		r.t.Fatalf("the delivery is %+v, %v, want a canceled one", found[0], err)
	}
	reasons, err := r.CanceledBecause(r.t.Context(), admin, found)
	if err != nil {
		r.t.Fatal(err)
	}
	return reasons[0]
}

// A cancelRig is a rig that runs only from the first run on.
type cancelRig struct {
	*rig
	running bool
}

func (r *cancelRig) run() {
	if !r.running {
		r.running = true
		r.start()
	}
	r.pipeline.Dispatcher.Wake()
	time.Sleep(time.Minute)
	synctest.Wait()
}

func TestCanceledDeliverySaysWhatCanceledIt(t *testing.T) {
	status := func(r *cancelRig, id delivery.WebhookID, in SetStatusInput) (canceled int) {
		r.t.Helper()
		in.ID = id
		u, err := r.SetWebhookStatus(r.t.Context(), admin, in)
		if err != nil {
			r.t.Fatal(err)
		}
		return u.Canceled
	}
	disable := SetStatusInput{Status: delivery.Disabled}
	hold := SetStatusInput{Status: delivery.Disabled, Hold: true}
	enable := SetStatusInput{Status: delivery.Enabled}
	drop := SetStatusInput{Status: delivery.Enabled, DropHeld: true}
	remove := func(r *cancelRig, id delivery.WebhookID) int {
		r.t.Helper()
		n, err := r.DeleteWebhook(r.t.Context(), admin, id)
		if err != nil {
			r.t.Fatal(err)
		}
		return n
	}
	for name, tt := range map[string]struct {
		cancel func(r *cancelRig, id delivery.WebhookID) int
		want   delivery.CancelReason
	}{
		"disabled": {
			func(r *cancelRig, id delivery.WebhookID) int { return status(r, id, disable) },
			delivery.WebhookWasDisabled,
		},
		"disabled, and enabled at once": {
			func(r *cancelRig, id delivery.WebhookID) int {
				n := status(r, id, disable)
				status(r, id, enable)
				return n
			}, delivery.WebhookWasDisabled,
		},
		"deleted": {remove, delivery.WebhookWasDeleted},
		"held, then deleted": {
			func(r *cancelRig, id delivery.WebhookID) int {
				if n := status(r, id, hold); n != 0 {
					r.t.Errorf("%d are canceled by holding", n)
				}
				return remove(r, id)
			}, delivery.WebhookWasDeleted,
		},
		"held, then disabled": {
			func(r *cancelRig, id delivery.WebhookID) int {
				status(r, id, hold)
				return status(r, id, disable)
			}, delivery.WebhookWasDisabled,
		},
		"held, then dropped": {
			func(r *cancelRig, id delivery.WebhookID) int {
				status(r, id, hold)
				r.run() // which holds them
				return status(r, id, drop)
			}, delivery.HeldWasDropped,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := &cancelRig{rig: newRig(t, Options{}, nil)}
				w := r.webhook(okURL)
				status(r, w.ID, disable) // an earlier outage, which has nothing to do with it
				time.Sleep(time.Minute)
				enabled, err := r.SetWebhookStatus(t.Context(), admin, SetStatusInput{ID: w.ID, Status: delivery.Enabled})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				ids := r.queued(3, *enabled.Webhook)
				time.Sleep(time.Second)
				if n := tt.cancel(r, w.ID); n != len(ids) {
					t.Errorf("%d are canceled, want %d", n, len(ids))
				}
				r.run()
				for _, id := range ids {
					if got := r.becauseOf(id); got != tt.want {
						t.Errorf("canceled because of %q, want %q", got, tt.want)
					}
				}
			})
		})
	}
}
