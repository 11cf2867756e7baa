package storetest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"portalhooks/delivery"
)

// recallAll recalls a webhook's deliveries to the end.
func recallAll(ctx context.Context, t *rapid.T, store delivery.Store, id delivery.WebhookID) {
	for got, err := (delivery.Recalled{}), error(nil); !got.Done; {
		got, err = store.Recall(ctx, id, got.Next, 7)
		ensure(t, "Recall", err)
	}
}

// recall recalls a webhook's deliveries: afterwards all are in line with it.
func (w *world) recall(t *rapid.T) {
	w.recallOf(t, rapid.SampledFrom(w.webhooks).Draw(t, "webhook"))
}

func (w *world) recallOf(t *rapid.T, h *webhook) {
	recallAll(w.ctx, t, w.store, h.ID)
	for _, r := range w.pendingOf(h) {
		if r.mark = w.inLineWith(h, r); r.unsure {
			w.look(t, r)
			r.cancel, r.unsure = true, false
		}
	}
	h.reordered, h.at = false, delivery.RecallPosition{}
}

// recallPortion makes one portion of a recall, as a server does that dies
// afterwards or goes on later. Each delivery is as it was or in line.
func (w *world) recallPortion(t *rapid.T) {
	h := rapid.SampledFrom(w.webhooks).Draw(t, "webhook")
	if rapid.IntRange(0, 3).Draw(t, "another server") == 0 {
		h.at = delivery.RecallPosition{}
	}
	got, err := w.store.Recall(w.ctx, h.ID, h.at, rapid.IntRange(1, 5).Draw(t, "limit"))
	ensure(t, "Recall", err)
	h.at = got.Next
	for _, r := range w.pendingOf(h) {
		w.observe(t, r, w.inLineWith(h, r))
		if got.Done && !r.cancel && !r.unsure && r.ordered != h.ordered() {
			t.Fatalf("%s is ordered %v after the recall, want %v", r.d.ID, r.ordered, h.ordered())
		}
	}
	if got.Done {
		h.reordered, h.at = false, delivery.RecallPosition{}
	}
}

// observe reads the marks of a row that may have been brought in line.
func (w *world) observe(t *rapid.T, r *row, inLine mark) {
	was := r.mark
	w.look(t, r)
	if r.owner != (delivery.Owner{}) {
		r.unsure = r.unsure || inLine.cancel != was.cancel
	} else if r.mark != was {
		r.cancel = inLine.cancel
	}
	seen := was
	seen.cancel = r.cancel
	if r.mark != seen && r.mark != inLine && r.owner == (delivery.Owner{}) && !r.unsure {
		t.Fatalf("%s is %+v after a portion of a recall, want %+v or %+v", r.d.ID, r.mark, was, inLine)
	}
}

// look reads what shows of the marks of a row.
func (w *world) look(t *rapid.T, r *row) {
	found, err := w.store.DeliveriesByID(w.ctx, 0, []delivery.DeliveryID{r.d.ID})
	ensure(t, "DeliveriesByID", err)
	if len(found) != 1 {
		t.Fatalf("%s is not there", r.d.ID)
	}
	r.held, r.ordered = found[0].State == delivery.Held, found[0].Ordered
	r.later = found[0].NextAttemptAt.After(time.Now().Add(longLease / 2))
}

// reconcile recalls all that the store finds: what is left is in line.
func (w *world) reconcile(t *rapid.T) {
	found := map[delivery.WebhookID]bool{}
	for after, more := delivery.WebhookID(0), true; more; more = after != 0 {
		some, next, err := w.store.Unrecalled(w.ctx, after, 3)
		ensure(t, "Unrecalled", err)
		for _, id := range some {
			found[id] = true
		}
		after = next
	}
	for _, h := range w.webhooks {
		if found[h.ID] {
			w.recallOf(t, h)
			continue
		}
		for _, r := range w.pendingOf(h) {
			if r.held && w.disposition(r) != delivery.ToHold {
				t.Fatalf("%s is held and not found, although its webhook does not hold: %+v", r.d.ID, h.Webhook)
			}
		}
		if h.blocked() {
			t.Fatalf("%s is being put in order and not found", h.ID)
		}
	}
}

func (w *world) pendingOf(h *webhook) (all []*row) {
	for _, r := range w.rows {
		if r.pending() && r.d.Webhook == h.ID && r.d.Trigger != delivery.ByTest {
			all = append(all, r)
		}
	}
	return all
}

func (w *world) disposition(r *row) delivery.Disposition {
	return w.webhook(r.d.Webhook).Disposition(r.since)
}

// inLineWith returns the marks of a row that is in line with its webhook.
func (w *world) inLineWith(h *webhook, r *row) mark {
	m, d := r.mark, w.disposition(r)
	switch {
	case d == delivery.ToCancel && r.owner != delivery.Owner{}:
		m.cancel = true
		return m
	case d == delivery.ToCancel && !m.held && !m.later && !m.ordered:
		return m
	case d == delivery.ToCancel:
		return mark{cancel: true}
	case d == delivery.ToSend && m.held, d == delivery.ToHold && !m.held && r.owner == delivery.Owner{}:
		m.held, m.later = false, false
	}
	m.ordered = h.ordered()
	return m
}
