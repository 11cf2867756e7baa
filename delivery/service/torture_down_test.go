package service

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/fair"
	"portalhooks/delivery/loop"
	"portalhooks/test/faults"
)

// down is what a target that is away for days does: some calls it does not
// even take.
func down(ctx context.Context, n int) egress.Result {
	if n%2 == 0 {
		return egress.Result{Outcome: egress.ConnectError, Err: "The connection was refused."}
	}
	return answered(ctx, 30*time.Millisecond, http.StatusBadGateway)
}

// A target is down for seven days while an event comes every few hours. Each
// delivery is tried on its schedule to the end, then given up. After five days
// of nothing but failures the webhook is disabled, what is pending is canceled,
// and no call is made any more; another webhook notices nothing.
func TestTortureDownForDays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		every := time.Duration(faults.Rounds(12, 3)) * time.Hour
		r := newRig(t, Options{Poll: 10 * time.Second}, answers{badURL: down})
		bad, good := r.webhook(badURL), r.webhook(okURL)
		began := time.Now()
		r.startPart(
			r.pipeline.Dispatcher.Run, r.pipeline.Ingester.Run, r.pipeline.Settler.Run, r.pipeline.Health.Run,
			r.failingTask,
		)
		var ids, fine []delivery.DeliveryID
		for time.Since(began) < 7*24*time.Hour {
			if r.current(bad.ID).Status == delivery.Enabled {
				ids = append(ids, r.ingest(1, bad)...)
			}
			fine = append(fine, r.ingest(1, good)...)
			time.Sleep(every)
		}
		synctest.Wait()
		disabled := r.current(bad.ID)
		after := disabled.DisabledAt.Sub(began)
		if disabled.DisabledReason != delivery.DisabledAsFailing || after < 5*24*time.Hour ||
			after > 5*24*time.Hour+failingPause+time.Minute {
			t.Errorf("the webhook is %s, %q after %s, want it disabled as failing after 5 days",
				disabled.Status, disabled.DisabledReason, after)
		}
		noticed := r.notices()
		if len(noticed) != 1 {
			t.Fatalf("%d notices that the webhook fails, want one", len(noticed))
		}
		half := noticed[0].At.Sub(began)
		if half < 60*time.Hour || half > 60*time.Hour+failingPause+time.Minute {
			t.Errorf("a notice after %s, want it after two and a half days", half)
		}
		// Several wait for a breaker that lets one of them through at a time.
		ended := r.schedules(t, ids, 6*fair.BreakerWait)
		if ended[delivery.Failed] < 3 || ended[delivery.Canceled] < 3 ||
			ended[delivery.Failed]+ended[delivery.Canceled] != len(ids) {
			t.Errorf("deliveries ended %v, want the first FAILED and the others CANCELED", ended)
		}
		for _, c := range r.sentTo(badURL) {
			if c.at.Sub(began) > after+time.Minute {
				t.Fatalf("a call at %s, after the webhook was disabled", c.at)
			}
		}
		r.sentOnce(fine, r.sentTo(okURL))
		faults.Result{
			Fault: "a target is down for 7 days", Rounds: len(ids),
			Note: fmt.Sprintf("%d calls; %d deliveries FAILED at their end; notice after %.1f h, "+
				"disabled after %.1f h, %d CANCELED", len(r.sentTo(badURL)), ended[delivery.Failed], half.Hours(), after.Hours(), ended[delivery.Canceled]),
		}.Report(t)
	})
}

// failingTask is the maintenance that disables webhooks, which needs no other.
func (r *rig) failingTask(ctx context.Context) error {
	for {
		if err := r.checkFailing(ctx); err != nil && ctx.Err() == nil {
			r.t.Error(err)
		}
		if !loop.Sleep(ctx, failingPause) {
			return nil
		}
	}
}

// One delivery alone meets no breaker: it is tried exactly on the schedule.
func TestTortureScheduleToItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Poll: 10 * time.Second}, answers{badURL: status(http.StatusServiceUnavailable)})
		w := r.webhook(badURL)
		began := time.Now()
		r.startPart(r.pipeline.Dispatcher.Run, r.pipeline.Ingester.Run, r.pipeline.Settler.Run)
		ids := r.ingest(1, w)
		for r.unsettled() {
			time.Sleep(time.Hour)
		}
		if ended := r.schedules(t, ids, r.opts.Poll); ended[delivery.Failed] != 1 {
			t.Errorf("the delivery ended %v, want FAILED", ended)
		}
		faults.Result{
			Fault: "a target that never works, one delivery", Rounds: 1,
			Note: fmt.Sprintf("%d attempts, each pause within a fifth of its step and one poll; FAILED after %.1f h",
				len(r.sent()), r.sent()[len(r.sent())-1].at.Sub(began).Hours()),
		}.Report(t)
	})
}

// schedules checks that each pause between two attempts is the one of the
// schedule, give or take a fifth, and late at the most by what waits for a
// claim or a breaker. It counts the states that the deliveries ended with.
func (r *rig) schedules(t *testing.T, ids []delivery.DeliveryID, late time.Duration) map[delivery.State]int {
	t.Helper()
	ended := make(map[delivery.State]int)
	for _, id := range ids {
		log := r.entries(id)
		if len(log) == 0 {
			t.Errorf("%s has no log", id)
			continue
		}
		last := log[len(log)-1]
		ended[last.Delivery.State]++
		tries := slices.DeleteFunc(log, func(e delivery.LogEntry) bool { return e.Attempt == nil })
		if last.Delivery.State == delivery.Failed && len(tries) != len(delivery.DefaultSchedule)+1 {
			t.Errorf("%s was given up after %d attempts, want %d", id, len(tries), len(delivery.DefaultSchedule)+1)
		}
		for i := range max(0, len(tries)-1) { // one that was canceled may have none
			pause, want := tries[i+1].Attempt.StartedAt.Sub(tries[i].Attempt.StartedAt), delivery.DefaultSchedule[i]
			if pause < want*8/10 || pause > want*12/10+late {
				t.Errorf("%s: pause %d was %s, want %s give or take a fifth", id, i+1, pause, want)
			}
		}
	}
	return ended
}
