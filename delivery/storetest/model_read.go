package storetest

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// filter draws a filter of deliveries, most of whose fields don't narrow.
func (w *world) filter(t *rapid.T) (f delivery.DeliveryFilter) {
	rows := slices.Sorted(maps.Keys(w.rows))
	if len(rows) == 0 {
		return f
	}
	one := w.rows[rapid.SampledFrom(rows).Draw(t, "like")]
	draw := func(name string) bool { return rapid.IntRange(0, 5).Draw(t, name) == 0 }
	if draw("by webhook") {
		f.Webhooks = []delivery.WebhookID{one.d.Webhook, 3}
	}
	if draw("by type") {
		f.Types = []delivery.EventType{one.d.Type}
	}
	if draw("by state") {
		f.States = []delivery.State{one.state(), rapid.SampledFrom([]delivery.State{
			delivery.Queued, delivery.Sending, delivery.Retrying, delivery.Held, delivery.Delivered, delivery.Failed,
			delivery.Canceled,
		}).Draw(t, "state")}
	}
	if draw("by outcome") {
		f.Outcomes = []delivery.Outcome{egress.HTTPError}
	}
	if draw("by status") {
		f.StatusFrom, f.StatusTo = rapid.SampledFrom([]int{0, 404}).Draw(t, "from"), 404
	}
	if draw("by trigger") {
		f.Triggers = []delivery.Trigger{one.d.Trigger}
	}
	if draw("by event") {
		f.Event = one.d.Event
	}
	if draw("by item") {
		f.Item = one.d.Item
	}
	if draw("by group") {
		f.Group = one.event.Event.Group
	}
	if draw("by place") {
		f.WorkspaceID = one.event.Event.WorkspaceID
	}
	if draw("by text") {
		f.Text = rapid.SampledFrom([]string{"rest", "äRGER", "_", "%", "ws-"}).Draw(t, "text")
	}
	if draw("since") {
		f.After = one.d.CreatedAt()
	}
	if draw("until") {
		f.Before = one.d.CreatedAt().Add(time.Millisecond)
	}
	return f
}

// passes reports whether a delivery passes a filter.
func passes(f delivery.DeliveryFilter, r *row) bool {
	e := &r.event.Event
	if (f.Group != "" || f.WorkspaceID != "" || f.Text != "") && r.event.gone {
		return false
	}
	contains := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(f.Text)) }
	return oneOf(f.Webhooks, r.d.Webhook) && oneOf(f.Types, r.d.Type) && oneOf(f.States, r.state()) &&
		oneOf(f.Outcomes, r.outcome) && oneOf(f.Triggers, r.d.Trigger) &&
		(f.StatusFrom == 0 || r.status >= f.StatusFrom) &&
		(f.StatusTo == 0 || r.status > 0 && r.status <= f.StatusTo) &&
		(f.Event == 0 || r.d.Event == f.Event) && (f.Item == 0 || r.d.Item == f.Item) &&
		(f.Group == "" || e.Group == f.Group) && (f.WorkspaceID == "" || e.WorkspaceID == f.WorkspaceID) &&
		(f.Text == "" || contains(e.ItemName) || contains(e.WorkspaceName) || contains(e.WorkspaceID)) &&
		(f.After.IsZero() || !r.d.CreatedAt().Before(f.After)) &&
		(f.Before.IsZero() || r.d.CreatedAt().Before(f.Before))
}

func oneOf[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// list reads the deliveries that pass a filter and compares them with the model.
func (w *world) list(t *rapid.T) {
	f, org := w.filter(t), rapid.SampledFrom(w.orgs).Draw(t, "organization")
	var want []delivery.Delivery
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(w.rows))) {
		if r := w.rows[id]; r.d.Org == org.ID && passes(f, r) {
			d := r.d
			d.State = r.state()
			d.Ordered = r.ordered && r.pending()
			want = append(want, d)
		}
	}
	got := pages(t, func(p delivery.Page) (delivery.Slice[delivery.Delivery], error) {
		return w.store.Deliveries(w.ctx, org.ID, f, p)
	})
	for i := range got {
		got[i].NextAttemptAt = time.Time{} // it depends on the database's clock
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the filter %+v gave %d deliveries\n%+v, want %d\n%+v", f, len(got), got, len(want), want)
	}
}

// pages reads a whole list in pages of a random size, from its start or from its
// end.
func pages[T any](t *rapid.T, fetch func(delivery.Page) (delivery.Slice[T], error)) (all []T) {
	size, backwards := rapid.IntRange(1, 30).Draw(t, "page"), rapid.Bool().Draw(t, "backwards")
	for p, more := (delivery.Page{First: size}), true; more; {
		if backwards {
			p.First, p.Last = 0, size
		}
		got, err := fetch(p)
		ensure(t, "a page", err)
		if len(got.Items) > size || len(got.Cursors) != len(got.Items) {
			t.Fatalf("a page of %d has %d items and %d cursors", size, len(got.Items), len(got.Cursors))
		}
		if more = got.HasNext; backwards {
			more = got.HasPrev
		}
		if len(got.Items) == 0 && more {
			t.Fatal("more is promised behind an empty page")
		}
		if backwards {
			all = append(slices.Clone(got.Items), all...)
			p.Before = append(got.Cursors, "")[0]
		} else {
			all = append(all, got.Items...)
			p.After = append([]string{""}, got.Cursors...)[len(got.Cursors)]
		}
	}
	return all
}

// listEvents compares the events of an organization with the model.
func (w *world) listEvents(t *rapid.T) {
	org := rapid.SampledFrom(w.orgs).Draw(t, "organization")
	var f delivery.EventFilter
	if rapid.Bool().Draw(t, "by group") {
		f.Group = "group 1"
	}
	var want, got []delivery.EventID
	for _, one := range slices.Backward(w.living()) {
		if one.Event.Org == org.ID && (f.Group == "" || one.Event.Group == f.Group) {
			want = append(want, one.Event.ID)
		}
	}
	for _, e := range pages(t, func(p delivery.Page) (delivery.Slice[delivery.Event], error) {
		return w.store.Events(w.ctx, org.ID, f, p)
	}) {
		got = append(got, e.ID)
		if known := w.facts[e.ID].Event; !reflect.DeepEqual(e, known) {
			t.Fatalf("an event is %+v, want %+v", e, known)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("listed the events %v, want %v", got, want)
	}
}

// follow reads the entries since the last call: each comes once, and those of one
// server in the order in which they were written.
func (w *world) follow(t *rapid.T) {
	limit := rapid.IntRange(1, 20).Draw(t, "limit")
	byID := map[delivery.LogID]delivery.LogEntry{}
	for _, e := range w.log {
		byID[e.ID] = e
	}
	for {
		some, err := w.store.Follow(w.ctx, w.seen, limit)
		ensure(t, "Follow", err)
		if len(some) > limit {
			t.Fatalf("Follow gave %d entries, want at most %d", len(some), limit)
		}
		if len(some) == 0 {
			break
		}
		for _, e := range some {
			slot := delivery.IDSlot(e.ID)
			if w.read[e.ID] || e.ID <= w.seen[slot] {
				t.Fatalf("%s came again, or late", e.ID)
			}
			e.Delivery.NextAttemptAt = time.Time{} // it depends on the database's clock
			if want, ok := byID[e.ID]; !ok || !reflect.DeepEqual(e, want) {
				t.Fatalf("the log has %+v, want %+v", e, want)
			}
			w.read[e.ID], w.seen[slot] = true, e.ID
		}
	}
	if len(w.read) != len(w.log) {
		t.Fatalf("a reader has seen %d entries, want %d", len(w.read), len(w.log))
	}
}
