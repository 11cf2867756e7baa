package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/feed"
	"portalhooks/delivery/loop"
	"portalhooks/delivery/seal"
	"portalhooks/test/harness"
)

// moment is the pause between two polls.
const moment = 10 * time.Millisecond

// A subscriber sees every entry of the log once, in the order of the cursors,
// although its socket is dropped all the time, notifications are lost and one of the
// servers is restarted. On SQLite there is one server, which stays.
func TestTortureTheDeliveryLogMissesNothing(t *testing.T) {
	t.Parallel()
	updates := Rounds(1_000, 10_000)
	for name, database := range harness.APIDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &audience{database: database(t)}
			first := harness.StartAPI(t, w.database)
			second := first
			if w.replicas = strings.HasPrefix(w.database, "postgres"); w.replicas {
				second = harness.StartApp(t, first.Settings)
			}
			var err error
			if w.keys, err = first.Settings.Keyring(); err != nil {
				t.Fatal(err)
			}
			w.Pair = harness.PairOf(t, first, second)
			w.key = first.Key(t, delivery.KeyRole("viewer"), "pair")
			w.run(t, updates).check(t, updates)
		})
	}
}

// An audience is one or two servers, their subscribers, and what these saw.
type audience struct {
	*harness.Pair

	database  string
	key       string
	keys      *seal.Keyring // of the cursors
	replicas  bool          // whether there are two
	followers []*follower
	serving   [2]atomic.Pointer[harness.APIServer]
	end       atomic.Pointer[feed.Vector] // the end that every subscriber has to reach, once it is known
	log       []delivery.LogEntry         // all of it, read at the end
}

// run does everything at once and returns when every subscriber has seen it.
func (w *audience) run(t *testing.T, updates int) *audience {
	ctx, stop := context.WithTimeout(t.Context(), 4*harness.Patience)
	defer stop()
	for i := range w.serving {
		w.serving[i].Store(w.Servers[i])
	}
	start := harness.LogStart()
	var watching, cutting, reporting sync.WaitGroup
	for _, f := range []*follower{
		{name: "everything, dropped", drops: true},
		{name: "everything", server: 1},
		{name: "successes, dropped", drops: true, server: 1, states: []delivery.State{delivery.Delivered}},
		{name: "failures", states: []delivery.State{delivery.Failed, delivery.Retrying}},
	} {
		f.w, f.cursor = w, start
		w.followers = append(w.followers, f)
		watching.Go(func() { f.follow(ctx, t) })
	}
	cuts, uncut := context.WithCancel(ctx)
	defer cutting.Wait()
	defer uncut()
	if w.replicas {
		cutting.Go(func() { harness.CutLinks(cuts, t, w.database) })
	}
	reporting.Go(func() { w.reports(ctx, t, 0, "first", updates/2) })
	w.reports(ctx, t, 1, "before", updates/4)
	if w.replicas {
		w.serving[1].Load().Stop()
		w.serving[1].Store(harness.StartApp(t, w.serving[0].Load().Settings))
	}
	w.reports(ctx, t, 1, "after", updates-updates/2-updates/4)
	reporting.Wait()
	end := w.readLog(ctx, t, updates)
	w.end.Store(&end)
	w.reports(ctx, t, 0, "last", 1) // shows its cursor to the subscribers that wait
	watching.Wait()
	w.readLog(ctx, t, updates)
	return w
}

// reports submits alerts to one of the servers, some at a time.
func (w *audience) reports(ctx context.Context, t *testing.T, server int, name string, n int) {
	portal := delivery.Caller{Name: "portal", Portal: true}
	const most = 20
	for from := 0; from < n; from += most {
		var batch []delivery.Report
		for i := from; i < min(from+most, n); i++ {
			batch = append(batch, delivery.Report{
				OrganizationID: "pair", SourceEventID: fmt.Sprintf("%s-%d", name, i),
				ActiveAlert: &delivery.ActiveAlertReport{Alert: delivery.ReportedAlert{
					ID: "disk", Name: "Low disk", Start: time.Now(), Element: fmt.Sprint(i),
				}},
			})
		}
		if _, err := w.serving[server].Load().Service.Ingest(ctx, portal, batch); err != nil {
			t.Errorf("report %s: %v", name, err)
			return
		}
	}
}

// readLog reads the log until it has as many deliveries that are delivered, and
// returns where it ends.
func (w *audience) readLog(ctx context.Context, t *testing.T, deliveries int) feed.Vector {
	seen, end := map[int]delivery.LogID{}, feed.Vector{}
	w.log = nil
	delivered := map[delivery.DeliveryID]bool{}
	for ctx.Err() == nil {
		page, err := w.serving[0].Load().Store.Follow(ctx, seen, 1_000)
		if err != nil {
			t.Error(err)
			break
		}
		for _, e := range page {
			slot := delivery.IDSlot(e.ID)
			seen[slot], end[slot] = e.ID, int64(e.ID)
			if e.Delivery.State == delivery.Delivered {
				delivered[e.Delivery.ID] = true
			}
		}
		w.log = append(w.log, page...)
		if len(page) == 0 && len(delivered) >= deliveries {
			break
		}
		if len(page) == 0 {
			_ = loop.Sleep(ctx, moment)
		}
	}
	return end
}

// check compares what everybody saw with the log.
func (w *audience) check(t *testing.T, updates int) {
	kind, fault := "sqlite", "a subscriber's socket is dropped again and again"
	if w.replicas {
		kind, fault = "postgres", fault+", NOTIFY is lost, a server restarts"
	}
	result := Result{Fault: fault, Database: kind, Rounds: updates}
	sockets := 0
	for _, f := range w.followers {
		lost, again := f.judge(t)
		result.Lost += lost
		result.Duplicated += again
		sockets += f.sockets
	}
	result.Note = fmt.Sprintf("%d entries, %d subscribers on %d sockets", len(w.log), len(w.followers), sockets)
	if r := result.Report(t); r.Lost > 0 || r.Duplicated > 0 {
		t.Errorf("%d entries were missed and %d came twice", r.Lost, r.Duplicated)
	}
}
