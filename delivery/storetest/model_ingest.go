package storetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"portalhooks/delivery"
)

// mostWaiting is the backlog of a webhook up to which a claim can take all of it.
const mostWaiting = 60

// aged is the age of events that retention may remove.
const aged = 10 * 24 * time.Hour

var (
	modelNames  = []string{"Restart", "Ärger 100%", "Wake_on[LAN]", ""}
	modelPlaces = []string{"ws-1", "WS-2", "", "ws_%"}
)

// event draws an event with deliveries to some of the webhooks of its type.
func (w *world) event(t *rapid.T) delivery.NewEvent {
	org := rapid.SampledFrom(w.orgs).Draw(t, "organization")
	kind := rapid.SampledFrom([]delivery.EventType{
		delivery.ActiveAlert, delivery.OperationInWorkspace,
	}).Draw(t, "type")
	shift := int64(0)
	if rapid.IntRange(0, 5).Draw(t, "old") == 0 {
		shift = aged.Milliseconds() << 22
	}
	n := int(w.ids.Next() & 0xff)
	e := delivery.Event{
		ID: delivery.EventID(w.ids.Next() - shift), Org: org.ID, Type: kind,
		Item:          delivery.ItemID(rapid.IntRange(1, 3).Draw(t, "item")),
		ItemName:      rapid.SampledFrom(modelNames).Draw(t, "name"),
		Group:         delivery.GroupID(fmt.Sprint("group ", rapid.IntRange(0, 2).Draw(t, "group"))),
		OccurredAt:    time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC),
		SourceEventID: fmt.Sprint("source ", n),
		WorkspaceID:   rapid.SampledFrom(modelPlaces).Draw(t, "place"),
		Variables:     json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
	}
	e.WorkspaceName = e.WorkspaceID
	e.ReceivedAt = delivery.IDTime(e.ID)
	made := delivery.NewEvent{Event: e, Key: e.ID.String(), Fingerprint: uint64(n)}
	for _, h := range w.webhooks {
		if h.Org != org.ID || h.Version.Type != kind || !h.Version.Listening || w.backlog(h.ID) > mostWaiting ||
			!rapid.Bool().Draw(t, "fires") {
			continue
		}
		d := delivery.Delivery{
			ID: delivery.DeliveryID(w.ids.Next() - shift), Org: e.Org, Webhook: h.ID, Version: h.Version.ID,
			Event: e.ID, Type: kind, Item: e.Item, Trigger: delivery.ByEvent, State: delivery.Queued,
			Ordered: h.ordered(),
		}
		switch {
		case h.Status == delivery.Disabled:
			d.State = delivery.Held
		case !d.Ordered && rapid.Bool().Draw(t, "lease"):
			d.State = delivery.Sending
		}
		made.Deliveries = append(made.Deliveries, d)
	}
	return made
}

func (w *world) backlog(id delivery.WebhookID) (n int) {
	for _, r := range w.rows {
		if r.pending() && r.d.Webhook == id {
			n++
		}
	}
	return n
}

// batch groups events by organization, as Ingest takes them.
func (w *world) batch(events []delivery.NewEvent, stale bool) []delivery.Ingest {
	var batch []delivery.Ingest
	for _, org := range w.orgs {
		in := delivery.Ingest{Org: org.ID, ConfigVersion: org.ConfigVersion}
		if stale {
			in.ConfigVersion = org.stale
		}
		for _, e := range events {
			if e.Event.Org == org.ID {
				in.Events = append(in.Events, e)
			}
		}
		if len(in.Events) > 0 {
			batch = append(batch, in)
		}
	}
	return batch
}

// ingest stores new events, some of them leased at once.
func (w *world) ingest(t *rapid.T) {
	owner := rapid.SampledFrom(w.servers).Draw(t, "server")
	var events []delivery.NewEvent
	for range rapid.IntRange(1, 8).Draw(t, "events") {
		events = append(events, w.event(t))
	}
	batch := w.batch(events, false)
	got, err := w.store.Ingest(w.ctx, owner, longLease, batch)
	ensure(t, "Ingest", err)
	for i, in := range batch {
		if got[i].Stale || len(got[i].Events) != len(in.Events) {
			t.Fatalf("Ingest gave %+v for %d events", got[i], len(in.Events))
		}
		for j, e := range in.Events {
			want := delivery.Stored{
				ID: e.Event.ID, Fresh: true, Fingerprint: e.Fingerprint, Deliveries: len(e.Deliveries),
			}
			if got[i].Events[j] != want {
				t.Fatalf("a new event is %+v, want %+v", got[i].Events[j], want)
			}
			w.stored(e, owner)
		}
	}
}

// stored adds an event to the model.
func (w *world) stored(e delivery.NewEvent, owner delivery.Owner) {
	f := &fact{NewEvent: e}
	w.facts[e.Event.ID] = f
	for _, d := range e.Deliveries {
		r := &row{d: d, event: f, since: w.webhook(d.Webhook).Version.Number}
		r.held, r.ordered = d.State == delivery.Held, d.Ordered
		if d.State == delivery.Sending {
			r.owner, r.leased = owner, true
		}
		r.d.State = delivery.Queued
		w.rows[d.ID] = r
	}
}

// living returns the events that are still stored, oldest first.
func (w *world) living() []*fact {
	var all []*fact
	for _, id := range slices.Sorted(maps.Keys(w.facts)) {
		if f := w.facts[id]; !f.gone && !f.Event.Test {
			all = append(all, f)
		}
	}
	return all
}

// ingestKnown reports a stored event again: it stays as it was.
func (w *world) ingestKnown(t *rapid.T) {
	known := w.living()
	if len(known) == 0 {
		t.Skip("nothing is known")
	}
	f := rapid.SampledFrom(known).Draw(t, "event")
	again := f.NewEvent
	again.Event.ID = delivery.EventID(w.ids.Next())
	again.Fingerprint++
	again.Deliveries = slices.Clone(f.Deliveries)
	for i := range again.Deliveries {
		again.Deliveries[i].ID = delivery.DeliveryID(w.ids.Next())
	}
	got, err := w.store.Ingest(w.ctx, w.servers[0], longLease, w.batch([]delivery.NewEvent{again}, false))
	ensure(t, "Ingest", err)
	want := delivery.Stored{ID: f.Event.ID, Fingerprint: f.Fingerprint, Deliveries: len(f.Deliveries)}
	if got[0].Stale || got[0].Events[0] != want {
		t.Fatalf("a known event is %+v, want %+v", got[0], want)
	}
}

// ingestStale ingests with an older ConfigVersion: nothing is stored.
func (w *world) ingestStale(t *rapid.T) {
	e := w.event(t)
	batch := w.batch([]delivery.NewEvent{e}, true)
	got, err := w.store.Ingest(w.ctx, w.servers[0], longLease, batch)
	ensure(t, "Ingest", err)
	if !got[0].Stale {
		t.Fatalf("an old configuration gave %+v, want it stale", got[0])
	}
}

// redeliver requests new deliveries: none is made when an event is no longer stored.
func (w *world) redeliver(t *rapid.T) {
	if len(w.facts) == 0 {
		t.Skip("nothing to deliver")
	}
	ids := slices.Sorted(maps.Keys(w.facts))
	var made []delivery.Delivery
	missing, refused := false, false
	for range rapid.IntRange(1, 3).Draw(t, "deliveries") {
		f := w.facts[rapid.SampledFrom(ids).Draw(t, "event")]
		h := w.webhookFor(&f.Event)
		if h == nil || w.backlog(h.ID) > mostWaiting {
			continue
		}
		missing = missing || f.gone
		refused = refused || h.Status == delivery.Disabled && !h.Holding
		d := delivery.Delivery{
			ID: delivery.DeliveryID(w.ids.Next()), Org: h.Org, Webhook: h.ID,
			Version: rapid.SampledFrom([]delivery.VersionID{h.first, h.Version.ID}).Draw(t, "version"),
			Event:   f.Event.ID, Type: f.Event.Type, Item: f.Event.Item, Trigger: delivery.ByRedelivery,
			RedeliveryOf: 7, State: delivery.Queued, Ordered: h.ordered(),
		}
		if h.Status == delivery.Disabled {
			d.State = delivery.Held
		}
		made = append(made, d)
	}
	err := w.store.Requeue(w.ctx, made, nil)
	if missing {
		if delivery.CodeOf(err) != delivery.NotFound {
			t.Fatalf("Requeue for an event that is gone: %v, want %s", err, delivery.NotFound)
		}
		return
	}
	if refused {
		if delivery.CodeOf(err) != delivery.Conflict {
			t.Fatalf("Requeue for a disabled webhook: %v, want %s", err, delivery.Conflict)
		}
		return
	}
	ensure(t, "Requeue", err)
	for _, d := range made {
		h := w.webhook(d.Webhook)
		r := &row{d: d, event: w.facts[d.Event], since: h.Version.Number}
		r.ordered = h.ordered()
		r.held = d.State == delivery.Held && h.Holding
		r.d.State = delivery.Queued
		w.rows[d.ID] = r
	}
}

// webhookFor returns the first webhook that takes events like e.
func (w *world) webhookFor(e *delivery.Event) *webhook {
	for _, h := range w.webhooks {
		if h.Org == e.Org && h.Version.Type == e.Type && !h.Version.Deleted {
			return h
		}
	}
	return nil
}

// discard removes old rows, except for events with a pending delivery.
func (w *world) discard(t *rapid.T) {
	before := time.Now().Add(-aged / 2)
	for more := true; more; {
		var err error
		more, err = w.store.Discard(w.ctx, before)
		ensure(t, "Discard", err)
	}
	needed := map[delivery.EventID]bool{}
	for _, r := range w.rows {
		if r.pending() {
			needed[r.d.Event] = true
		}
	}
	for id, f := range w.facts {
		f.gone = f.gone || !needed[id] && f.Event.ReceivedAt.Before(before)
	}
}
