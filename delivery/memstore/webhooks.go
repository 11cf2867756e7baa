package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

func (f *Store) CreateWebhook(ctx context.Context, w delivery.Webhook, record delivery.AuditEntry) error {
	leave, err := f.enter(ctx, "CreateWebhook")
	if err != nil {
		return err
	}
	defer leave()
	if err := f.twin(w); err != nil {
		return err
	}
	f.WebhookRows[w.ID] = &w
	f.VersionRows = append(f.VersionRows, w.Version)
	f.Org(w.Org).ConfigVersion++
	f.AuditRows = append(f.AuditRows, record)
	return nil
}

// twin returns Duplicate when another webhook has w's fingerprint.
func (f *Store) twin(w delivery.Webhook) error {
	for _, other := range f.WebhookRows {
		if other.ID != w.ID && other.Org == w.Org && !other.Version.Deleted && w.Version.Fingerprint != "" &&
			other.Version.Fingerprint == w.Version.Fingerprint {
			return &delivery.Error{
				Code:    delivery.Duplicate,
				Message: "Another webhook has this configuration.",
				Twin:    other.ID,
			}
		}
	}
	return nil
}

// current returns the webhook that is not deleted.
func (f *Store) current(org delivery.OrgID, id delivery.WebhookID) (*delivery.Webhook, error) {
	w := f.WebhookRows[id]
	if w == nil || w.Org != org || w.Version.Deleted {
		return nil, delivery.ErrNotFound
	}
	return w, nil
}

func (f *Store) UpdateWebhook(
	ctx context.Context, w delivery.Webhook, expected int, record delivery.AuditEntry,
) error {
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
		return delivery.Errorf(delivery.Conflict, "", "Somebody else has changed it.")
	}
	if err := f.twin(w); err != nil {
		return err
	}
	f.endVersion(known.Version.ID, w.Version.CreatedAt)
	w.Secrets = known.Secrets
	f.WebhookRows[w.ID] = &w
	f.VersionRows = append(f.VersionRows, w.Version)
	f.Org(w.Org).ConfigVersion++
	f.AuditRows = append(f.AuditRows, record)
	return nil
}

func (f *Store) endVersion(id delivery.VersionID, at time.Time) {
	for i := range f.VersionRows {
		if f.VersionRows[i].ID == id {
			f.VersionRows[i].EndedAt = at
		}
	}
}

func (f *Store) DeleteWebhook(
	ctx context.Context,
	org delivery.OrgID,
	id delivery.WebhookID,
	at time.Time,
	by string,
	record delivery.AuditEntry,
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
	for i := range f.VersionRows {
		if f.VersionRows[i].ID == w.Version.ID {
			f.VersionRows[i] = w.Version
		}
	}
	for _, row := range f.QueueRows {
		if row.Delivery.Webhook == id {
			row.Cancel, row.Held = true, false
		}
	}
	f.Org(org).ConfigVersion++
	f.AuditRows = append(f.AuditRows, record)
	return nil
}

func (f *Store) WebhooksByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.WebhookID,
) ([]delivery.Webhook, error) {
	leave, err := f.enter(ctx, "WebhooksByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []delivery.Webhook
	for _, id := range ids {
		if w := f.WebhookRows[id]; w != nil && (org == 0 || w.Org == org) {
			found = append(found, *w)
		}
	}
	return found, nil
}

// webhooksOf returns the organization's webhooks that are not deleted, by name.
func (f *Store) webhooksOf(org delivery.OrgID) []delivery.Webhook {
	var found []delivery.Webhook
	for _, w := range f.WebhookRows {
		if w.Org == org && !w.Version.Deleted {
			found = append(found, *w)
		}
	}
	slices.SortFunc(found, func(a, b delivery.Webhook) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return found
}

func (f *Store) Webhooks(
	ctx context.Context,
	org delivery.OrgID,
	q delivery.WebhookFilter,
	o delivery.WebhookOrder,
	descending bool,
	p delivery.Page,
) (delivery.Slice[delivery.Webhook], error) {
	leave, err := f.enter(ctx, "Webhooks")
	if err != nil {
		return delivery.Slice[delivery.Webhook]{}, err
	}
	defer leave()
	found := Selected(f.webhooksOf(org), func(w delivery.Webhook) bool {
		return (within(w.Name, q.Search) || within(w.Version.Target, q.Search)) && delivery.Among(q.Types, w.Version.Type) &&
			(q.Status == "" || w.Status == q.Status) &&
			(q.Item == 0 || w.Version.Selection.Has(q.Item))
	})
	switch o {
	case delivery.ByCreated:
		slices.SortFunc(found, func(a, b delivery.Webhook) int { return a.CreatedAt.Compare(b.CreatedAt) })
	case delivery.ByUpdated:
		slices.SortFunc(found, func(a, b delivery.Webhook) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	}
	if descending {
		slices.Reverse(found)
	}
	return paged(found, p, true), nil
}

func (f *Store) Config(
	ctx context.Context, org delivery.OrgID,
) (delivery.Organization, []delivery.Webhook, error) {
	leave, err := f.enter(ctx, "Config")
	if err != nil {
		return delivery.Organization{}, nil, err
	}
	defer leave()
	o := f.Org(org)
	if o == nil || f.Unreadable[org] != nil {
		return delivery.Organization{}, nil, cmp.Or(f.Unreadable[org], error(delivery.ErrNotFound))
	}
	return *o, f.webhooksOf(org), nil
}

func (f *Store) VersionsByID(
	ctx context.Context, ids []delivery.VersionID,
) ([]delivery.WebhookVersion, error) {
	leave, err := f.enter(ctx, "VersionsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, id := range ids {
		if f.Panics[id] {
			panic("poison")
		}
	}
	return Selected(
		f.VersionRows, func(v delivery.WebhookVersion) bool { return slices.Contains(ids, v.ID) },
	), nil
}

func (f *Store) Versions(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, p delivery.Page,
) (delivery.Slice[delivery.WebhookVersion], error) {
	leave, err := f.enter(ctx, "Versions")
	if err != nil {
		return delivery.Slice[delivery.WebhookVersion]{}, err
	}
	defer leave()
	found := Selected(f.VersionRows, func(v delivery.WebhookVersion) bool {
		return v.Webhook == id && f.WebhookRows[id] != nil && f.WebhookRows[id].Org == org
	})
	slices.Reverse(found)
	return paged(found, p, false), nil
}

func (f *Store) VersionsAt(
	ctx context.Context, org delivery.OrgID, t time.Time,
) ([]delivery.WebhookVersion, error) {
	leave, err := f.enter(ctx, "VersionsAt")
	if err != nil {
		return nil, err
	}
	defer leave()
	at := make(map[delivery.WebhookID]delivery.WebhookVersion)
	for _, v := range f.VersionRows {
		if f.WebhookRows[v.Webhook].Org != org {
			continue
		}
		if _, known := at[v.Webhook]; !known || !v.CreatedAt.After(t) {
			at[v.Webhook] = v
		}
	}
	var found []delivery.WebhookVersion
	for _, id := range slices.Sorted(maps.Keys(at)) {
		found = append(found, at[id])
	}
	return found, nil
}

func (f *Store) Health(ctx context.Context, ids []delivery.WebhookID) ([]delivery.WebhookHealth, error) {
	leave, err := f.enter(ctx, "Health")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []delivery.WebhookHealth
	for _, id := range ids {
		if h, ok := f.HealthRows[id]; ok {
			found = append(found, h)
		}
	}
	return found, nil
}

func (f *Store) RecordHealth(ctx context.Context, list []delivery.WebhookHealth) error {
	leave, err := f.enter(ctx, "RecordHealth")
	if err != nil {
		return err
	}
	defer leave()
	for _, h := range list {
		now := f.HealthRows[h.Webhook]
		now.Webhook = h.Webhook
		now.LastSuccessAt = delivery.Later(now.LastSuccessAt, h.LastSuccessAt)
		now.LastFailureAt = delivery.Later(now.LastFailureAt, h.LastFailureAt)
		switch {
		case !now.LastFailureAt.After(now.LastSuccessAt):
			now.FailingSince = time.Time{}
		case now.FailingSince.IsZero() || now.FailingSince.Before(now.LastSuccessAt):
			now.FailingSince = now.LastFailureAt
		}
		f.HealthRows[h.Webhook] = now
	}
	return nil
}

func (f *Store) EventsByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.EventID,
) ([]delivery.Event, error) {
	leave, err := f.enter(ctx, "EventsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []delivery.Event
	seen := make(map[delivery.EventID]bool)
	for _, id := range ids {
		if e, ok := f.EventRows[id]; ok && (org == 0 || e.Org == org) && !seen[id] {
			seen[id] = true
			found = append(found, e)
		}
	}
	return found, nil
}

func (f *Store) Events(
	ctx context.Context, org delivery.OrgID, q delivery.EventFilter, p delivery.Page,
) (delivery.Slice[delivery.Event], error) {
	leave, err := f.enter(ctx, "Events")
	if err != nil {
		return delivery.Slice[delivery.Event]{}, err
	}
	defer leave()
	var found []delivery.Event
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(f.EventRows))) {
		e := f.EventRows[id]
		if e.Org == org && !e.Test && delivery.Among(q.Types, e.Type) && (q.Item == 0 || e.Item == q.Item) &&
			(q.Group == "" || e.Group == q.Group) && (q.WorkspaceID == "" || e.WorkspaceID == q.WorkspaceID) &&
			(q.SourceEventID == "" || e.SourceEventID == q.SourceEventID) &&
			(q.After.IsZero() || !e.ReceivedAt.Before(q.After)) &&
			(q.Before.IsZero() || e.ReceivedAt.Before(q.Before)) {
			found = append(found, e)
		}
	}
	return paged(found, p, false), nil
}

func (f *Store) EventsOfGroup(
	ctx context.Context, org delivery.OrgID, g delivery.GroupID, t delivery.EventType, limit int,
) ([]delivery.Event, error) {
	leave, err := f.enter(ctx, "EventsOfGroup")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []delivery.Event
	for _, id := range slices.Sorted(maps.Keys(f.EventRows)) {
		if e := f.EventRows[id]; e.Org == org && e.Group == g && e.Type == t && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, nil
}

// AllDeliveries returns the latest state of all deliveries, newest first.
func (f *Store) AllDeliveries() []delivery.Delivery {
	latest := make(map[delivery.DeliveryID]delivery.Delivery)
	for _, e := range f.LogRows {
		latest[e.Delivery.ID] = e.Delivery
	}
	for id, row := range f.QueueRows {
		d := row.Delivery
		if row.Owner != (delivery.Owner{}) {
			d.State = delivery.Sending
		}
		latest[id] = d
	}
	var all []delivery.Delivery
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(latest))) {
		all = append(all, latest[id])
	}
	return all
}

func (f *Store) DeliveriesByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.DeliveryID,
) ([]delivery.Delivery, error) {
	leave, err := f.enter(ctx, "DeliveriesByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return Selected(f.AllDeliveries(), func(d delivery.Delivery) bool {
		return (org == 0 || d.Org == org) && slices.Contains(ids, d.ID)
	}), nil
}

func (f *Store) Deliveries(
	ctx context.Context, org delivery.OrgID, q delivery.DeliveryFilter, p delivery.Page,
) (delivery.Slice[delivery.Delivery], error) {
	leave, err := f.enter(ctx, "Deliveries")
	if err != nil {
		return delivery.Slice[delivery.Delivery]{}, err
	}
	defer leave()
	m := delivery.NewEntryFilter(org, q)
	latest := make(map[delivery.DeliveryID]*delivery.Attempt)
	for _, e := range f.LogRows {
		if e.Attempt != nil {
			latest[e.Delivery.ID] = e.Attempt
		}
	}
	return paged(Selected(f.AllDeliveries(), func(d delivery.Delivery) bool {
		e := f.EventRows[d.Event]
		return m.Entry(&delivery.LogEntry{Delivery: d, Attempt: latest[d.ID]}) && (!m.NeedsEvent || m.Event(&e))
	}), p, false), nil
}

func (f *Store) Entries(
	ctx context.Context, org delivery.OrgID, ids []delivery.DeliveryID,
) (map[delivery.DeliveryID][]delivery.LogEntry, error) {
	leave, err := f.enter(ctx, "Entries")
	if err != nil {
		return nil, err
	}
	defer leave()
	found := make(map[delivery.DeliveryID][]delivery.LogEntry)
	for _, e := range f.LogRows {
		if (org == 0 || e.Delivery.Org == org) && slices.Contains(ids, e.Delivery.ID) {
			found[e.Delivery.ID] = append(found[e.Delivery.ID], e)
		}
	}
	return found, nil
}

func (f *Store) EntriesByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.LogID,
) ([]delivery.LogEntry, error) {
	leave, err := f.enter(ctx, "EntriesByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return Selected(f.LogRows, func(e delivery.LogEntry) bool {
		return (org == 0 || e.Delivery.Org == org) && slices.Contains(ids, e.ID)
	}), nil
}

func (f *Store) Pending(
	ctx context.Context, ids []delivery.WebhookID, limit int,
) (map[delivery.WebhookID]delivery.Backlog, error) {
	leave, err := f.enter(ctx, "Pending")
	if err != nil {
		return nil, err
	}
	defer leave()
	found := make(map[delivery.WebhookID]delivery.Backlog)
	for _, row := range f.QueueRows {
		b := found[row.Delivery.Webhook]
		if row.Held {
			b.Held = min(b.Held+1, limit)
		} else {
			b.Pending = min(b.Pending+1, limit)
		}
		if slices.Contains(ids, row.Delivery.Webhook) {
			found[row.Delivery.Webhook] = b
		}
	}
	return found, nil
}

var _ delivery.Store = (*Store)(nil)
