package ent

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/loop"
	"portalhooks/test/faults"
)

// TestTortureRelease holds webhooks until a large backlog waits, and releases or
// drops it while events come in and several servers, whose configuration is up to
// a second old, claim and settle. Holds and releases follow each other, and the
// servers that recall die again and again. Nothing that is acknowledged is lost or
// sent twice, nothing is sent that was dropped, an ordered webhook keeps its order,
// and nothing stays held.
func TestTortureRelease(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		r := newRelease(t, s)
		backlog := backlogSize()
		r.set(r.plain, hold)
		r.set(r.ordered, hold)
		r.set(r.doomed, hold)
		for n := 0; n < backlog; {
			n += r.ingest(1000)
		}

		ctx, stop := context.WithCancel(t.Context())
		var servers, reporter sync.WaitGroup
		for i := range 3 {
			servers.Go(func() { r.serve(ctx, fmt.Sprint("server ", i)) })
		}
		servers.Go(func() { r.recall(ctx) })
		var over atomic.Bool
		var latencies []time.Duration
		reporter.Go(func() {
			ticks := time.NewTicker(time.Second / releaseRate)
			defer ticks.Stop()
			for range ticks.C {
				if over.Load() {
					return
				}
				began := time.Now()
				r.ingest(1)
				latencies = append(latencies, time.Since(began))
			}
		})
		before := r.acknowledged(r.doomed)
		r.set(r.doomed, drop)
		dropped := r.acknowledged(r.doomed)
		either := dropped[len(before):] // acknowledged while the drop was decided
		dropped = dropped[:len(before)]
		for range 8 {
			for _, w := range []*delivery.Webhook{r.plain, r.ordered} {
				r.set(w, enable)
				loop.Sleep(ctx, time.Duration(rand.IntN(400))*time.Millisecond)
				r.set(w, hold)
			}
		}
		r.set(r.plain, enable)
		r.set(r.ordered, enable)
		released := r.released()
		r.settled(1000) // what comes in is not behind the backlog
		over.Store(true)
		reporter.Wait()
		r.settled(0)
		stop()
		servers.Wait()

		result := r.judge(dropped, either)
		result.Fault, result.Database = "hold, release and drop of a large backlog under load", s.db.String()
		result.Rounds, result.Recovery = backlog, released
		result.Note = fmt.Sprintf("recovery: until nothing is held; %d events at up to %d a second meanwhile, p99 "+
			"of their commit %d ms; the ordered webhook's %d in order", len(latencies), releaseRate,
			percentile(latencies, 99).Milliseconds(), len(r.sent[r.ordered.ID]))
		result.Report(t)
	})
}

// releaseRate is how many events a second come in during a release.
const releaseRate = 300

// depthPause is the time between two looks at the whole queue, which cost much
// when it is long.
const depthPause = 250 * time.Millisecond

// backlogSize is how many deliveries wait; TORTURE_BACKLOG sets another number.
func backlogSize() int {
	if n, err := strconv.Atoi(os.Getenv("TORTURE_BACKLOG")); err == nil {
		return n
	}
	return faults.Rounds(20_000, 1_000_000)
}

// A release is a store with three webhooks that are held and released.
type release struct {
	t                      *testing.T
	store                  *Store
	ids                    *delivery.IDs
	reporter               delivery.Owner
	org                    delivery.OrgID
	plain, ordered, doomed *delivery.Webhook

	mu   sync.Mutex
	acks map[delivery.WebhookID][]delivery.DeliveryID
	sent map[delivery.WebhookID][]delivery.DeliveryID
}

func newRelease(t *testing.T, s *Store) *release {
	t.Helper()
	r := &release{
		t: t, store: s, acks: map[delivery.WebhookID][]delivery.DeliveryID{},
		sent: map[delivery.WebhookID][]delivery.DeliveryID{},
	}
	var err error
	if r.reporter, err = s.Join(t.Context(), "reporter", time.Hour); err != nil {
		t.Fatal(err)
	}
	r.ids = delivery.NewIDs(r.reporter.Slot)
	orgs, err := s.RegisterOrganizations(t.Context(), []delivery.Organization{
		{ID: delivery.OrgID(r.ids.Next()), ExternalID: "acme", Name: "Acme", CreatedAt: time.Now()},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.org = orgs[0].ID
	r.plain, r.ordered, r.doomed = r.webhook(false), r.webhook(true), r.webhook(false)
	return r
}

func (r *release) webhook(ordered bool) *delivery.Webhook {
	r.t.Helper()
	id := delivery.WebhookID(r.ids.Next())
	w := delivery.Webhook{
		ID: id, Org: r.org, Name: id.String(), Status: delivery.Enabled,
		Version: delivery.WebhookVersion{
			ID: delivery.VersionID(r.ids.Next()), Org: r.org, Webhook: id, Number: 1, Name: id.String(),
			Type: delivery.ActiveAlert, Target: "https://example.com/" + id.String(), Template: "{}",
			Selection: delivery.Selection{All: true}, Policy: delivery.Policy{Ordered: ordered}, Listening: true,
			Fingerprint: id.String(),
		},
	}
	if err := r.store.CreateWebhook(r.t.Context(), w, r.entry()); err != nil {
		r.t.Fatal(err)
	}
	return &w
}

func (r *release) entry() delivery.AuditEntry {
	return delivery.AuditEntry{ID: delivery.AuditID(r.ids.Next()), Org: r.org, At: time.Now()}
}

func hold(w *delivery.Webhook)   { w.Status, w.Holding = delivery.Disabled, true }
func enable(w *delivery.Webhook) { w.Status, w.Holding = delivery.Enabled, false }
func drop(w *delivery.Webhook) {
	enable(w)
	w.CancelBefore = w.Version.Number
}

// set decides: it does not recall.
func (r *release) set(w *delivery.Webhook, change func(*delivery.Webhook)) {
	number := w.Version.Number
	w.Version.ID, w.Version.Number = delivery.VersionID(r.ids.Next()), number+1
	change(w)
	if err := r.store.UpdateWebhook(r.t.Context(), *w, number, r.entry()); err != nil {
		r.t.Errorf("UpdateWebhook: %v", err)
	}
}

// ingest reports n events as the pipeline does, and returns n.
func (r *release) ingest(n int) int {
	for {
		org, webhooks, err := r.store.Config(r.t.Context(), r.org)
		if err != nil {
			r.t.Errorf("Config: %v", err)
			return n
		}
		in := delivery.Ingest{Org: r.org, ConfigVersion: org.ConfigVersion}
		for range n {
			in.Events = append(in.Events, r.event(webhooks))
		}
		got, err := r.store.Ingest(r.t.Context(), r.reporter, time.Hour, []delivery.Ingest{in})
		if err != nil {
			r.t.Errorf("Ingest: %v", err)
			return n
		}
		if got[0].Stale {
			continue
		}
		r.mu.Lock()
		for _, e := range in.Events {
			for _, d := range e.Deliveries {
				r.acks[d.Webhook] = append(r.acks[d.Webhook], d.ID)
			}
		}
		r.mu.Unlock()
		return n
	}
}

// event returns an event with a delivery to each webhook; every tenth one alone
// goes to those that are ordered or doomed.
func (r *release) event(webhooks []delivery.Webhook) delivery.NewEvent {
	e := delivery.Event{
		ID: delivery.EventID(r.ids.Next()), Org: r.org, Type: delivery.ActiveAlert, OccurredAt: time.Now(),
		Variables: []byte("{}"),
	}
	made := delivery.NewEvent{Event: e, Key: e.ID.String()}
	for _, w := range webhooks {
		if w.ID != r.plain.ID && r.ids.Next()%10 != 0 {
			continue
		}
		d := delivery.Delivery{
			ID: delivery.DeliveryID(r.ids.Next()), Org: r.org, Webhook: w.ID, Version: w.Version.ID, Event: e.ID,
			Type: e.Type, Trigger: delivery.ByEvent, State: delivery.Queued, Ordered: w.Version.Policy.Ordered,
		}
		if w.Status != delivery.Enabled {
			d.State = delivery.Held
		}
		made.Deliveries = append(made.Deliveries, d)
	}
	return made
}

// serve claims and settles as a server does that reads the configuration once in a
// while.
func (r *release) serve(ctx context.Context, name string) {
	owner, err := r.store.Join(r.t.Context(), name, time.Hour)
	if err != nil {
		r.t.Errorf("Join: %v", err)
		return
	}
	log := delivery.NewIDs(owner.Slot)
	var known map[delivery.WebhookID]delivery.Webhook
	var read time.Time
	for ctx.Err() == nil {
		if time.Since(read) > time.Duration(rand.IntN(1000))*time.Millisecond {
			known, read = r.configuration(), time.Now()
		}
		jobs, err := r.store.Claim(r.t.Context(), delivery.ClaimRequest{
			Owner: owner, N: 500, PerWebhook: 250, Lease: time.Hour,
		})
		if err != nil {
			r.t.Errorf("Claim: %v", err)
			return
		}
		if len(jobs) == 0 {
			loop.Sleep(ctx, 2*time.Millisecond)
		}
		r.work(owner, log, known, jobs)
	}
}

func (r *release) configuration() map[delivery.WebhookID]delivery.Webhook {
	_, webhooks, err := r.store.Config(r.t.Context(), r.org)
	if err != nil {
		r.t.Errorf("Config: %v", err)
	}
	known := map[delivery.WebhookID]delivery.Webhook{}
	for _, w := range webhooks {
		known[w.ID] = w
	}
	return known
}

// work sends, holds or cancels jobs. Behind an ordered one that is held the others
// return to the queue.
func (r *release) work(
	owner delivery.Owner, log *delivery.IDs, known map[delivery.WebhookID]delivery.Webhook, jobs []delivery.Job,
) {
	var batch []delivery.Settlement
	var back []delivery.DeliveryID
	blocked := map[delivery.WebhookID]bool{}
	for i := range jobs {
		j := &jobs[i]
		d := j.Delivery
		w := known[d.Webhook]
		if w.Version.Number < j.WebhookVersion { // it is out of date, and told so
			maps.Copy(known, r.configuration())
			w = known[d.Webhook]
		}
		set := delivery.Settlement{Owner: owner, Before: d.Attempts}
		switch {
		case blocked[d.Webhook]:
			back = append(back, d.ID)
			continue
		case j.Cancel, w.Disposition(j.WebhookVersion) == delivery.ToCancel:
			d.State = delivery.Canceled
		case j.Hold, w.Holding:
			d.State = delivery.Held
			blocked[d.Webhook] = d.Ordered && !j.Hold
		default:
			d.State, d.Attempts = delivery.Delivered, 1
			r.mu.Lock()
			r.sent[d.Webhook] = append(r.sent[d.Webhook], d.ID)
			r.mu.Unlock()
		}
		set.Entry = delivery.LogEntry{ID: delivery.LogID(log.Next()), At: time.Now(), Delivery: d}
		if d.State == delivery.Delivered {
			set.Entry.Attempt = &delivery.Attempt{Number: 1, StartedAt: time.Now(), Outcome: egress.Success}
		}
		batch = append(batch, set)
	}
	if _, err := r.store.Settle(r.t.Context(), batch); err != nil {
		r.t.Errorf("Settle: %v", err)
	}
	if len(back) > 0 {
		if _, err := r.store.Release(r.t.Context(), owner, back, 0); err != nil {
			r.t.Errorf("Release: %v", err)
		}
	}
}

// recall recalls what is to be, as one server after the other does that dies
// after a while.
func (r *release) recall(ctx context.Context) {
	for loop.Sleep(ctx, 20*time.Millisecond) {
		found, _, err := r.store.Unrecalled(r.t.Context(), 0, 100)
		if err != nil {
			r.t.Errorf("Unrecalled: %v", err)
			return
		}
		for _, id := range found {
			var got delivery.Recalled
			for portions := rand.IntN(20); !got.Done && portions > 0 && err == nil; portions-- {
				got, err = r.store.Recall(r.t.Context(), id, got.Next, 2000)
			}
			if err != nil {
				r.t.Errorf("Recall: %v", err)
			}
		}
	}
}

func (r *release) acknowledged(w *delivery.Webhook) []delivery.DeliveryID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.acks[w.ID])
}

// released waits until nothing is held, and returns how long that took.
func (r *release) released() time.Duration {
	began := time.Now()
	for loop.Sleep(r.t.Context(), depthPause) {
		depth, err := r.store.Depth(r.t.Context())
		if err != nil {
			r.t.Errorf("Depth: %v", err)
		}
		if depth.Held == 0 {
			break
		}
	}
	return time.Since(began)
}

// settled waits until no more than n deliveries are left. It gives up when their
// number has not fallen for a while, however long the whole takes.
func (r *release) settled(n int) {
	r.t.Helper()
	least, fell := math.MaxInt, time.Now()
	for loop.Sleep(r.t.Context(), depthPause) {
		depth, err := r.store.Depth(r.t.Context())
		if err != nil {
			r.t.Errorf("Depth: %v", err)
			return
		}
		left := depth.Pending + depth.Leased + depth.Held
		if left <= n {
			return
		}
		if left < least {
			least, fell = left, time.Now()
		}
		if time.Since(fell) > 2*time.Minute {
			r.t.Errorf("%d deliveries are left and become no fewer: %+v", left, depth)
			return
		}
	}
}

// judge compares what was sent with what was acknowledged. Dropped are those that
// were pending when their webhook dropped what was; either may have been.
func (r *release) judge(dropped, either []delivery.DeliveryID) (result faults.Result) {
	doomed := map[delivery.DeliveryID]bool{}
	for _, id := range dropped {
		doomed[id] = true
	}
	for _, w := range []*delivery.Webhook{r.plain, r.ordered, r.doomed} {
		calls := map[delivery.DeliveryID]int{}
		for _, id := range r.sent[w.ID] {
			calls[id]++
			result.Duplicated += min(calls[id]-1, 1)
			if doomed[id] {
				r.t.Errorf("%s was sent although it had been dropped", id)
			}
		}
		for _, id := range r.acks[w.ID] {
			if calls[id] == 0 && !doomed[id] && !slices.Contains(either, id) {
				result.Lost++
			}
		}
	}
	if line := r.sent[r.ordered.ID]; !slices.IsSorted(line) {
		r.t.Errorf("the ordered webhook got its %d deliveries out of order", len(line))
	}
	if result.Lost > 0 || result.Duplicated > 0 {
		r.t.Errorf("%d deliveries were lost and %d sent twice", result.Lost, result.Duplicated)
	}
	return result
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[len(all)*p/100]
}
