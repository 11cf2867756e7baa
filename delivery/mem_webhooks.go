package delivery

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

func (f *fakeStore) CreateWebhook(ctx context.Context, w Webhook, record AuditEntry) error {
	leave, err := f.enter(ctx, "CreateWebhook")
	if err != nil {
		return err
	}
	defer leave()
	if err := f.twin(w); err != nil {
		return err
	}
	f.webhooks[w.ID] = &w
	f.versions = append(f.versions, w.Version)
	f.org(w.Org).ConfigVersion++
	f.audit = append(f.audit, record)
	return nil
}

// twin returns Duplicate when another webhook has w's fingerprint.
func (f *fakeStore) twin(w Webhook) error {
	for _, other := range f.webhooks {
		if other.ID != w.ID && other.Org == w.Org && !other.Version.Deleted && w.Version.Fingerprint != "" &&
			other.Version.Fingerprint == w.Version.Fingerprint {
			return &Error{Code: Duplicate, Message: "Another webhook has this configuration.", Twin: other.ID}
		}
	}
	return nil
}

// current returns the webhook that is not deleted.
func (f *fakeStore) current(org OrgID, id WebhookID) (*Webhook, error) {
	w := f.webhooks[id]
	if w == nil || w.Org != org || w.Version.Deleted {
		return nil, errNotFound
	}
	return w, nil
}

func (f *fakeStore) UpdateWebhook(ctx context.Context, w Webhook, expected int, record AuditEntry) error {
	leave, err := f.enter(ctx, "UpdateWebhook")
	if err != nil {
		return err
	}
	defer leave()
	known, err := f.current(w.Org, w.ID)
	if err != nil {
		return err
	}
	if known.Version.Number != expected {
		return Errorf(Conflict, "", "Somebody else has changed it.")
	}
	if err := f.twin(w); err != nil {
		return err
	}
	f.endVersion(known.Version.ID, w.Version.CreatedAt)
	w.Secrets = known.Secrets
	f.webhooks[w.ID] = &w
	f.versions = append(f.versions, w.Version)
	f.org(w.Org).ConfigVersion++
	f.audit = append(f.audit, record)
	return nil
}

func (f *fakeStore) endVersion(id VersionID, at time.Time) {
	for i := range f.versions {
		if f.versions[i].ID == id {
			f.versions[i].EndedAt = at
		}
	}
}

func (f *fakeStore) DeleteWebhook(
	ctx context.Context, org OrgID, id WebhookID, at time.Time, by string, record AuditEntry,
) error {
	leave, err := f.enter(ctx, "DeleteWebhook")
	if err != nil {
		return err
	}
	defer leave()
	w, err := f.current(org, id)
	if err != nil {
		return err
	}
	w.Version.Deleted, w.Version.EndedAt, w.UpdatedAt, w.UpdatedBy = true, at, at, by
	for i := range f.versions {
		if f.versions[i].ID == w.Version.ID {
			f.versions[i] = w.Version
		}
	}
	for _, row := range f.queue {
		if row.delivery.Webhook == id {
			row.cancel, row.held = true, false
		}
	}
	f.org(org).ConfigVersion++
	f.audit = append(f.audit, record)
	return nil
}

func (f *fakeStore) WebhooksByID(ctx context.Context, org OrgID, ids []WebhookID) ([]Webhook, error) {
	leave, err := f.enter(ctx, "WebhooksByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []Webhook
	for _, id := range ids {
		if w := f.webhooks[id]; w != nil && (org == 0 || w.Org == org) {
			found = append(found, *w)
		}
	}
	return found, nil
}

// webhooksOf returns the organization's webhooks that are not deleted, by name.
func (f *fakeStore) webhooksOf(org OrgID) []Webhook {
	var found []Webhook
	for _, w := range f.webhooks {
		if w.Org == org && !w.Version.Deleted {
			found = append(found, *w)
		}
	}
	slices.SortFunc(found, func(a, b Webhook) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return found
}

func (f *fakeStore) Webhooks(
	ctx context.Context, org OrgID, q WebhookFilter, o WebhookOrder, descending bool, p Page,
) (Slice[Webhook], error) {
	leave, err := f.enter(ctx, "Webhooks")
	if err != nil {
		return Slice[Webhook]{}, err
	}
	defer leave()
	found := selected(f.webhooksOf(org), func(w Webhook) bool {
		return (within(w.Name, q.Search) || within(w.Version.Target, q.Search)) && among(q.Types, w.Version.Type) &&
			(q.Status == "" || w.Status == q.Status) && (q.Item == 0 || w.Version.Selection.Has(q.Item))
	})
	switch o {
	case ByCreated:
		slices.SortFunc(found, func(a, b Webhook) int { return a.CreatedAt.Compare(b.CreatedAt) })
	case ByUpdated:
		slices.SortFunc(found, func(a, b Webhook) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	}
	if descending {
		slices.Reverse(found)
	}
	return paged(found, p, true), nil
}

func (f *fakeStore) Config(ctx context.Context, org OrgID) (Organization, []Webhook, error) {
	leave, err := f.enter(ctx, "Config")
	if err != nil {
		return Organization{}, nil, err
	}
	defer leave()
	o := f.org(org)
	if o == nil || f.unreadable[org] != nil {
		return Organization{}, nil, cmp.Or(f.unreadable[org], error(errNotFound))
	}
	return *o, f.webhooksOf(org), nil
}

func (f *fakeStore) VersionsByID(ctx context.Context, ids []VersionID) ([]WebhookVersion, error) {
	leave, err := f.enter(ctx, "VersionsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return selected(f.versions, func(v WebhookVersion) bool { return slices.Contains(ids, v.ID) }), nil
}

func (f *fakeStore) Versions(
	ctx context.Context, org OrgID, id WebhookID, p Page,
) (Slice[WebhookVersion], error) {
	leave, err := f.enter(ctx, "Versions")
	if err != nil {
		return Slice[WebhookVersion]{}, err
	}
	defer leave()
	found := selected(f.versions, func(v WebhookVersion) bool {
		return v.Webhook == id && f.webhooks[id] != nil && f.webhooks[id].Org == org
	})
	slices.Reverse(found)
	return paged(found, p, false), nil
}

func (f *fakeStore) VersionsAt(ctx context.Context, org OrgID, t time.Time) ([]WebhookVersion, error) {
	leave, err := f.enter(ctx, "VersionsAt")
	if err != nil {
		return nil, err
	}
	defer leave()
	at := make(map[WebhookID]WebhookVersion)
	for _, v := range f.versions {
		if f.webhooks[v.Webhook].Org != org {
			continue
		}
		if _, known := at[v.Webhook]; !known || !v.CreatedAt.After(t) {
			at[v.Webhook] = v
		}
	}
	var found []WebhookVersion
	for _, id := range slices.Sorted(maps.Keys(at)) {
		found = append(found, at[id])
	}
	return found, nil
}

func (f *fakeStore) Health(ctx context.Context, ids []WebhookID) ([]WebhookHealth, error) {
	leave, err := f.enter(ctx, "Health")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []WebhookHealth
	for _, id := range ids {
		if h, ok := f.health[id]; ok {
			found = append(found, h)
		}
	}
	return found, nil
}

func (f *fakeStore) RecordHealth(ctx context.Context, list []WebhookHealth) error {
	leave, err := f.enter(ctx, "RecordHealth")
	if err != nil {
		return err
	}
	defer leave()
	for _, h := range list {
		now := f.health[h.Webhook]
		now.Webhook = h.Webhook
		now.LastSuccessAt = later(now.LastSuccessAt, h.LastSuccessAt)
		now.LastFailureAt = later(now.LastFailureAt, h.LastFailureAt)
		switch {
		case !now.LastFailureAt.After(now.LastSuccessAt):
			now.FailingSince = time.Time{}
		case now.FailingSince.IsZero() || now.FailingSince.Before(now.LastSuccessAt):
			now.FailingSince = now.LastFailureAt
		}
		f.health[h.Webhook] = now
	}
	return nil
}

func (f *fakeStore) EventsByID(ctx context.Context, org OrgID, ids []EventID) ([]Event, error) {
	leave, err := f.enter(ctx, "EventsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []Event
	seen := make(map[EventID]bool)
	for _, id := range ids {
		if e, ok := f.events[id]; ok && (org == 0 || e.Org == org) && !seen[id] {
			seen[id] = true
			found = append(found, e)
		}
	}
	return found, nil
}

func (f *fakeStore) Events(ctx context.Context, org OrgID, q EventFilter, p Page) (Slice[Event], error) {
	leave, err := f.enter(ctx, "Events")
	if err != nil {
		return Slice[Event]{}, err
	}
	defer leave()
	var found []Event
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(f.events))) {
		e := f.events[id]
		if e.Org == org && !e.Test && among(q.Types, e.Type) && (q.Item == 0 || e.Item == q.Item) &&
			(q.Group == "" || e.Group == q.Group) && (q.WorkspaceID == "" || e.WorkspaceID == q.WorkspaceID) &&
			(q.SourceEventID == "" || e.SourceEventID == q.SourceEventID) &&
			(q.After.IsZero() || !e.ReceivedAt.Before(q.After)) &&
			(q.Before.IsZero() || e.ReceivedAt.Before(q.Before)) {
			found = append(found, e)
		}
	}
	return paged(found, p, false), nil
}

func (f *fakeStore) EventsOfGroup(
	ctx context.Context, org OrgID, g GroupID, t EventType, limit int,
) ([]Event, error) {
	leave, err := f.enter(ctx, "EventsOfGroup")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []Event
	for _, id := range slices.Sorted(maps.Keys(f.events)) {
		if e := f.events[id]; e.Org == org && e.Group == g && e.Type == t && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, nil
}

// deliveries returns the latest state of all deliveries, newest first.
func (f *fakeStore) deliveries() []Delivery {
	latest := make(map[DeliveryID]Delivery)
	for _, e := range f.log {
		latest[e.Delivery.ID] = e.Delivery
	}
	for id, row := range f.queue {
		d := row.delivery
		if row.owner != (Owner{}) {
			d.State = Sending
		}
		latest[id] = d
	}
	var all []Delivery
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(latest))) {
		all = append(all, latest[id])
	}
	return all
}

func (f *fakeStore) DeliveriesByID(ctx context.Context, org OrgID, ids []DeliveryID) ([]Delivery, error) {
	leave, err := f.enter(ctx, "DeliveriesByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return selected(f.deliveries(), func(d Delivery) bool {
		return (org == 0 || d.Org == org) && slices.Contains(ids, d.ID)
	}), nil
}

func (f *fakeStore) Deliveries(
	ctx context.Context, org OrgID, q DeliveryFilter, p Page,
) (Slice[Delivery], error) {
	leave, err := f.enter(ctx, "Deliveries")
	if err != nil {
		return Slice[Delivery]{}, err
	}
	defer leave()
	m := newEntryFilter(org, q)
	latest := make(map[DeliveryID]*Attempt)
	for _, e := range f.log {
		if e.Attempt != nil {
			latest[e.Delivery.ID] = e.Attempt
		}
	}
	return paged(selected(f.deliveries(), func(d Delivery) bool {
		e := f.events[d.Event]
		return m.entry(&LogEntry{Delivery: d, Attempt: latest[d.ID]}) && (!m.needsEvent || m.event(&e))
	}), p, false), nil
}

func (f *fakeStore) Entries(
	ctx context.Context, org OrgID, ids []DeliveryID,
) (map[DeliveryID][]LogEntry, error) {
	leave, err := f.enter(ctx, "Entries")
	if err != nil {
		return nil, err
	}
	defer leave()
	found := make(map[DeliveryID][]LogEntry)
	for _, e := range f.log {
		if (org == 0 || e.Delivery.Org == org) && slices.Contains(ids, e.Delivery.ID) {
			found[e.Delivery.ID] = append(found[e.Delivery.ID], e)
		}
	}
	return found, nil
}

func (f *fakeStore) EntriesByID(ctx context.Context, org OrgID, ids []LogID) ([]LogEntry, error) {
	leave, err := f.enter(ctx, "EntriesByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return selected(f.log, func(e LogEntry) bool {
		return (org == 0 || e.Delivery.Org == org) && slices.Contains(ids, e.ID)
	}), nil
}

func (f *fakeStore) Pending(ctx context.Context, ids []WebhookID, limit int) (map[WebhookID]Backlog, error) {
	leave, err := f.enter(ctx, "Pending")
	if err != nil {
		return nil, err
	}
	defer leave()
	found := make(map[WebhookID]Backlog)
	for _, row := range f.queue {
		b := found[row.delivery.Webhook]
		if row.held {
			b.Held = min(b.Held+1, limit)
		} else {
			b.Pending = min(b.Pending+1, limit)
		}
		if slices.Contains(ids, row.delivery.Webhook) {
			found[row.delivery.Webhook] = b
		}
	}
	return found, nil
}

var _ Store = (*fakeStore)(nil)
