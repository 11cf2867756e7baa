package service

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/test/faults"
)

// A herd is a webhook whose target comes back with a great many deliveries due.
type herd struct {
	name   string
	change func(*delivery.Webhook)
	call   time.Duration // how long one takes
	cap    int           // calls in flight
	most   int           // calls in a second; 0 for no limit of its own
	part   int           // of the deliveries: slow ones get fewer
}

// Everything that waits falls due at once, for a target that was away and works
// again. It gets one call, then two, four and so on up to its share, never more
// at once, and evenly.
func TestTortureThunderingHerd(t *testing.T) {
	for _, h := range []herd{
		{name: "plain", call: 10 * time.Millisecond, cap: delivery.DefaultConcurrency, part: 1},
		{name: "of 64 at once", call: 100 * time.Millisecond, cap: 64, part: faults.Rounds(1, 5), change: func(w *delivery.Webhook) {
			w.Version.Policy.Concurrency = 64
		}},
		{name: "in order", call: time.Millisecond, cap: 1, part: 10, change: inOrder},
		{
			name: "of 100 a second", call: 10 * time.Millisecond, cap: delivery.DefaultConcurrency, most: 100, part: 5,
			change: func(w *delivery.Webhook) { w.Version.Policy.PerMinute = 6000 },
		},
	} {
		bubble(t, func(t *testing.T) { h.stampede(t) })
	}
}

func (h herd) stampede(t *testing.T) {
	const down = 3 * time.Minute
	n := faults.Rounds(5_000, 100_000) / h.part
	r := newRig(t, Options{}, nil)
	began := time.Now()
	m := r.measured(func(ctx context.Context, _ string) egress.Result {
		if time.Since(began) < down {
			return answered(ctx, h.call, http.StatusServiceUnavailable)
		}
		return answered(ctx, h.call, http.StatusOK)
	})
	change := h.change
	if change == nil {
		change = func(*delivery.Webhook) {}
	}
	w := r.webhook(badURL, change)
	var ids []delivery.DeliveryID
	if w.Version.Policy.Ordered {
		ids = r.queuedInOrder(n, w)
	} else {
		ids = r.queued(n, w)
	}
	stop := r.start()
	for r.unsettled() {
		time.Sleep(time.Minute)
		if time.Since(began) > 24*time.Hour {
			t.Fatalf("%s: %v after a day", h.name, r.states())
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	r.wantStates(map[delivery.State]int{delivery.Delivered: n})
	h.check(t, m, ids, began.Add(down))
}

func (h herd) check(t *testing.T, m *meter, ids []delivery.DeliveryID, back time.Time) {
	calls := m.to(badURL, back)
	for i, atOnce := range []int{1, 2, 2, 4, 4, 4, 4} {
		if got := calls[i].beside; got > atOnce {
			t.Errorf("%s: call %d after the return was one of %d at once, want %d at most", h.name, i+1, got, atOnce)
		}
	}
	if got := most(m.to(badURL, time.Time{})); got > h.cap {
		t.Errorf("%s: %d calls in flight, want at most %d", h.name, got, h.cap)
	}
	// The probe that ends the pause comes before the herd.
	peak, mean := busiest(calls[1:])
	if float64(peak) > 3*mean || h.most > 0 && peak > h.most*11/10 {
		t.Errorf("%s: %d calls in one second, want at most three times the mean of %.0f", h.name, peak, mean)
	}
	twice := 0
	for _, id := range ids {
		if m.times[id.String()] != 1 {
			twice++
		}
	}
	if twice > 0 {
		t.Errorf("%s: %d deliveries were not accepted once", h.name, twice)
	}
	if h.cap == 1 {
		accepted := slices.DeleteFunc(slices.Clone(calls), func(c metered) bool { return !c.ok })
		if !slices.IsSortedFunc(accepted, func(a, b metered) int { return cmpText(a.id, b.id) }) {
			t.Errorf("%s: they did not come in their order", h.name)
		}
	}
	faults.Result{
		Fault: "thundering herd, " + h.name, Rounds: len(ids), Duplicated: twice,
		Note: fmt.Sprintf("at most %d in flight, %d in the busiest second, %.0f on average",
			most(calls), peak, mean),
	}.Report(t)
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// queuedInOrder is queued for a webhook whose deliveries are ordered.
func (r *rig) queuedInOrder(n int, w delivery.Webhook) (ids []delivery.DeliveryID) {
	for range n {
		e := r.event(w)
		e.Deliveries[0].Ordered = true
		r.store.Change(func() { r.store.Add(delivery.Owner{}, 0, r.org.ID, e) })
		ids = append(ids, e.Deliveries[0].ID)
	}
	return ids
}

// One of a hundred targets hangs while 500 deliveries come in a second. The
// others get theirs as if it did not.
func TestTortureBulkhead(t *testing.T) {
	var quiet, beside time.Duration
	var n int
	bubble(t, func(t *testing.T) { quiet, n = hundredTargets(t, false) })
	bubble(t, func(t *testing.T) { beside, _ = hundredTargets(t, true) })
	if beside > quiet*12/10 {
		t.Errorf("the others' p99 is %s beside one that hangs, %s without: more than 1.2 times that", beside, quiet)
	}
	faults.Result{
		Fault: "one of 100 targets hangs at 500 deliveries a second", Rounds: n,
		Note: fmt.Sprintf("p99 of the others %s, %s without (%.2f times)",
			beside, quiet, float64(beside)/float64(quiet)),
	}.Report(t)
}

// hundredTargets returns the 99th percentile of the time from an event to the
// end of its call, for all targets but the first.
func hundredTargets(t *testing.T, hangs bool) (p99 time.Duration, n int) {
	r := newRig(t, Options{}, nil)
	m := r.measured(func(ctx context.Context, url string) egress.Result {
		if url == hangURL && hangs {
			return answered(ctx, time.Hour, http.StatusOK)
		}
		return answered(ctx, 20*time.Millisecond, http.StatusOK)
	})
	r.store.Change(func() {
		r.store.Took["Ingest"], r.store.Took["Settle"] = 2*time.Millisecond, 2*time.Millisecond
		r.store.Took["Claim"] = 5 * time.Millisecond
	})
	webhooks := []delivery.Webhook{r.webhook(hangURL)}
	for i := range 99 {
		webhooks = append(webhooks, r.webhook(fmt.Sprintf("https://ok-%d.example/", i)))
	}
	stop := r.start()
	came := make(map[string]time.Time)
	began, tick := time.Now(), time.NewTicker(10*time.Millisecond)
	for i := range faults.Rounds(20, 300) * 100 {
		at := time.Now()
		for _, id := range r.ingest(1, webhooks[i%20*5:i%20*5+5]...) {
			came[id.String()] = at
		}
		<-tick.C
	}
	tick.Stop()
	time.Sleep(time.Minute)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for _, c := range m.calls {
		if c.url != hangURL {
			took = append(took, c.end.Sub(came[c.id]))
		}
	}
	slices.Sort(took)
	if want := len(came) * 99 / 100; len(took) != want {
		t.Errorf("%d calls to the others since %s, want %d", len(took), began, want)
	}
	return took[len(took)*99/100], len(came)
}
