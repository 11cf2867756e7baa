package service

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/memstore"
	"portalhooks/delivery/pipeline"
	"portalhooks/test/faults"
)

// A service starts, delivers and stops a thousand times in one process. What it
// needed is gone every time: the bubble fails where a goroutine is left.
func TestTortureStartsAndStops(t *testing.T) {
	const most = 2 << 20
	n := faults.Rounds(60, 3000)
	bubble(t, func(t *testing.T) {
		store := memstore.NewFaulty()
		store.OrgRows = []delivery.Organization{{ID: 1, ExternalID: "acme", Name: "Acme", ConfigVersion: 1}}
		keyring := rigKeyring(t)
		cycle := func(i int) {
			r := rigOver(t, store, Options{Owner: delivery.Owner{Epoch: int64(i + 1)}, Keyring: keyring}, nil)
			r.measured(func(ctx context.Context, _ string) egress.Result {
				return answered(ctx, time.Millisecond, http.StatusOK)
			})
			w := r.webhook(okURL)
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			items, err := r.Watch(ctx, viewer, delivery.WatchInput{Org: 1})
			if err != nil {
				t.Fatal(err)
			}
			<-items
			r.ingest(20, w)
			time.Sleep(5 * time.Millisecond)
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			store.Change(func() {
				if left := store.Reset(); left > 0 {
					t.Errorf("%d deliveries are pending", left)
				}
			})
		}
		for i := range 20 { // what is made once, such as pools and tables of names
			cycle(i)
		}
		goroutines, before := runtime.NumGoroutine(), inUse()
		for i := range n {
			cycle(20 + i)
		}
		more, grown := runtime.NumGoroutine()-goroutines, inUse()-before
		// The runtime starts some of its own once, so a leak is one for each round.
		if more >= n || grown > most {
			t.Errorf("%d starts and stops left %d goroutines and %.1f MiB", n, more, mib(grown))
		}
		faults.Result{
			Fault: "a service starts, delivers and stops", Rounds: n,
			Note: fmt.Sprintf("%d goroutines and %.2f MiB more at the end", more, mib(grown)),
		}.Report(t)
	})
}

// Organizations and webhooks come and go for a day, with targets that work,
// fail, hang and are slow, with rates and orders. What was kept about them goes
// with them: lanes, breakers, timers. Compiled templates, configurations and
// verdicts on targets stay in caches, up to their bounds.
func TestTortureWebhooksThatComeAndGo(t *testing.T) {
	const most = 16 << 20 // caches that have a bound of their own
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		m := r.measured(func(ctx context.Context, url string) egress.Result {
			switch {
			case strings.HasPrefix(url, "https://bad"):
				return answered(ctx, time.Millisecond, http.StatusInternalServerError)
			case strings.HasPrefix(url, "https://hang"):
				return answered(ctx, time.Hour, http.StatusOK)
			}
			return answered(ctx, time.Millisecond, http.StatusOK)
		})
		stop := r.start()
		synctest.Wait()
		generation := 0
		day := func(n int) {
			for range n {
				generation++
				r.comeAndGo(t, generation)
			}
			time.Sleep(time.Hour) // the last ones have been canceled, retries too
			r.store.Change(func() {
				if left := r.store.Reset(); left > 0 {
					t.Errorf("%d deliveries are pending", left)
				}
			})
			m.mu.Lock()
			m.calls = nil
			clear(m.times)
			clear(m.now)
			m.mu.Unlock()
		}
		day(20)
		goroutines, before := runtime.NumGoroutine(), inUse()
		n := faults.Rounds(40, 120)
		day(n)
		more, grown := runtime.NumGoroutine()-goroutines, inUse()-before
		if more > 0 || grown > most {
			t.Errorf("%d generations of webhooks left %d goroutines and %.1f MiB", n, more, mib(grown))
		}
		r.wantNothingKept(t)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		faults.Result{
			Fault: "webhooks and subscribers come and go", Rounds: n * len(kindsOfHook()),
			Note: fmt.Sprintf("%d goroutines and %.2f MiB more at the end; no lane, breaker or subscriber is left",
				more, mib(grown)),
		}.Report(t)
	})
}

func kindsOfHook() map[string]func(*delivery.Webhook) {
	return map[string]func(*delivery.Webhook){
		"https://ok.example/":      func(*delivery.Webhook) {},
		"https://bad.example/":     func(*delivery.Webhook) {},
		"https://hang.example/":    func(w *delivery.Webhook) { w.Version.Policy.Timeout = time.Second },
		"https://bad-too.example/": func(w *delivery.Webhook) { w.Version.Policy.Retry = delivery.Schedule{time.Second} },
		"https://paced.example/":   func(w *delivery.Webhook) { w.Version.Policy.PerMinute = 60 },
		"https://ordered.example/": inOrder,
	}
}

// comeAndGo makes an organization with webhooks of every kind, uses them, and
// deletes them in the middle of it.
func (r *rig) comeAndGo(t *testing.T, generation int) {
	org := r.organization(delivery.OrgID(1000+generation), fmt.Sprintf("org %d", generation))
	caller := adminOf(org.ID)
	r.as(org, func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		items, err := r.Watch(ctx, caller, delivery.WatchInput{Org: org.ID})
		if err != nil {
			t.Fatal(err)
		}
		<-items
		var webhooks []delivery.Webhook
		for url, change := range kindsOfHook() {
			webhooks = append(webhooks, r.webhook(url+fmt.Sprint(generation), change))
		}
		for _, w := range webhooks {
			if w.Version.Policy.Ordered {
				r.ingestOrdered(25, w)
			} else {
				r.ingest(25, w)
			}
		}
		time.Sleep(3 * time.Second)
		for _, w := range webhooks {
			if _, err := r.DeleteWebhook(context.Background(), caller, w.ID); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
	})
	r.store.Change(func() { r.store.OrgRows = r.store.OrgRows[:1] })
}

// wantNothingKept checks what grows with webhooks.
func (r *rig) wantNothingKept(t *testing.T) {
	t.Helper()
	u := r.pipeline.Usage()
	if want := (pipeline.Usage{Health: u.Health}); u != want || u.Health > pipeline.HealthKnown {
		t.Errorf("%+v is left in memory", u)
	}
}
