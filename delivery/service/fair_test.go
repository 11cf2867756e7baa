package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// bulk makes a webhook listen to operations in devices.
func bulk(w *delivery.Webhook) {
	info, _ := delivery.TypeInfoOf(delivery.OperationInWorkspace)
	w.Version.Type, w.Version.Template = info.Type, info.DefaultTemplate
}

func inOrder(w *delivery.Webhook) { w.Version.Policy.Ordered = true }

// sentTo returns the calls to one URL.
func (r *rig) sentTo(url string) []sentCall {
	return slices.DeleteFunc(r.sent(), func(c sentCall) bool { return c.url != url })
}

// atOnce returns how many calls to a URL were in flight at the most, when each
// lasts for d.
func atOnce(calls []sentCall, d time.Duration) int {
	most := 0
	for i, c := range calls {
		n := 0
		for _, earlier := range calls[:i+1] {
			if c.at.Sub(earlier.at) < d {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// Twenty thousand deliveries of other kinds wait; an alert comes. It is sent at
// once: some workers are always left for alerts.
func TestAnAlertOvertakesABulkOperation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slowly := answers{}
		r := newRig(t, Options{}, slowly)
		alert := r.webhook(okURL)
		var many []delivery.Webhook
		for i := range 20 {
			url := fmt.Sprintf("https://bulk-%d.example/", i)
			slowly[url] = slow(time.Second)
			many = append(many, r.webhook(url, bulk))
		}
		r.queued(1000, many...)
		r.start()
		time.Sleep(5 * time.Second)
		for range 10 {
			began := time.Now()
			ids := r.ingest(1, alert)
			synctest.Wait()
			calls := r.sentTo(okURL)
			last := calls[len(calls)-1]
			if last.id != ids[0].String() || !last.at.Equal(began) {
				t.Fatalf("the alert of %s was not sent at once", began)
			}
			time.Sleep(700 * time.Millisecond)
		}
		if n := len(r.sent()); n < 11*40 {
			t.Errorf("%d calls in 12 s: the others starve", n)
		}
	})
}

// An alert without a lease waits behind thousands of rows that fell due before it,
// while memory is full of them.
func TestAClaimFindsTheAlertBehindABacklog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slowly := answers{}
		r := newRig(t, Options{Memory: 1000}, slowly)
		var many []delivery.Webhook
		for i := range 20 {
			url := fmt.Sprintf("https://bulk-%d.example/", i)
			slowly[url] = slow(20 * time.Second)
			many = append(many, r.webhook(url, bulk))
		}
		alert := r.webhook(okURL)
		r.queued(200, many...)
		r.start()
		time.Sleep(5 * time.Second)
		r.queued(1, alert)
		time.Sleep(r.opts.Poll + time.Millisecond)
		if n := len(r.sentTo(okURL)); n != 1 {
			t.Errorf("%d calls for the alert within one poll, want 1", n)
		}
	})
}

func TestAWebhooksOwnConcurrency(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{okURL: slow(time.Second), hangURL: slow(time.Second)})
		few := r.webhook(okURL, func(w *delivery.Webhook) { w.Version.Policy.Concurrency = 3 })
		many := r.webhook(hangURL, func(w *delivery.Webhook) { w.Version.Policy.Concurrency = 20 })
		r.start()
		r.ingest(100, few, many)
		time.Sleep(time.Minute)
		if n := atOnce(r.sentTo(okURL), time.Second); n != 3 {
			t.Errorf("%d calls at once, want 3", n)
		}
		if n := atOnce(r.sentTo(hangURL), time.Second); n != 20 {
			t.Errorf("%d calls at once, want 20", n)
		}
		r.wantStates(map[delivery.State]int{delivery.Delivered: 200})
	})
}

// A webhook with a rate gets its calls evenly, and what waits for it holds no
// worker.
func TestAWebhooksRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{Workers: 1}, nil)
		slowly := r.webhook(okURL, func(w *delivery.Webhook) { w.Version.Policy.PerMinute = 30 })
		other := r.webhook(hangURL)
		r.start()
		ids := r.ingest(45, slowly)
		for range 10 {
			time.Sleep(time.Second)
			began := time.Now()
			r.ingest(1, other)
			synctest.Wait()
			if calls := r.sentTo(hangURL); !calls[len(calls)-1].at.Equal(began) {
				t.Fatal("a call waited for the rate of another webhook")
			}
		}
		time.Sleep(2 * time.Minute)
		calls := r.sentTo(okURL)
		r.sentOnce(ids, calls)
		for i := range calls[1:] {
			if pause := calls[i+1].at.Sub(calls[i].at); pause < 2*time.Second || pause > 2*time.Second+r.opts.Poll {
				t.Errorf("call %d came %s after the one before, want 2 s", i+2, pause)
			}
		}
	})
}

// A target fails, then recovers with a hundred thousand deliveries due: few
// attempts are made while it fails, none is used up by waiting, and afterwards
// they come up to the webhook's share and no faster.
func TestABreakerSparesATargetThatFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const down, deliveries = 10 * time.Minute, 5000
		began := time.Now()
		r := newRig(t, Options{}, answers{badURL: func(ctx context.Context, _ int) egress.Result {
			if time.Since(began) < down {
				return status(503)(ctx, 0)
			}
			return slow(10*time.Millisecond)(ctx, 0)
		}})
		w := r.webhook(badURL)
		r.start()
		r.queued(deliveries, w)
		r.pipeline.Dispatcher.Wake()
		time.Sleep(down - time.Second)
		synctest.Wait()
		if n := len(r.sent()); n < 10 || n > 10+r.opts.Concurrency+10 {
			t.Errorf("%d calls to a target that fails, want about ten and a few probes", n)
		}
		if held := r.pipeline.Dispatcher.Held(); held > r.opts.Concurrency {
			t.Errorf("%d deliveries are kept in memory for it", held)
		}
		health, err := r.WebhookHealth(t.Context(), adminOf(w.Org), []*delivery.Webhook{&w})
		if err != nil || health[0].Breaker == delivery.BreakerClosed {
			t.Errorf("the health is %+v, %v, want a breaker that is not closed", health[0], err)
		}
		if open := r.counted("breakers"); open != 1 {
			t.Errorf("%v breakers are counted, want 1", open)
		}
		time.Sleep(time.Hour)
		calls := slices.DeleteFunc(r.sent(), func(c sentCall) bool { return c.at.Sub(began) < down })
		if n := atOnce(calls, 10*time.Millisecond); n > r.opts.Concurrency {
			t.Errorf("%d calls in flight after the recovery, want at most %d", n, r.opts.Concurrency)
		}
		// One call, then two, then four: each step begins when the one before is over.
		for i, step := range []int{0, 1, 1, 2, 2, 2, 2} {
			if since := calls[i].at.Sub(calls[0].at); since < time.Duration(step)*10*time.Millisecond {
				t.Errorf("call %d came %s after the first: too early", i+1, since)
			}
		}
		r.wantStates(map[delivery.State]int{delivery.Delivered: deliveries})
		once := 0
		for _, c := range calls {
			if c.attempt == 1 {
				once++
			}
		}
		if once < deliveries-50 {
			t.Errorf("%d of %d arrived at their first attempt: waiting used up attempts", once, deliveries)
		}
	})
}

func TestADisabledWebhookDoesNotWaitForItsBreaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{badURL: status(500)})
		w := r.webhook(badURL)
		r.start()
		r.queued(1000, w)
		time.Sleep(5 * time.Second)
		current := r.current(w.ID)
		if _, err := r.SetWebhookStatus(t.Context(), adminOf(w.Org), SetStatusInput{
			ID: w.ID, Status: delivery.Disabled, ExpectedVersion: current.Version.Number,
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if left := r.states(); left[delivery.Canceled] != 1000 {
			t.Errorf("deliveries are %v, want all canceled", left)
		}
	})
}

// One of a hundred targets hangs. The others get every call at the moment of
// its event.
func TestOneOfAHundredTargetsHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{hangURL: slow(time.Hour)})
		webhooks := []delivery.Webhook{r.webhook(hangURL)}
		for i := range 99 {
			webhooks = append(webhooks, r.webhook(fmt.Sprintf("https://ok-%d.example/", i)))
		}
		r.start()
		for range 100 {
			began := time.Now()
			r.ingest(5, webhooks...)
			synctest.Wait()
			late, n := 0, 0
			for _, c := range r.sent()[max(0, len(r.sent())-600):] {
				if strings.HasPrefix(c.url, "https://ok-") && !c.at.Before(began) {
					n++
					if c.at.After(began) {
						late++
					}
				}
			}
			if n != 5*99 || late > 0 {
				t.Fatalf("%d of %d calls to the others were made, %d of them late", n, 5*99, late)
			}
			time.Sleep(time.Second)
		}
	})
}

// A failing delivery holds up those after it; all arrive in their order, one
// at a time.
func TestOrderedDeliveriesWaitForEachOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failures := 0
		r := newRig(t, Options{Poll: 10 * time.Millisecond}, answers{
			okURL: func(ctx context.Context, n int) egress.Result {
				if n%7 == 3 && failures < 20 {
					failures++
					return status(500)(ctx, n)
				}
				return slow(3*time.Millisecond)(ctx, n)
			},
		})
		w := r.webhook(okURL, inOrder, func(w *delivery.Webhook) {
			w.Version.Policy.Retry = delivery.Schedule{time.Second, time.Second}
		})
		r.start()
		var ids []delivery.DeliveryID
		for range 10 {
			ids = append(ids, r.ingestOrdered(10, w)...)
			time.Sleep(15 * time.Millisecond)
		}
		time.Sleep(5 * time.Minute)
		r.wantArrived(ids, r.sent())
		if n := atOnce(r.sent(), 3*time.Millisecond); n != 1 {
			t.Errorf("%d calls at once, want one after the other", n)
		}
		if failures < 5 {
			t.Errorf("only %d calls failed: the test proves little", failures)
		}
	})
}

// Two processes share an ordered webhook, and one of them dies.
func TestOrderHoldsAcrossProcesses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		one := newRig(t, Options{}, answers{okURL: slow(20 * time.Millisecond)})
		w := one.webhook(okURL, inOrder)
		two := rigOver(t, one.store, Options{Owner: delivery.Owner{Slot: 1, Epoch: 9}},
			answers{okURL: slow(20 * time.Millisecond)})
		stop := one.start()
		// Each has the line for itself once: one before two begins, two after one
		// has ended. In between they compete.
		ids := one.ingestOrdered(3, w)
		time.Sleep(30 * time.Millisecond)
		two.start()
		for i := range 40 {
			from := []*rig{one, two}[i%2]
			if i >= 20 {
				from = two
			}
			ids = append(ids, from.ingestOrdered(3, w)...)
			if i == 20 {
				if err := stop(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(5 * time.Minute)
		calls := append(one.sent(), two.sent()...)
		slices.SortStableFunc(calls, func(a, b sentCall) int { return a.at.Compare(b.at) })
		one.wantArrived(ids, calls)
		if n := atOnce(calls, 20*time.Millisecond); n != 1 {
			t.Errorf("%d calls at once, want one after the other", n)
		}
		if len(one.sent()) == 0 || len(two.sent()) == 0 {
			t.Error("one process did all: the test proves nothing")
		}
	})
}

func TestAnOrderedDeliveryThatIsGivenUpLetsTheNextGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{okURL: func(ctx context.Context, n int) egress.Result {
			if n < 2 {
				return status(500)(ctx, n)
			}
			return status(200)(ctx, n)
		}})
		w := r.webhook(
			okURL, inOrder, func(w *delivery.Webhook) { w.Version.Policy.Retry = delivery.Schedule{time.Minute} },
		)
		r.start()
		r.ingestOrdered(3, w)
		time.Sleep(30 * time.Second)
		if n := len(r.sent()); n != 1 {
			t.Errorf("%d calls while the first is to be retried, want 1", n)
		}
		time.Sleep(2 * time.Minute)
		r.wantStates(map[delivery.State]int{delivery.Failed: 1, delivery.Delivered: 2})
	})
}

// ingestOrdered stores n events with an ordered delivery each.
func (r *rig) ingestOrdered(n int, w delivery.Webhook) []delivery.DeliveryID {
	r.t.Helper()
	unit := delivery.Ingest{Org: r.org.ID}
	r.store.Change(func() { unit.ConfigVersion = r.store.Org(r.org.ID).ConfigVersion })
	var ids []delivery.DeliveryID
	for range n {
		e := r.event(w)
		e.Deliveries[0].Ordered = true
		ids = append(ids, e.Deliveries[0].ID)
		unit.Events = append(unit.Events, e)
	}
	if _, err := r.pipeline.Ingester.Enqueue(context.Background(), []delivery.Ingest{unit}); err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// wantArrived checks that each delivery was accepted once, in the given order.
func (r *rig) wantArrived(ids []delivery.DeliveryID, calls []sentCall) {
	r.t.Helper()
	var want, got []string
	slices.Sort(ids)
	for _, id := range ids {
		want = append(want, id.String())
	}
	for _, c := range calls {
		if c.answered {
			got = append(got, c.id)
		}
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("%d deliveries arrived in the order\n%v, want\n%v", len(got), got, want)
	}
}

func adminOf(org delivery.OrgID) delivery.Caller {
	return delivery.Caller{Name: "nora", Grants: map[delivery.OrgID]delivery.Role{org: delivery.Admin}}
}
