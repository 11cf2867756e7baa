package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/test/faults"
)

// A poisoning is something broken in the store, or in this program, that one
// delivery meets.
type poisoning struct {
	spoil func(r *rig, e *delivery.NewEvent) // the event and its delivery, before they are stored
	want  delivery.State                     // in the end
	calls bool                               // whether the receiver is called
	says  string                             // in the log of each attempt; "" where none is made
	panic bool
}

func poisonings() map[string]poisoning {
	variables := func(text string) func(*rig, *delivery.NewEvent) {
		return func(_ *rig, e *delivery.NewEvent) { e.Event.Variables = []byte(text) }
	}
	return map[string]poisoning{
		"variables that are no JSON": {
			spoil: variables(`{"alert_information":`),
			want:  delivery.Failed, says: "variables",
		},
		"no variables":              {spoil: variables(``), want: delivery.Failed, says: "variables"},
		"variables that are a list": {spoil: variables(`[1]`), want: delivery.Failed, says: "variables"},
		"a million levels of variables": {
			spoil: variables(strings.Repeat(`{"a":`, 1_000_000)),
			want:  delivery.Failed, says: "variables",
		},
		"variables that are not UTF-8": {
			spoil: variables("{\"alert_information\":\"a\xff\xfeb\"}"),
			want:  delivery.Delivered, calls: true,
		},
		"zero bytes in the variables": {
			spoil: variables("{\"alert_information\":\"\x00\"}"),
			want:  delivery.Failed, says: "variables",
		},
		"a megabyte in one variable": {
			spoil: variables(`{"alert_information":"` + string(make1MiB()) + `"}`),
			want:  delivery.Failed, says: "too large",
		},
		"a version that does not exist": {
			spoil: func(_ *rig, e *delivery.NewEvent) { e.Deliveries[0].Version = -7 },
			want:  delivery.Failed, says: "no version",
		},
		"a webhook that does not exist": {
			spoil: func(_ *rig, e *delivery.NewEvent) { e.Deliveries[0].Webhook = -1 },
			want:  delivery.Canceled,
		},
		"an organization that is unknown": {
			spoil: func(_ *rig, e *delivery.NewEvent) { e.Deliveries[0].Org = 99 },
			want:  delivery.Canceled,
		},
		"a type without a name": {
			spoil: func(_ *rig, e *delivery.NewEvent) { e.Deliveries[0].Type, e.Event.Type = "", "" },
			want:  delivery.Delivered, calls: true,
		},
		"fewer attempts than none": {
			spoil: func(_ *rig, e *delivery.NewEvent) { e.Deliveries[0].Attempts = -1 << 40 },
			want:  delivery.Delivered, calls: true,
		},
		"more attempts than can be": {
			spoil: func(_ *rig, e *delivery.NewEvent) { e.Deliveries[0].Attempts = 1 << 40 },
			want:  delivery.Delivered, calls: true,
		},
		"a template that can't be used": {
			spoil: spoilVersion(func(v *delivery.WebhookVersion) { v.Template = `{"a": #no_such_variable` }),
			want:  delivery.Failed, says: "template",
		},
		"a time zone that is nowhere": {
			spoil: spoilVersion(func(v *delivery.WebhookVersion) { v.Policy.TimeZone = "Nowhere/\xff" }),
			want:  delivery.Delivered, calls: true,
		},
		"a secret of another key": {
			spoil: func(r *rig, e *delivery.NewEvent) {
				w := r.webhook("https://sealed.example/", func(w *delivery.Webhook) {
					w.Secrets[0].Sealed = []byte("\x01\x01?nonsense")
				}, retryingSoon)
				e.Deliveries[0].Webhook, e.Deliveries[0].Version = w.ID, w.Version.ID
			},
			want: delivery.Failed, says: "secrets",
		},
		"a panic in the sender": {
			spoil: func(r *rig, _ *delivery.NewEvent) {
				post := r.post
				r.post = func(ctx context.Context, q egress.Request) egress.Result {
					if q.URL == badURL {
						panic("poison")
					}
					return post(ctx, q)
				}
			},
			panic: true, want: delivery.Failed, says: "error of its own",
		},
		"a panic in the renderer": {
			spoil: func(r *rig, e *delivery.NewEvent) { r.store.Panics[e.Deliveries[0].Version] = true },
			panic: true, want: delivery.Failed, says: "error of its own",
		},
	}
}

// retryingSoon gives up after two minutes.
func retryingSoon(w *delivery.Webhook) {
	w.Version.Policy.Retry = delivery.Schedule{time.Second, time.Minute}
}

// spoilVersion gives the delivery a version of its webhook that is spoilt.
func spoilVersion(change func(*delivery.WebhookVersion)) func(*rig, *delivery.NewEvent) {
	return func(r *rig, e *delivery.NewEvent) {
		w := r.current(e.Deliveries[0].Webhook)
		v := w.Version
		v.ID = delivery.VersionID(r.ids.Next())
		change(&v)
		r.store.Change(func() { r.store.VersionRows = append(r.store.VersionRows, v) })
		e.Deliveries[0].Version = v.ID
	}
}

// One delivery is poisoned, among others that are not. It fails by itself, and
// the log says why; the others are sent at once, the log can be watched and
// listed, and nothing goes round in circles.
func TestTorturePoison(t *testing.T) {
	for name, p := range poisonings() {
		bubble(t, func(t *testing.T) { p.check(t, name) })
		faults.Result{Fault: "poison: " + name, Rounds: 1, Note: p.outcome()}.Report(t)
	}
}

func (p poisoning) outcome() string {
	end := string(p.want)
	if p.panic {
		end += ", counted as a panic"
	}
	return end + "; the others were sent at once"
}

func (p poisoning) check(t *testing.T, name string) {
	r := newRig(t, Options{Poll: time.Minute}, nil)
	good, other := r.webhook(okURL), r.webhook("https://other.example/")
	bad := r.webhook(badURL, retryingSoon)
	e := r.event(bad)
	p.spoil(r, &e)
	r.start()
	items, end := r.watch(delivery.WatchInput{Org: 1})
	defer end()
	r.store.Change(func() { r.store.Add(delivery.Owner{}, 0, r.org.ID, e) })
	fine := r.queued(20, good, other)
	began := time.Now()
	r.pipeline.Dispatcher.Wake()
	synctest.Wait()
	r.sentOnce(fine, r.sent())
	if took := time.Since(began); took > 0 {
		t.Errorf("%s: the others took %s", name, took)
	}
	for range fine {
		next(t, items)
	}
	time.Sleep(10 * time.Minute)
	id := e.Deliveries[0].ID
	log := r.entries(id)
	if len(log) == 0 || log[len(log)-1].Delivery.State != p.want {
		t.Fatalf("%s: the log is %+v, want it to end with %s", name, log, p.want)
	}
	for _, entry := range log {
		if p.says != "" && (entry.Attempt == nil || !strings.Contains(entry.Attempt.Error, p.says)) {
			t.Errorf("%s: the log says %+v, want something about %q", name, entry.Attempt, p.says)
		}
	}
	if called := len(r.sentTo(badURL)) > 0; called != p.calls {
		t.Errorf("%s: the receiver was called %t, want %t", name, called, p.calls)
	}
	if n := r.counted("worker_panics_total"); (n > 0) != p.panic {
		t.Errorf("%s: %v panics were counted", name, n)
	}
	if n := r.counted("deliveries_put_back_total"); n > 0 {
		t.Errorf("%s: deliveries were put back %v times: it goes round in circles", name, n)
	}
	if _, err := r.Deliveries(t.Context(), admin, 1, delivery.DeliveryFilter{},
		delivery.Page{First: 10}); err != nil {
		t.Errorf("%s: list deliveries: %v", name, err)
	}
	later := r.ingest(1, good)
	synctest.Wait()
	r.sentOnce(append(fine, later...), append(r.sentTo(okURL), r.sentTo("https://other.example/")...))
}

// Results that the database refuses are stored without the response, then discarded.
// The other results of the batch are stored.
func TestTorturePoisonedResults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := faults.Rounds(20, 200)
		r := newRig(t, Options{}, answers{badURL: poisonous})
		w, bad := r.webhook(okURL), r.webhook(badURL)
		r.store.Change(func() {
			r.store.Poison = func(s *delivery.Settlement) bool {
				return s.Entry.Attempt != nil && s.Entry.Attempt.ResponseBody != ""
			}
		})
		r.start()
		fine, spoilt := r.ingest(n, w), r.ingest(n, bad)
		time.Sleep(time.Hour)
		r.sentOnce(append(fine, spoilt...), r.sent())
		r.wantStates(map[delivery.State]int{delivery.Delivered: 2 * n})
		faults.Result{
			Fault: "poison: a result that the database refuses", Rounds: n,
			Note: "stored without the answer; the others whole",
		}.Report(t)
	})
}

// A result that can't be stored at all doesn't keep others from being stored, and is
// not retried forever.
func TestTortureResultsThatAreNeverStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w, bad := r.webhook(okURL), r.webhook(badURL)
		r.store.Change(func() {
			r.store.Poison = func(s *delivery.Settlement) bool { return s.Entry.Delivery.Webhook == bad.ID }
		})
		r.start()
		r.ingest(1, bad)
		fine := r.ingest(50, w)
		time.Sleep(time.Minute)
		r.sentOnce(fine, r.sentTo(okURL))
		before := len(r.sentTo(badURL))
		time.Sleep(10 * time.Minute)
		// It comes back whenever its lease ends, which is what a lost result does.
		if again := len(r.sentTo(badURL)) - before; again > int(10*time.Minute/delivery.JobLease)+1 {
			t.Errorf("sent %d times in ten minutes, want once a lease at most", again)
		}
		if r.counted("loop_errors_total") == 0 {
			t.Error("nothing was counted")
		}
		r.store.Change(func() { r.store.Poison = nil })
		time.Sleep(2 * time.Minute)
		r.wantStates(map[delivery.State]int{delivery.Delivered: 51})
		faults.Result{
			Fault: "poison: a result that is never stored", Rounds: 1,
			Note: fmt.Sprintf(
				"sent again once a lease (%s), errors counted; the others are stored", delivery.JobLease,
			),
		}.Report(t)
	})
}

// A database that fails for one organization's webhooks fails for no other.
func TestTortureConfigurationThatCantBeRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.store.Change(func() {
			r.store.OrgRows = append(r.store.OrgRows,
				delivery.Organization{ID: 2, ExternalID: "spoilt", Name: "Spoilt", ConfigVersion: 1})
			r.store.Unreadable = map[delivery.OrgID]error{2: errors.New("invalid selection")}
		})
		bad := r.webhook(badURL, func(w *delivery.Webhook) { w.Org = 2 })
		r.start()
		r.queued(100, bad)
		for range 60 {
			began := time.Now()
			r.ingest(1, w)
			synctest.Wait()
			calls := r.sentTo(okURL)
			if last := calls[len(calls)-1]; !last.at.Equal(began) {
				t.Fatalf("a delivery of another organization waited for %s", last.at.Sub(began))
			}
			time.Sleep(time.Second)
		}
		r.store.Change(func() {
			if n := r.store.Calls["Claim"]; n > 200 {
				t.Errorf("%d claims in a minute: the claims run in circles", n)
			}
		})
		faults.Result{
			Fault: "poison: an organization whose webhooks can't be read", Rounds: 1,
			Note: "its deliveries wait; the others' are sent at once",
		}.Report(t)
	})
}
