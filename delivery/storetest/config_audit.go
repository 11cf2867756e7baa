package storetest

import (
	"reflect"
	"slices"
	"time"

	"portalhooks/delivery"
)

// recorded fails the test unless the organization's audit log has exactly these
// entries, in this order.
func (d *desk) recorded(want ...delivery.AuditEntry) {
	d.Helper()
	page := delivery.Page{First: delivery.MaxPageSize}
	got := must(d.store.AuditLog(d.Context(), d.org.ID, delivery.AuditFilter{}, page))(d)
	same(d, "the audit log", got.Items, want)
}

// A change and its record are stored together or not at all.
func testRecords(d *desk) {
	w := d.webhook("recorded")
	made, changed, rotated, deleted := d.entry(), d.entry(), d.entry(), d.entry()
	d.ok(d.store.CreateWebhook(d.Context(), w, made))
	twin := d.webhook("recorded")
	d.refused(d.store.CreateWebhook(d.Context(), twin, d.entry()), delivery.Duplicate)
	d.ok(d.store.UpdateWebhook(d.Context(), d.next(w, at), 1, changed))
	d.refused(d.store.UpdateWebhook(d.Context(), d.next(w, at), 1, d.entry()), delivery.Conflict)
	d.ok(d.store.SetSecrets(d.Context(), d.org.ID, w.ID, w.Secrets, w.Secrets, at, "ada", rotated))
	older := slices.Clone(w.Secrets)
	older[0].CreatedAt = at.Add(-time.Hour)
	d.refused(d.store.SetSecrets(d.Context(), d.org.ID, w.ID, older, w.Secrets, at, "ada", d.entry()),
		delivery.Conflict)
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, w.ID, at, "ada", deleted))
	d.refused(d.store.DeleteWebhook(d.Context(), d.org.ID, w.ID, at, "ada", d.entry()), delivery.NotFound)
	d.recorded(deleted, rotated, changed, made)

	bad := made // an entry with this id exists, and is not stored twice
	d.ok(d.store.Record(d.Context(), bad))
	d.recorded(deleted, rotated, changed, made)
}

func testAuditLog(d *desk) {
	empty := must(d.store.AuditLog(d.Context(), d.org.ID, delivery.AuditFilter{}, delivery.Page{First: 5}))(d)
	if len(empty.Items) != 0 || empty.HasNext {
		d.Errorf("the audit log of a new organization is %+v", empty)
	}
	var all []delivery.AuditEntry
	for i := range 7 {
		e := d.entry()
		e.At = at.Add(time.Duration(i/2) * time.Second) // some at the same time
		if i == 3 {
			e.Object, e.Changes, e.Request, e.Address = delivery.AuditObject{}, []delivery.Change{}, "", ""
			e.Actor, e.Action = delivery.Actor{Kind: delivery.BySystem, Name: "Portalhooks"}, delivery.SignedIn
		}
		all = append(all, e)
	}
	d.ok(d.store.Record(d.Context(), all[:4]...))
	d.ok(d.store.Record(d.Context(), all[4:]...))
	d.ok(d.store.Record(d.Context()))
	platform := d.entry()
	platform.Org = 0
	d.ok(d.store.Record(d.Context(), platform))

	slices.Reverse(all)
	d.recorded(all...)
	var read []delivery.AuditEntry
	p := delivery.Page{First: 3}
	for more := true; more; {
		slice := must(d.store.AuditLog(d.Context(), d.org.ID, delivery.AuditFilter{}, p))(d)
		read, more, p.After = append(read, slice.Items...), slice.HasNext, slice.Cursors[len(slice.Cursors)-1]
	}
	same(d, "the audit log in pages", read, all)

	everywhere := must(d.store.AuditLog(d.Context(), 0, delivery.AuditFilter{}, delivery.Page{First: 1000}))(d)
	for _, want := range append(all, platform) {
		if !slices.ContainsFunc(everywhere.Items, func(e delivery.AuditEntry) bool { return e.ID == want.ID }) {
			d.Errorf("the audit log of all lacks %s of the organization %s", want.ID, want.Org)
		}
	}
}

func testAuditFilter(d *desk) {
	plain, other := d.entry(), d.entry()
	other.Action, other.Actor.Key, other.Object.ID = delivery.WebhookDeleted, 8, "wh_2"
	other.At = at.Add(time.Hour)
	d.ok(d.store.Record(d.Context(), plain, other))
	for name, f := range map[string]delivery.AuditFilter{
		"action": {Actions: []delivery.Action{delivery.WebhookDeleted, delivery.SignedIn}},
		"object": {Object: "wh_2"}, "key": {Key: 8}, "after": {After: at.Add(time.Hour)},
	} {
		got := must(d.store.AuditLog(d.Context(), d.org.ID, f, delivery.Page{First: 5}))(d)
		same(d, "entries by "+name, got.Items, []delivery.AuditEntry{other})
	}
	before := delivery.AuditFilter{Before: other.At}
	got := must(d.store.AuditLog(d.Context(), d.org.ID, before, delivery.Page{First: 5}))(d)
	same(d, "entries before", got.Items, []delivery.AuditEntry{plain})
}

// auditLog reads the audit log of the scene's organization.
func (s *scene) auditLog() []delivery.AuditEntry {
	s.t.Helper()
	slice, err := s.store.AuditLog(s.t.Context(), s.org.ID, delivery.AuditFilter{}, delivery.Page{First: 100})
	if err != nil {
		s.t.Fatalf("AuditLog: %v", err)
	}
	return slice.Items
}

func testDiscardAudit(s *scene) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	entries := make([]delivery.AuditEntry, 3)
	for i, age := range []time.Duration{10 * 24 * time.Hour, 40 * 24 * time.Hour, 4000 * 24 * time.Hour} {
		entries[i] = newEntry(s.ids, s.org.ID)
		entries[i].At = now.Add(-age)
	}
	if err := s.store.Record(s.t.Context(), entries...); err != nil {
		s.t.Fatalf("Record: %v", err)
	}
	for _, round := range []struct {
		before time.Time
		stay   int
	}{{now.AddDate(-10, 0, 0), 2}, {now, 1}} { // an entry younger than MinAuditRetention stays
		more, err := s.store.DiscardAudit(s.t.Context(), round.before)
		if err != nil || more {
			s.t.Fatalf("DiscardAudit: %t, %v", more, err)
		}
		if got := s.auditLog(); !reflect.DeepEqual(got, entries[:round.stay]) {
			s.t.Errorf("discarded before %s, there is %+v, want %+v", round.before, got, entries[:round.stay])
		}
	}
}

func testRequeueRecords(s *scene) {
	e := s.event("e", s.webhook())
	s.ingest(e)
	d := e.Deliveries[0]
	d.ID, d.Trigger, d.RedeliveryOf = delivery.DeliveryID(s.ids.Next()), delivery.ByRedelivery, d.ID
	record := newEntry(s.ids, s.org.ID)
	for range 2 { // the answer to the first call may get lost
		err := s.store.Requeue(s.t.Context(), []delivery.Delivery{d}, []delivery.AuditEntry{record})
		if err != nil {
			s.t.Fatalf("Requeue: %v", err)
		}
	}
	lost := d
	lost.Event = 1
	err := s.store.Requeue(s.t.Context(), []delivery.Delivery{lost},
		[]delivery.AuditEntry{newEntry(s.ids, s.org.ID)})
	if delivery.CodeOf(err) != delivery.NotFound {
		s.t.Errorf("Requeue for an event that is not there: %v", err)
	}
	if got := s.auditLog(); !reflect.DeepEqual(got, []delivery.AuditEntry{record}) {
		s.t.Errorf("the audit log is %+v, want the one record", got)
	}
}
