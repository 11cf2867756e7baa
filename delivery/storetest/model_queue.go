package storetest

import (
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// claimSome makes a claim of any size, for a lease that lasts or has ended.
func (w *world) claimSome(t *rapid.T) {
	c := delivery.ClaimRequest{
		Owner: rapid.SampledFrom(w.servers).Draw(t, "server"),
		N:     rapid.IntRange(1, 20).Draw(t, "n"), PerWebhook: rapid.IntRange(1, 8).Draw(t, "per webhook"),
		Lease: rapid.SampledFrom([]time.Duration{longLease, longLease, noLease}).Draw(t, "lease"),
	}
	if rapid.IntRange(0, 3).Draw(t, "urgent") == 0 {
		c.Urgent = true
	}
	for _, h := range w.webhooks {
		if rapid.IntRange(0, 5).Draw(t, "limited") == 0 {
			if c.Limits == nil {
				c.Limits = map[delivery.WebhookID]int{}
			}
			c.Limits[h.ID] = rapid.IntRange(0, 2).Draw(t, "limit")
		}
	}
	w.claimed(t, c, false)
}

// claimAll takes everything that is due.
func (w *world) claimAll(t *rapid.T) {
	w.claimed(t, delivery.ClaimRequest{
		Owner: rapid.SampledFrom(w.servers).Draw(t, "server"), N: 1000, PerWebhook: 1000, Lease: longLease,
	}, true)
}

// claimed makes a claim and checks its jobs. With all set they must be all that
// are due.
func (w *world) claimed(t *rapid.T, c delivery.ClaimRequest, all bool) []delivery.Job {
	jobs, err := w.store.Claim(w.ctx, c)
	ensure(t, "Claim", err)
	w.released(func(r *row) bool { return !r.leased }, false) // expired leases
	due := w.claimable()
	if len(jobs) > c.N || all && len(jobs) != len(due) {
		t.Fatalf("claimed %d of %d that are due, at most %d", len(jobs), len(due), c.N)
	}
	each, lines := map[delivery.WebhookID]int{}, map[delivery.WebhookID][]delivery.DeliveryID{}
	for _, j := range jobs {
		r := w.rows[j.Delivery.ID]
		if !due[j.Delivery.ID] {
			t.Fatalf("claimed %s, which is not to be leased: %+v", j.Delivery.ID, r)
		}
		w.compareJob(t, j, r, c)
		each[r.d.Webhook]++
		if r.ordered {
			lines[r.d.Webhook] = append(lines[r.d.Webhook], r.d.ID)
		}
	}
	for id, n := range each {
		if limit, limited := c.Limits[id]; n > c.PerWebhook || limited && n > limit {
			t.Fatalf("claimed %d of a webhook, at most %d and %d", n, c.PerWebhook, limit)
		}
	}
	for id, ids := range lines {
		slices.Sort(ids)
		if want := w.inLine(id)[:len(ids)]; !slices.Equal(ids, want) {
			t.Fatalf("claimed %v out of order, want %v", ids, want)
		}
	}
	for _, j := range jobs {
		r := w.rows[j.Delivery.ID]
		r.owner, r.leased = c.Owner, c.Lease > 0
	}
	w.jobs = append(w.jobs, jobs...)
	return jobs
}

func (w *world) compareJob(t *rapid.T, j delivery.Job, r *row, c delivery.ClaimRequest) {
	want, d := r.d, w.disposition(r)
	want.State, want.Ordered = delivery.Sending, r.ordered
	switch {
	case j.Delivery != want:
		t.Fatalf("claimed %+v, want %+v", j.Delivery, want)
	case j.Owner != c.Owner || j.Cancel != (d == delivery.ToCancel) || j.Hold != (d == delivery.ToHold):
		t.Fatalf("claimed %s by %v, cancel %v, hold %v, want %v, %d; pending since version %d of %+v",
			j.Delivery.ID, j.Owner, j.Cancel, j.Hold, c.Owner, d, r.since, w.webhook(r.d.Webhook).Webhook)
	case j.WebhookVersion != w.webhook(r.d.Webhook).Version.Number:
		t.Fatalf("claimed with version %d of its webhook, want %d", j.WebhookVersion,
			w.webhook(r.d.Webhook).Version.Number)
	case j.Event.ID != r.event.Event.ID || string(j.Event.Variables) != string(r.event.Event.Variables):
		t.Fatalf("claimed with the event %+v, want %+v", j.Event, r.event.Event)
	case c.Urgent && j.Delivery.Type != delivery.ActiveAlert:
		t.Fatalf("claimed %s for an urgent claim", j.Delivery.Type)
	}
}

func (w *world) webhook(id delivery.WebhookID) *webhook {
	return w.webhooks[slices.IndexFunc(w.webhooks, func(h *webhook) bool { return h.ID == id })]
}

// claimable returns the deliveries that may be leased now.
func (w *world) claimable() map[delivery.DeliveryID]bool {
	due := map[delivery.DeliveryID]bool{}
	for id, r := range w.rows {
		if r.due() && !r.ordered && r.d.Trigger != delivery.ByTest && !w.webhook(r.d.Webhook).blocked() {
			due[id] = true
		}
	}
	for _, h := range w.webhooks {
		for _, id := range w.inLine(h.ID) {
			due[id] = true
		}
	}
	return due
}

// inLine returns the ordered deliveries that may be leased: none while any is
// leased, or else the oldest, up to the first that is not due or, where the
// webhook makes calls, held.
func (w *world) inLine(id delivery.WebhookID) (line []delivery.DeliveryID) {
	h, over := w.webhook(id), false
	sends := h.Status == delivery.Enabled && !h.Version.Deleted
	if h.blocked() {
		return nil
	}
	for _, one := range slices.Sorted(maps.Keys(w.rows)) {
		r := w.rows[one]
		if r.d.Webhook != id || !r.pending() || !r.ordered || r.held && !sends {
			continue
		}
		if r.leased {
			return nil
		}
		over = over || !r.due()
		if !over {
			line = append(line, one)
		}
	}
	return line
}

// settle settles some of the jobs that were ever claimed, some of them with an
// expired lease or a wrong fence. Repeating it changes nothing.
func (w *world) settle(t *rapid.T) {
	if len(w.jobs) == 0 {
		t.Skip("nothing was leased")
	}
	chosen := map[delivery.DeliveryID]bool{}
	var batch []delivery.Settlement
	for range rapid.IntRange(1, 6).Draw(t, "results") {
		// The latest jobs are the most likely to be leased still.
		back := rapid.IntRange(1, min(len(w.jobs), 40)).Draw(t, "job")
		j := w.jobs[len(w.jobs)-back]
		if chosen[j.Delivery.ID] {
			continue
		}
		chosen[j.Delivery.ID] = true
		state := rapid.SampledFrom([]delivery.State{
			delivery.Delivered, delivery.Delivered, delivery.Failed, delivery.Retrying, delivery.Retrying,
			delivery.Held, delivery.Canceled,
		}).Draw(t, "state")
		set := w.settlement(j, state, rapid.SampledFrom([]int{200, 404, 503}).Draw(t, "status"))
		if state == delivery.Retrying && rapid.Bool().Draw(t, "later") {
			set.Pause = longLease
		}
		switch rapid.IntRange(0, 9).Draw(t, "fence") {
		case 0:
			set.Owner.Epoch++
		case 1:
			set.Before++
		}
		batch = append(batch, set)
	}
	want := make([]bool, len(batch))
	for i := range batch {
		want[i] = w.settled(&batch[i])
	}
	for range rapid.IntRange(1, 2).Draw(t, "times") {
		got, err := w.store.Settle(w.ctx, batch)
		ensure(t, "Settle", err)
		if !slices.Equal(got, want) {
			t.Fatalf("the fences held %v, want %v", got, want)
		}
	}
	for i := range batch {
		if r := w.rows[batch[i].Entry.Delivery.ID]; r.unsure && r.pending() && !r.leased {
			w.look(t, r)
		}
	}
}

func (w *world) settleAll(t *rapid.T, jobs []delivery.Job) {
	batch := make([]delivery.Settlement, len(jobs))
	for i, j := range jobs {
		state := delivery.Delivered
		if j.Cancel {
			state = delivery.Canceled
		}
		batch[i] = w.settlement(j, state, 200)
		w.settled(&batch[i])
	}
	if len(batch) == 0 {
		return
	}
	got, err := w.store.Settle(w.ctx, batch)
	ensure(t, "Settle", err)
	if slices.Contains(got, false) {
		t.Fatalf("the fences held %v, want all", got)
	}
}

// settlement moves a job to a state. Canceled and held ones have no attempt.
func (w *world) settlement(j delivery.Job, state delivery.State, status int) delivery.Settlement {
	now := time.Now().UTC().Truncate(time.Microsecond)
	d := j.Delivery
	d.State, d.Ordered = state, false // entries do not tell which deliveries were ordered
	set := delivery.Settlement{Owner: j.Owner, Before: d.Attempts}
	if state.Final() {
		d.FinishedAt = now
	}
	var a *delivery.Attempt
	if state != delivery.Canceled && state != delivery.Held {
		d.Attempts++
		a = &delivery.Attempt{
			Number: d.Attempts, StartedAt: now, Duration: time.Millisecond, Outcome: egress.HTTPError,
			HTTPStatus: status, Timing: delivery.Timing{DNS: -1, Connect: -1, TLS: -1, FirstByte: -1, Body: -1},
		}
		if status < 300 {
			a.Outcome = egress.Success
		}
	}
	set.Entry = delivery.LogEntry{
		ID: delivery.LogID(w.logs[j.Owner.Slot].Next()), At: now, Delivery: d, Attempt: a,
	}
	return set
}

// settled updates the model, and reports whether the fence holds.
func (w *world) settled(s *delivery.Settlement) bool {
	r := w.rows[s.Entry.Delivery.ID]
	if !r.pending() || r.owner != s.Owner || r.owner == (delivery.Owner{}) || r.d.Attempts != s.Before {
		return false
	}
	r.owner, r.leased, r.held, r.later = delivery.Owner{}, false, false, false
	if s.Entry.Delivery.State == delivery.Held && w.disposition(r) != delivery.ToHold {
		return false // it is due again
	}
	r.d.Attempts = s.Entry.Delivery.Attempts
	if a := s.Entry.Attempt; a != nil {
		r.outcome, r.status = a.Outcome, a.HTTPStatus
	}
	switch state := s.Entry.Delivery.State; state {
	case delivery.Retrying:
		r.later = s.Pause > 0 && !r.cancel
	case delivery.Held:
		r.held = true
	default:
		r.d.State, r.d.FinishedAt = state, s.Entry.At
	}
	w.log = append(w.log, s.Entry)
	return true
}

// settleTest settles the test of a webhook.
func (w *world) settleTest(t *rapid.T) {
	e := w.event(t)
	e.Event.Test, e.Deliveries = true, nil
	h := w.webhookFor(&e.Event)
	if h == nil {
		t.Skip("no webhook")
	}
	owner := rapid.SampledFrom(w.servers).Draw(t, "server")
	d := delivery.Delivery{
		ID: delivery.DeliveryID(w.ids.Next()), Org: h.Org, Webhook: h.ID, Version: h.Version.ID, Event: e.Event.ID,
		Type: e.Event.Type, Item: e.Event.Item, Trigger: delivery.ByTest, State: delivery.Queued,
	}
	f := &fact{NewEvent: e}
	w.facts[e.Event.ID] = f
	w.rows[d.ID] = &row{d: d, event: f, owner: owner}
	set := w.settlement(delivery.Job{Delivery: d, Owner: owner}, delivery.Failed, 404)
	set.Unqueued, set.Event = true, &e.Event
	w.settled(&set)
	got, err := w.store.Settle(w.ctx, []delivery.Settlement{set})
	ensure(t, "Settle", err)
	if !got[0] {
		t.Fatal("a test was not logged")
	}
}
