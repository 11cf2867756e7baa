package storetest

import (
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"portalhooks/delivery"
)

// create stores a new webhook.
func (w *world) create(t *rapid.T, org *organization, kind delivery.EventType, ordered bool) {
	id := delivery.WebhookID(w.ids.Next())
	at := time.Now().UTC().Truncate(time.Millisecond)
	h := &webhook{Webhook: delivery.Webhook{
		ID: id, Org: org.ID, Name: "Hook " + id.String(), Status: delivery.Enabled, CreatedAt: at, UpdatedAt: at,
		Version: delivery.WebhookVersion{
			ID: delivery.VersionID(w.ids.Next()), Webhook: id, Number: 1, Name: "Hook " + id.String(), Type: kind,
			Target: "https://example.com/" + id.String(), Template: "{}",
			Selection: delivery.Selection{All: true}, Policy: delivery.Policy{Ordered: ordered},
			Listening: true, Fingerprint: id.String(), CreatedAt: at,
		},
	}}
	ensure(t, "CreateWebhook", w.store.CreateWebhook(w.ctx, h.Webhook, newEntry(w.ids, org.ID)))
	h.first = h.Version.ID
	w.webhooks = append(w.webhooks, h)
	w.configured(t, org)
}

// configured reads the new ConfigVersion.
func (w *world) configured(t *rapid.T, org *organization) {
	now, webhooks, err := w.store.Config(w.ctx, org.ID)
	ensure(t, "Config", err)
	if now.ConfigVersion <= org.ConfigVersion {
		t.Fatalf("a change left the ConfigVersion %d at %d", org.ConfigVersion, now.ConfigVersion)
	}
	org.stale, org.ConfigVersion = org.ConfigVersion, now.ConfigVersion
	want := 0
	for _, h := range w.webhooks {
		if h.Org == org.ID && !h.Version.Deleted {
			want++
		}
	}
	if len(webhooks) != want {
		t.Fatalf("Config has %d webhooks, want %d", len(webhooks), want)
	}
}

func (w *world) owner(h *webhook) *organization {
	return w.orgs[slices.IndexFunc(w.orgs, func(o *organization) bool { return o.ID == h.Org })]
}

// change enables a webhook, disables it, makes it hold its deliveries, drops them,
// or changes their order. It does not recall them.
func (w *world) change(t *rapid.T) {
	h := rapid.SampledFrom(w.webhooks).Draw(t, "webhook")
	if h.Version.Deleted {
		t.Skip("it is deleted")
	}
	change := rapid.SampledFrom([]string{
		"enable", "hold", "hold", "drop", "disable", "order", "nothing",
	}).Draw(t, "what")
	w.update(t, h, map[string]func(*delivery.Webhook){
		"enable": enabled, "hold": holding, "drop": dropped, "disable": disabled,
		"nothing": func(*delivery.Webhook) {},
		"order":   func(now *delivery.Webhook) { now.Version.Policy.Ordered = !now.Version.Policy.Ordered },
	}[change])
}

// update gives a webhook another version.
func (w *world) update(t *rapid.T, h *webhook, change func(*delivery.Webhook)) {
	now := h.Webhook
	now.Version.ID = delivery.VersionID(w.ids.Next())
	now.Version.Number++
	change(&now)
	now.Version.Listening = now.Status == delivery.Enabled || now.Holding
	record := newEntry(w.ids, h.Org)
	err := w.store.UpdateWebhook(w.ctx, now, h.Version.Number-1, record)
	if delivery.CodeOf(err) != delivery.Conflict {
		t.Fatalf("UpdateWebhook over an older version: %v, want %s", err, delivery.Conflict)
	}
	ensure(t, "UpdateWebhook", w.store.UpdateWebhook(w.ctx, now, h.Version.Number, record))
	h.reordered = h.reordered || now.Version.Policy.Ordered != h.ordered()
	h.Webhook = now
	w.configured(t, w.owner(h))
}

// remove deletes a webhook, which cancels its pending deliveries, and creates
// another in its place.
func (w *world) remove(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		t.Skip("deletions are rare")
	}
	h := rapid.SampledFrom(w.webhooks).Draw(t, "webhook")
	if h.Version.Deleted {
		t.Skip("it is deleted")
	}
	record := newEntry(w.ids, h.Org)
	ensure(t, "DeleteWebhook", w.store.DeleteWebhook(w.ctx, h.Org, h.ID, time.Now().UTC(), "model", record))
	h.Version.Deleted, h.Version.Listening = true, false
	w.configured(t, w.owner(h))
	w.create(t, w.owner(h), h.Version.Type, h.ordered())
}

// release releases deliveries that a server may hold.
func (w *world) release(t *rapid.T) {
	if len(w.jobs) == 0 {
		t.Skip("nothing was leased")
	}
	owner := rapid.SampledFrom(w.servers).Draw(t, "server")
	var ids []delivery.DeliveryID
	for range rapid.IntRange(1, 5).Draw(t, "deliveries") {
		ids = append(ids, rapid.SampledFrom(w.jobs).Draw(t, "job").Delivery.ID)
	}
	pause := rapid.SampledFrom([]time.Duration{0, longLease}).Draw(t, "pause")
	got, err := w.store.Release(w.ctx, owner, ids, pause)
	ensure(t, "Release", err)
	want := w.released(func(r *row) bool { return r.owner == owner && slices.Contains(ids, r.d.ID) }, pause > 0)
	if got != want {
		t.Fatalf("Release gave %d, want %d", got, want)
	}
}

func (w *world) released(whose func(*row) bool, later bool) (n int) {
	for _, r := range w.rows {
		if r.pending() && r.owner != (delivery.Owner{}) && whose(r) {
			r.owner, r.leased, r.later = delivery.Owner{}, false, later
			n++
		}
	}
	return n
}

// die ends a server. Another server reaps its leases, and it starts again.
func (w *world) die(t *rapid.T) {
	i := rapid.IntRange(0, len(w.servers)-1).Draw(t, "server")
	dead := w.servers[i]
	w.servers = slices.Delete(slices.Clone(w.servers), i, i+1)
	ensure(t, "Leave", w.store.Leave(w.ctx, dead))
	if err := w.store.Heartbeat(w.ctx, w.servers[0], longLease, true); err != nil {
		t.Fatalf("Heartbeat of a server that lives: %v", err)
	}
	got, err := w.store.Reap(w.ctx, w.servers[0], true)
	ensure(t, "Reap", err)
	its := func(r *row) bool { return r.owner.Slot == dead.Slot && r.owner.Epoch <= dead.Epoch }
	want := w.released(its, false)
	if got != want {
		t.Fatalf("Reap released %d, want %d", got, want)
	}
	if err := w.store.Heartbeat(w.ctx, dead, longLease, true); delivery.CodeOf(err) != delivery.NotFound {
		t.Fatalf("Heartbeat of a reaped server: %v, want %s", err, delivery.NotFound)
	}
	w.join(t, "again")
}

// check compares what one query can tell of the whole queue.
func (w *world) check(t *rapid.T) {
	depth, err := w.store.Depth(w.ctx)
	ensure(t, "Depth", err)
	var want delivery.QueueDepth
	backlogs := map[delivery.WebhookID]delivery.Backlog{}
	for _, r := range w.rows {
		if !r.pending() {
			continue
		}
		b := backlogs[r.d.Webhook]
		switch {
		case r.held:
			want.Held++
			b.Held++
		case r.leased:
			want.Leased++
			b.Pending++
		default:
			want.Pending++
			b.Pending++
		}
		backlogs[r.d.Webhook] = b
	}
	depth.OldestDue = time.Time{}
	if depth != want {
		t.Fatalf("Depth gave %+v, want %+v", depth, want)
	}
	ids := slices.Sorted(maps.Keys(backlogs))
	got, err := w.store.Pending(w.ctx, ids, 1000)
	ensure(t, "Pending", err)
	if !maps.Equal(got, backlogs) {
		t.Fatalf("Pending gave %+v, want %+v", got, backlogs)
	}
}
