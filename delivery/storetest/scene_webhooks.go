package storetest

import (
	"time"

	"portalhooks/delivery"
)

// stored stores an enabled webhook, whose deliveries are ordered or not.
func (s *scene) stored(ordered bool) delivery.Webhook {
	s.t.Helper()
	id := s.webhook()
	s.ids.Next() // the id of its first version, which new deliveries have
	at := time.Now().UTC().Truncate(time.Millisecond)
	w := delivery.Webhook{
		ID: id, Org: s.org.ID, Name: "Stored " + id.String(), Status: delivery.Enabled,
		CreatedAt: at, UpdatedAt: at,
		Version: delivery.WebhookVersion{
			ID: delivery.VersionID(id) + 1, Org: s.org.ID, Webhook: id, Number: 1,
			Name: "Stored " + id.String(),
			Type: delivery.OperationInWorkspace, Target: "https://example.com/" + id.String(), Template: "{}",
			Selection: delivery.Selection{All: true}, Policy: delivery.Policy{Ordered: ordered},
			Listening: true, Fingerprint: id.String(), CreatedAt: at,
		},
	}
	if err := s.store.CreateWebhook(s.t.Context(), w, newEntry(s.ids, s.org.ID)); err != nil {
		s.t.Fatalf("CreateWebhook: %v", err)
	}
	s.configured()
	return w
}

// configured reads the organization again.
func (s *scene) configured() {
	s.t.Helper()
	found, err := s.store.OrganizationsByID(s.t.Context(), []delivery.OrgID{s.org.ID})
	if err != nil || len(found) != 1 {
		s.t.Fatalf("OrganizationsByID gave %v, %v", found, err)
	}
	s.org = found[0]
}

// decide changes a webhook and does not recall its deliveries.
func (s *scene) decide(w *delivery.Webhook, change func(w *delivery.Webhook)) {
	s.t.Helper()
	number := w.Version.Number
	w.Version.ID, w.Version.Number = delivery.VersionID(s.ids.Next()), number+1
	change(w)
	if err := s.store.UpdateWebhook(s.t.Context(), *w, number, newEntry(s.ids, s.org.ID)); err != nil {
		s.t.Fatalf("UpdateWebhook: %v", err)
	}
	s.configured()
}

// What is done to a webhook.
func enabled(w *delivery.Webhook) { w.Status, w.Holding = delivery.Enabled, false }
func holding(w *delivery.Webhook) { w.Status, w.Holding = delivery.Disabled, true }
func disabled(w *delivery.Webhook) {
	w.Status, w.Holding, w.CancelBefore = delivery.Disabled, false, w.Version.Number
}

func dropped(w *delivery.Webhook) {
	w.Status, w.Holding, w.CancelBefore = delivery.Enabled, false, w.Version.Number
}
func ordered(w *delivery.Webhook)   { w.Version.Policy.Ordered = true }
func unordered(w *delivery.Webhook) { w.Version.Policy.Ordered = false }

func (s *scene) hold(w *delivery.Webhook) {
	s.t.Helper()
	s.decide(w, holding)
	s.recall(w.ID)
}

func (s *scene) enable(w *delivery.Webhook) {
	s.t.Helper()
	s.decide(w, enabled)
	s.recall(w.ID)
}

// remove deletes a webhook and does not recall its deliveries.
func (s *scene) remove(w *delivery.Webhook) {
	s.t.Helper()
	if err := s.store.DeleteWebhook(s.t.Context(), w.Org, w.ID, time.Now(), "ada",
		newEntry(s.ids, s.org.ID)); err != nil {
		s.t.Fatalf("DeleteWebhook: %v", err)
	}
	s.configured()
}

// recall recalls a webhook's deliveries, all of them in small portions, and
// returns how many were changed.
func (s *scene) recall(id delivery.WebhookID) (changed int) {
	s.t.Helper()
	var at delivery.RecallPosition
	for range 1000 {
		got, err := s.store.Recall(s.t.Context(), id, at, 2)
		if err != nil {
			s.t.Fatalf("Recall: %v", err)
		}
		changed += got.Changed
		if got.Done {
			return changed
		}
		at = got.Next
	}
	s.t.Fatalf("a recall does not end: it is at %+v", at)
	return changed
}

// held stores n deliveries to w that are held.
func (s *scene) held(n int, w delivery.Webhook) []delivery.DeliveryID {
	s.t.Helper()
	var events []delivery.NewEvent
	var ids []delivery.DeliveryID
	for range n {
		e := s.event("held "+delivery.EventID(s.ids.Next()).String(), w.ID)
		d := &e.Deliveries[0]
		d.State, d.Version, d.Ordered = delivery.Held, w.Version.ID, w.Version.Policy.Ordered
		events, ids = append(events, e), append(ids, d.ID)
	}
	s.ingest(events...)
	return ids
}
