package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portalhooks/delivery"
)

// Model calls an empty store at random, as several servers, reporters, admins
// and readers do, and compares it with a model: the state of each delivery, who
// may lease it, which lists it is in and its entries in the log. It makes the
// given number of runs, each of the given number of parts of about thirty
// commands, and returns the number of commands.
//
// Rapid shrinks a run that fails, and prints how to repeat it: with
// -rapid.failfile and the file that it has written, or with -rapid.seed.
func Model(t *testing.T, store delivery.Store, runs, parts int) (commands int) {
	t.Helper()
	if _, err := store.Join(t.Context(), "observer", longLease); err != nil {
		t.Fatal(err)
	}
	// The runs share their sources of ids: two runs that start within a millisecond
	// must not make the same ids.
	ids, logs := delivery.NewIDs(0), map[int]*delivery.IDs{}
	var before *world
	done, failed := 0, false
	for done < runs && !t.Failed() {
		rapid.Check(t, func(rt *rapid.T) {
			// A run that has failed is repeated while rapid shrinks it.
			if done++; done > runs && !failed {
				return
			}
			over := false
			defer func() { failed = failed || !over }()
			if before != nil {
				before.empty(rt)
			}
			w := newWorld(t.Context(), rt, store, ids, logs)
			before = w
			for range parts {
				rt.Repeat(w.actions(&commands))
			}
			w.finish(rt)
			over = true
		})
	}
	return commands
}

// A world is a store and its model.
type world struct {
	ctx   context.Context
	store delivery.Store
	ids   *delivery.IDs
	logs  map[int]*delivery.IDs // by slot: the server that writes an entry makes its id

	servers  []delivery.Owner // whose lease lasts
	orgs     []*organization
	webhooks []*webhook
	facts    map[delivery.EventID]*fact
	rows     map[delivery.DeliveryID]*row
	jobs     []delivery.Job // all that were ever claimed
	log      []delivery.LogEntry
	seen     map[int]delivery.LogID // where the reader of the log is
	read     map[delivery.LogID]bool
}

// An organization is one that is stored.
type organization struct {
	delivery.Organization
	stale int64 // an older ConfigVersion
}

// A webhook is one that is stored. Disabled without holding, it gets no deliveries.
type webhook struct {
	delivery.Webhook
	first     delivery.VersionID
	reordered bool                    // its order has changed, and not all deliveries are recalled since
	at        delivery.RecallPosition // of the recall that is going on
}

func (h *webhook) ordered() bool { return h.Version.Policy.Ordered }

// blocked reports whether none of its deliveries may be leased.
func (h *webhook) blocked() bool { return h.reordered && h.ordered() && !h.Version.Deleted }

// A fact is an event that is stored.
type fact struct {
	delivery.NewEvent
	gone bool
}

// A row is a delivery, pending or final.
type row struct {
	mark

	d       delivery.Delivery // its State is valid when it is final
	event   *fact
	owner   delivery.Owner
	since   int  // the number of its webhook's version when it was stored
	leased  bool // to owner, by a lease that has not ended
	unsure  bool // a recall that did not end may have set cancel
	outcome delivery.Outcome
	status  int
}

// A mark is what recalls change of a row.
type mark struct {
	held, ordered bool
	later         bool // due in an hour
	cancel        bool // no retry waits any more
}

func (r *row) pending() bool { return !r.d.State.Final() }

func (r *row) due() bool { return r.pending() && !r.held && !r.leased && !r.later }

// state returns the state that readers see.
func (r *row) state() delivery.State {
	switch {
	case !r.pending():
		return r.d.State
	case r.held:
		return delivery.Held
	case r.leased:
		return delivery.Sending
	case r.d.Attempts > 0:
		return delivery.Retrying
	}
	return delivery.Queued
}

// newWorld starts with two organizations, a few webhooks and three servers.
func newWorld(
	ctx context.Context, t *rapid.T, store delivery.Store, ids *delivery.IDs, logs map[int]*delivery.IDs,
) *world {
	w := &world{
		ctx: ctx, store: store, ids: ids, logs: logs,
		facts: map[delivery.EventID]*fact{}, rows: map[delivery.DeliveryID]*row{},
		read: map[delivery.LogID]bool{},
	}
	var err error
	w.seen, err = store.Tail(ctx)
	ensure(t, "Tail", err)
	for i := range 3 {
		w.join(t, fmt.Sprint("server ", i))
	}
	for range 2 {
		name := "model " + delivery.EventID(w.ids.Next()).String()
		orgs, err := store.RegisterOrganizations(ctx, []delivery.Organization{
			{ID: delivery.OrgID(w.ids.Next()), ExternalID: name, Name: name, CreatedAt: time.Now()},
		})
		ensure(t, "LearnOrganizations", err)
		w.orgs = append(w.orgs, &organization{Organization: orgs[0]})
	}
	for _, kind := range []delivery.EventType{delivery.ActiveAlert, delivery.OperationInWorkspace} {
		w.create(t, w.orgs[0], kind, false)
		w.create(t, w.orgs[0], kind, true)
		w.create(t, w.orgs[1], kind, false)
	}
	return w
}

// actions returns the commands by name; "" is checked after each of them.
func (w *world) actions(commands *int) map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){
		"ingest": w.ingest, "report again": w.ingestKnown, "report by an old configuration": w.ingestStale,
		"claim some": w.claimSome, "claim all": w.claimAll, "settle": w.settle, "settle a test": w.settleTest,
		"release": w.release, "die": w.die, "recall": w.recall, "recall a portion": w.recallPortion,
		"reconcile": w.reconcile, "redeliver": w.redeliver, "change a webhook": w.change,
		"delete a webhook": w.remove, "discard": w.discard,
		"list": w.list, "list events": w.listEvents, "follow": w.follow,
	}
	for name, do := range actions {
		actions[name] = func(t *rapid.T) {
			*commands++
			do(t)
		}
	}
	actions[""] = w.check
	return actions
}

func ensure(t *rapid.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (w *world) join(t *rapid.T, name string) {
	owner, err := w.store.Join(w.ctx, name, longLease)
	ensure(t, "Join", err)
	for _, other := range w.servers {
		if other.Slot == owner.Slot {
			t.Fatalf("two servers have the slot %d", owner.Slot)
		}
	}
	w.servers = append(w.servers, owner)
	if w.logs[owner.Slot] == nil {
		w.logs[owner.Slot] = delivery.NewIDs(owner.Slot)
	}
}

// empty removes everything from the queue before the next world begins.
func (w *world) empty(t *rapid.T) {
	for slot := range w.logs {
		_, err := w.store.Release(w.ctx, delivery.Owner{Slot: slot, Epoch: 1 << 40}, nil, 0)
		ensure(t, "Release", err)
	}
	for _, h := range w.webhooks {
		if !h.Version.Deleted {
			err := w.store.DeleteWebhook(w.ctx, h.Org, h.ID, time.Now(), "model", newEntry(w.ids, h.Org))
			ensure(t, "DeleteWebhook", err)
		}
		recallAll(w.ctx, t, w.store, h.ID)
	}
	owner := w.servers[0]
	for {
		jobs, err := w.store.Claim(w.ctx, delivery.ClaimRequest{
			Owner: owner, N: 1000, PerWebhook: 1000, Lease: longLease,
		})
		ensure(t, "Claim", err)
		if len(jobs) == 0 {
			break
		}
		batch := make([]delivery.Settlement, len(jobs))
		for i, j := range jobs {
			batch[i] = w.settlement(j, delivery.Canceled, 0)
		}
		_, err = w.store.Settle(w.ctx, batch)
		ensure(t, "Settle", err)
	}
	for _, owner := range w.servers {
		ensure(t, "Leave", w.store.Leave(w.ctx, owner))
	}
}

// finish delivers what is pending: nothing is lost, and each delivery has one
// final entry.
func (w *world) finish(t *rapid.T) {
	for _, owner := range w.servers {
		_, err := w.store.Release(w.ctx, owner, nil, 0)
		ensure(t, "Release", err)
		w.released(func(r *row) bool { return r.owner.Slot == owner.Slot && r.owner.Epoch <= owner.Epoch }, false)
	}
	// A hold ends the wait for retries.
	for _, change := range []func(*delivery.Webhook){enabled, holding, enabled} {
		for _, h := range w.webhooks {
			if !h.Version.Deleted {
				w.update(t, h, change)
			}
		}
		w.reconcile(t)
	}
	for rounds := 0; w.waiting() > 0; rounds++ {
		if rounds > 100 {
			t.Fatalf("%d deliveries are never leased", w.waiting())
		}
		jobs := w.claimed(t, delivery.ClaimRequest{
			Owner: w.servers[0], N: 1000, PerWebhook: 1000, Lease: longLease,
		}, true)
		w.settleAll(t, jobs)
	}
	w.check(t)
	w.list(t)
	w.follow(t)
	finals := map[delivery.DeliveryID]int{}
	for _, e := range w.log {
		if e.Delivery.State.Final() {
			finals[e.Delivery.ID]++
		}
	}
	for id := range w.rows {
		if finals[id] != 1 {
			t.Fatalf("%s has %d final entries, want 1", id, finals[id])
		}
	}
}

// waiting counts the pending deliveries.
func (w *world) waiting() (n int) {
	for _, r := range w.rows {
		if r.pending() {
			n++
		}
	}
	return n
}
