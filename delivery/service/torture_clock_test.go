package service

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/test/faults"
)

// Ids stay unique, and grow, although the clock was a day ahead when the first
// of them were made and many ask for them at once.
func TestTortureIDsWhenTheClockGoesBack(t *testing.T) {
	const each = 20_000
	for _, ahead := range []time.Duration{time.Minute, 24 * time.Hour, 400 * 24 * time.Hour} {
		ids := delivery.NewIDs(5)
		ids.Follow(int64(delivery.IDAt[delivery.LogID](time.Now().Add(ahead))) | 1<<delivery.SeqBits - 1)
		var mu sync.Mutex
		var all []int64
		var makers sync.WaitGroup
		for range 8 {
			makers.Go(func() {
				mine := make([]int64, each)
				for i := range mine {
					mine[i] = ids.Next()
				}
				if !slices.IsSorted(mine) {
					t.Error("an id is less than the one before")
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, mine...)
			})
		}
		makers.Wait()
		slices.Sort(all)
		if n := len(slices.Compact(all)); n != 8*each {
			t.Errorf("%d ids of %d are unique", n, 8*each)
		}
		// They run ahead of the clock by as much as it was set back and no more.
		last := delivery.IDTime(delivery.DeliveryID(all[len(all)-1]))
		if drift := time.Until(last) - ahead; drift > time.Second {
			t.Errorf("the latest id is %s ahead of the clock that was set back", drift)
		}
		if slot := delivery.IDSlot(delivery.DeliveryID(all[0])); slot != 5 {
			t.Errorf("the slot is %d, want 5", slot)
		}
		faults.Result{
			Fault: "the clock is set back by " + ahead.String(), Rounds: 8 * each, Note: "ids unique and growing",
		}.Report(t)
	}
}

// A clockJump moves the database's clock while deliveries wait, retry and are
// sent.
type clockJump struct {
	by time.Duration
}

// Whatever the clock does, later deliveries are sent at once, nothing is lost, no
// more calls are in flight than allowed, and no receiver is flooded.
func TestTortureClockJumps(t *testing.T) {
	for _, by := range []time.Duration{
		-30 * time.Second, 30 * time.Second, time.Hour, 6 * time.Hour, 3 * 24 * time.Hour,
	} {
		bubble(t, clockJump{by}.test)
	}
}

func (j clockJump) test(t *testing.T) {
	r := newRig(t, Options{}, nil)
	var works atomic.Bool
	m := r.measured(func(ctx context.Context, url string) egress.Result {
		if url == badURL && !works.Load() {
			return answered(ctx, 20*time.Millisecond, http.StatusForbidden) // no breaker for that
		}
		return answered(ctx, 200*time.Millisecond, http.StatusOK)
	})
	w, bad := r.webhook(okURL), r.webhook(badURL)
	stop := r.start()
	n := faults.Rounds(200, 2000)
	retried := r.ingest(n, bad)
	for r.attempted(retried) < n {
		time.Sleep(100 * time.Millisecond)
	}
	flight := r.ingest(n, w)
	time.Sleep(time.Second)
	before := time.Now()

	jumped := time.Now()
	r.store.Change(func() { r.store.Skew = j.by })
	works.Store(true)
	later := r.freshAfter(t, m, w, jumped)
	for limit := time.Now().Add(max(0, -j.by) + 10*time.Minute); r.unsettled() && time.Now().Before(limit); {
		time.Sleep(10 * time.Second)
	}
	settled := time.Since(jumped)
	r.wantStates(map[delivery.State]int{delivery.Delivered: 2*n + len(later)})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	twice := 0
	for _, id := range slices.Concat(retried, flight, later) {
		switch times := m.times[id.String()]; {
		case times == 0:
			t.Errorf("%s: %s was lost", j.by, id)
		case times > 1:
			twice += times - 1
		}
	}
	if twice > 0 {
		t.Errorf("%s: %d calls too many: leases ended that should not", j.by, twice)
	}
	if got := max(most(m.to(okURL, time.Time{})), most(m.to(badURL, time.Time{}))); got > r.opts.Concurrency {
		t.Errorf("%s: %d calls in flight to one target, want at most %d", j.by, got, r.opts.Concurrency)
	}
	earlier := func(c metered) bool { return c.at.Before(before) }
	peak, _ := busiest(slices.DeleteFunc(slices.Clone(m.calls), earlier))
	faults.Result{
		Fault: "the database's clock jumps by " + j.by.String(), Rounds: 2*n + len(later),
		Duplicated: twice,
		Note: fmt.Sprintf("new deliveries at once; what waited is done after %s; %d calls in the busiest second",
			settled.Round(time.Second), peak),
	}.Report(t)
}

// attempted counts the deliveries that have an attempt in the log.
func (r *rig) attempted(ids []delivery.DeliveryID) (n int) {
	r.store.Change(func() {
		for _, job := range r.store.Queued() {
			if job.Delivery.Attempts > 0 && slices.Contains(ids, job.Delivery.ID) {
				n++
			}
		}
	})
	return n
}

// freshAfter ingests some deliveries after a jump of the clock, to a target without
// a backlog, and checks that they are sent at once.
func (r *rig) freshAfter(
	t *testing.T, m *meter, w delivery.Webhook, jumped time.Time,
) (ids []delivery.DeliveryID) {
	t.Helper()
	fresh := r.webhook("https://fresh.example/")
	for range 20 {
		began := time.Now()
		ids = append(ids, r.ingest(1, fresh)...)
		synctest.Wait()
		calls := m.to(fresh.Version.Target, began)
		if len(calls) != 1 || !calls[0].at.Equal(began) {
			t.Errorf("%s after the jump a delivery of %s was not sent at once", time.Since(jumped), w.Name)
		}
		time.Sleep(500 * time.Millisecond)
	}
	return ids
}
