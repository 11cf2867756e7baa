package service

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
)

// set gives a webhook a status as an admin does.
func (r *rig) set(id delivery.WebhookID, in SetStatusInput) {
	r.t.Helper()
	in.ID = id
	if _, err := r.SetWebhookStatus(r.t.Context(), admin, in); err != nil {
		r.t.Fatal(err)
	}
}

// failing makes recalls fail until it is called.
func (r *rig) failing() (stop func()) {
	r.store.Change(func() {
		r.store.Fail = func(method string) error {
			if method == "Recall" {
				return errors.New("canceling statement due to statement timeout")
			}
			return nil
		}
	})
	return func() { r.store.Change(func() { r.store.Fail = nil }) }
}

var (
	holds    = SetStatusInput{Status: delivery.Disabled, Hold: true}
	enables  = SetStatusInput{Status: delivery.Enabled}
	drops    = SetStatusInput{Status: delivery.Enabled, DropHeld: true}
	disables = SetStatusInput{Status: delivery.Disabled}
)

// What a change decides comes true although its recall fails at first.
func TestAChangeDecidesAlthoughItsRecallFails(t *testing.T) {
	for name, tt := range map[string]struct {
		then []SetStatusInput
		want delivery.State
		sent int
	}{
		"released":              {[]SetStatusInput{enables}, delivery.Delivered, 20},
		"dropped":               {[]SetStatusInput{drops}, delivery.Canceled, 0},
		"disabled":              {[]SetStatusInput{disables}, delivery.Canceled, 0},
		"disabled, enabled":     {[]SetStatusInput{disables, enables}, delivery.Canceled, 0},
		"dropped, held again":   {[]SetStatusInput{drops, holds}, delivery.Canceled, 0},
		"released, held again":  {[]SetStatusInput{enables, holds}, delivery.Held, 0},
		"dropped, held, let go": {[]SetStatusInput{drops, holds, enables}, delivery.Canceled, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, Options{}, nil)
				w := r.webhook(okURL)
				r.set(w.ID, holds)
				w = r.current(w.ID)
				r.start()
				r.ingest(20, w)
				works := r.failing()
				for _, in := range tt.then {
					r.set(w.ID, in)
				}
				time.Sleep(3 * time.Second)
				works()
				time.Sleep(30 * time.Second)
				r.wantStates(map[delivery.State]int{tt.want: 20})
				if n := len(r.sent()); n != tt.sent {
					t.Errorf("%d calls, want %d", n, tt.sent)
				}
			})
		})
	}
}

// A server that decides and dies leaves the recall to the others.
func TestTheLeaderFinishesTheRecallOfADeadServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dead := newRig(t, Options{Owner: delivery.Owner{Slot: 1, Epoch: 1}}, nil)
		w := dead.webhook(okURL)
		dead.set(w.ID, holds)
		dead.queued(5000, dead.current(w.ID))
		works := dead.failing()
		dead.set(w.ID, enables)
		works()
		now := dead.current(w.ID)
		backlogs, err := dead.Backlogs(t.Context(), admin, []*delivery.Webhook{&now})
		if want := (delivery.Backlog{Held: 5000, Releasing: 5000}); err != nil || backlogs[0] != want {
			t.Errorf("the backlog is %+v, %v, want %+v", backlogs[0], err, want)
		}
		r := rigOver(t, dead.store, Options{}, nil)
		r.start()
		time.Sleep(time.Minute)
		r.wantStates(map[delivery.State]int{delivery.Delivered: 5000})
	})
}

// An ordered webhook gets its deliveries in their order, whatever is held and
// enabled while a backlog waits, by whichever server.
func TestHoldsKeepTheOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		answers := answers{okURL: slow(30 * time.Millisecond)}
		r := newRig(t, Options{}, answers)
		other := rigOver(t, r.store, Options{Owner: delivery.Owner{Slot: 1, Epoch: 1}}, nil)
		other.post = r.post // one receiver
		w := r.webhook(okURL, func(w *delivery.Webhook) { w.Version.Policy.Ordered = true })
		// A change may come while a server looks at the configuration again, in the
		// middle of holding a line.
		r.store.Took["Settle"], r.store.Took["OrganizationsByID"] = 20*time.Millisecond, 300*time.Millisecond
		r.start()
		other.start()
		const events = 1500
		for n := range events {
			switch n % 150 {
			case 20:
				r.set(w.ID, holds)
			case 120 + n/150*3:
				[]*rig{r, other}[n/150%2].set(w.ID, enables)
			}
			r.ingestInOrder(w.ID)
			time.Sleep(10 * time.Millisecond)
		}
		r.set(w.ID, enables)
		time.Sleep(5 * time.Minute)
		var got []string
		for _, c := range r.sent() {
			got = append(got, c.id)
		}
		if len(got) != events || !slices.IsSorted(got) {
			t.Errorf("%d calls, in order %v, want %d in order", len(got), slices.IsSorted(got), events)
		}
	})
}

// ingestInOrder stores an event with a delivery to the ordered webhook, as it is.
func (r *rig) ingestInOrder(id delivery.WebhookID) {
	r.t.Helper()
	e := r.event(r.current(id))
	e.Deliveries[0].Ordered = true
	unit := delivery.Ingest{Org: r.org.ID, Events: []delivery.NewEvent{e}}
	r.store.Change(func() { unit.ConfigVersion = r.store.Org(r.org.ID).ConfigVersion })
	answers, err := r.pipeline.Ingester.Enqueue(r.t.Context(), []delivery.Ingest{unit})
	if err != nil || answers[0].Stale {
		r.t.Fatalf("ingest: %v, %+v", err, answers)
	}
}

// A caller who disables a webhook is told when that could not be stored.
func TestAChangeThatIsNotStoredIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.set(w.ID, holds)
		r.queued(3, r.current(w.ID))
		for _, method := range []string{"Pending", "UpdateWebhook"} {
			r.store.Change(func() {
				r.store.Fail = func(m string) error {
					if m == method {
						return fmt.Errorf("%s: connection refused", m)
					}
					return nil
				}
			})
			in := drops
			in.ID = w.ID
			if _, err := r.SetWebhookStatus(t.Context(), admin, in); err == nil {
				t.Errorf("with %s failing the change succeeds", method)
			}
		}
		if got := r.current(w.ID); got.Status != delivery.Disabled {
			t.Errorf("the webhook is %s, want it unchanged", got.Status)
		}
	})
}
