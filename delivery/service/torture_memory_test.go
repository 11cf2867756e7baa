package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/egress"
	"portalhooks/test/faults"
)

// A backlog is as deep as can be and takes no memory itself: each claim gets as
// many deliveries as it asks for.
func (r *rig) backlog(depth int, webhooks []delivery.Webhook) (left *atomic.Int64) {
	left = new(atomic.Int64)
	left.Store(int64(depth))
	sample := r.event(webhooks[0])
	sample.Event.Variables = json.RawMessage(`{"alert_information":"` + fmt.Sprintf("%01000d", 7) + `"}`)
	r.store.Change(func() {
		r.store.Supply = func(c delivery.ClaimRequest) []delivery.Job {
			var jobs []delivery.Job
			for i := 0; len(jobs) < c.N && left.Load() > 0 && i < len(webhooks); i++ {
				w := webhooks[(i+int(left.Load()))%len(webhooks)]
				share := min(c.PerWebhook, max(1, c.N/len(webhooks)))
				if limit, limited := c.Limits[w.ID]; limited {
					share = min(share, limit)
				}
				for range share {
					if len(jobs) == c.N || left.Load() == 0 {
						break
					}
					left.Add(-1)
					d := delivery.Delivery{
						ID: delivery.DeliveryID(r.ids.Next()), Org: w.Org, Webhook: w.ID, Version: w.Version.ID,
						Event: sample.Event.ID, Type: w.Version.Type, Trigger: delivery.ByEvent, State: delivery.Sending,
					}
					e := sample.Event
					e.Variables = append(json.RawMessage(nil), e.Variables...) // as a database returns it
					jobs = append(jobs, delivery.Job{Delivery: d, Event: e, Owner: c.Owner})
				}
			}
			return jobs
		}
	})
	return left
}

// A million deliveries wait. What this process holds of them is what it may
// hold, no more than with a few thousand.
func TestTortureMemoryOfABacklog(t *testing.T) {
	const most = 32 << 20
	for _, depth := range []int{5_000, faults.Rounds(25_000, 1_000_000)} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Options{}, nil)
			r.post = func(ctx context.Context, _ egress.Request) egress.Result {
				return answered(ctx, 10*time.Millisecond, http.StatusOK)
			}
			var webhooks []delivery.Webhook
			for i := range 16 {
				webhooks = append(webhooks, r.webhook(fmt.Sprintf("https://ok-%d.example/", i)))
			}
			before := inUse()
			left := r.backlog(depth, webhooks)
			stop := r.start()
			held, used := 0, int64(0)
			for rounds := 0; left.Load() > 0; rounds++ {
				time.Sleep(103 * time.Millisecond)
				held = max(held, r.pipeline.Dispatcher.Held())
				if rounds%8 == 0 {
					used = max(used, inUse()-before)
				}
			}
			if held > r.opts.Memory || held == 0 {
				t.Errorf("%d deliveries in memory, want at most %d", held, r.opts.Memory)
			}
			if used > most {
				t.Errorf("%d MiB in use with %d deliveries waiting, want at most %d", used>>20, depth, most>>20)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			faults.Result{
				Fault: fmt.Sprintf("a backlog of %d", depth), Rounds: depth,
				Note: fmt.Sprintf("the engine uses %.1f MiB more, holds %d of them at most", mib(used), held),
			}.Report(t)
		})
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// A thousand subscribers follow the log, and most of them read slowly or not at all.
// They share what they have not read yet.
func TestTortureMemoryOfSlowSubscribers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const most = 96 << 20
		subscribers, n := faults.Rounds(200, 1000), faults.Rounds(5_000, 30_000)
		r := newRig(t, Options{}, nil)
		m := r.measured(func(context.Context, string) egress.Result {
			return egress.Result{
				Outcome: egress.Success, Status: 200, Body: bytes.Repeat([]byte("x"), egress.MaxBody),
				BodyBytes: egress.MaxBody,
			}
		})
		w := r.webhook(okURL)
		stop := r.start()
		synctest.Wait()
		var ends []func()
		var slow []<-chan delivery.LogItem
		for range subscribers {
			items, end := r.watch(delivery.WatchInput{Org: 1})
			<-items // a heartbeat
			slow, ends = append(slow, items), append(ends, end)
		}
		synctest.Wait()
		before, most1 := inUse(), int64(0)
		for i := range n / 500 {
			ids := r.ingest(500, w)
			time.Sleep(2 * time.Second)
			// The store is not what is measured.
			r.store.Change(func() { r.forgetDelivered(ids) })
			m.mu.Lock()
			m.calls = nil
			clear(m.times)
			m.mu.Unlock()
			for j := 0; j < subscribers/10; j++ { // some read a little
				<-slow[(j*10+i)%subscribers]
			}
			most1 = max(most1, inUse()-before)
		}
		if most1 > most {
			t.Errorf("%d MiB in use for %d subscribers, want at most %d", most1>>20, subscribers, most>>20)
		}
		for _, end := range ends {
			end()
		}
		synctest.Wait()
		if left := r.pipeline.Publisher.Subscribers(); left != 0 {
			t.Errorf("%d subscribers are left", left)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		faults.Result{
			Fault: fmt.Sprintf("%d subscribers that read slowly", subscribers), Rounds: n,
			Note: fmt.Sprintf("%.1f MiB more while %d entries with 16 KiB answers pass", mib(most1), n),
		}.Report(t)
	})
}

// forgetDelivered takes deliveries out of the store but for what the log needs
// to be followed.
func (r *rig) forgetDelivered([]delivery.DeliveryID) {
	r.store.ForgetEvents()
	if keep := 10_000; len(r.store.LogRows) > keep {
		r.store.LogRows = append([]delivery.LogEntry(nil), r.store.LogRows[len(r.store.LogRows)-keep:]...)
	}
	for i := range r.store.LogRows[:max(0, len(r.store.LogRows)-1000)] {
		if a := r.store.LogRows[i].Attempt; a != nil && a.ResponseBody != "" {
			short := *a
			short.ResponseBody = "" // the subscribers' entries have their own
			r.store.LogRows[i].Attempt = &short
		}
	}
}

// An operation on 20,000 devices comes in one report. It is expanded once, and
// stored in parts; afterwards nothing of it is left in memory but what waits
// for a worker.
func TestTortureMemoryOfALargeOperation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const most, kept = 160 << 20, 24 << 20
		r := newRig(t, Options{}, nil)
		r.webhook(okURL, bulk, func(w *delivery.Webhook) { w.Version.Selection.All = true })
		r.post = func(ctx context.Context, _ egress.Request) egress.Result {
			return answered(ctx, time.Second, http.StatusOK)
		}
		var used int64
		before := inUse()
		r.store.Change(func() {
			r.store.Fail = func(method string) error {
				if method == "Ingest" {
					used = max(used, inUse()-before)
					r.store.ForgetEvents() // the store is not what is measured
				}
				return nil
			}
		})
		stop := r.start()
		report := deliverytest.OperationOn(20_000)
		results, err := r.Ingest(t.Context(), testPortal, []delivery.Report{report})
		if err != nil || results[0].Status != delivery.Accepted {
			t.Fatalf("Ingest: %+v, %v", results[0].Errors, err)
		}
		if used > most {
			t.Errorf("%d MiB in use while it is stored, want at most %d", used>>20, most>>20)
		}
		results, report = nil, delivery.Report{}
		r.store.Change(func() {
			r.store.Reset()
		})
		left := inUse() - before
		if left > kept {
			t.Errorf("%d MiB in use afterwards, want at most %d", left>>20, kept>>20)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		faults.Result{
			Fault: "an operation on 20,000 devices in one report", Rounds: 1,
			Note: fmt.Sprintf("%.1f MiB more while it is stored, %.1f afterwards", mib(used), mib(left)),
		}.Report(t)
	})
}
