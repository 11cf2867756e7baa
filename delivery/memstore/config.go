package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"portalhooks/delivery"
)

func (f *Store) Org(id delivery.OrgID) *delivery.Organization {
	for i := range f.OrgRows {
		if f.OrgRows[i].ID == id {
			return &f.OrgRows[i]
		}
	}
	return nil
}

func (f *Store) LearnOrganizations(
	ctx context.Context, orgs []delivery.Organization,
) ([]delivery.Organization, error) {
	leave, err := f.enter(ctx, "LearnOrganizations")
	if err != nil {
		return nil, err
	}
	defer leave()
	learnt := make([]delivery.Organization, len(orgs))
	for i, o := range orgs {
		at := slices.IndexFunc(
			f.OrgRows, func(k delivery.Organization) bool { return k.ExternalID == o.ExternalID },
		)
		if at < 0 {
			at = len(f.OrgRows)
			f.OrgRows = append(f.OrgRows, o)
			f.OrgRows[at].Name = cmp.Or(o.Name, o.ExternalID)
			f.OrgRows[at].ConfigVersion = 1
		}
		f.OrgRows[at].Name = cmp.Or(o.Name, f.OrgRows[at].Name)
		learnt[i] = f.OrgRows[at]
	}
	return learnt, nil
}

func (f *Store) OrganizationsByID(
	ctx context.Context, ids []delivery.OrgID,
) ([]delivery.Organization, error) {
	leave, err := f.enter(ctx, "OrganizationsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return Selected(f.OrgRows, func(o delivery.Organization) bool { return slices.Contains(ids, o.ID) }), nil
}

func (f *Store) OrganizationByExternalID(
	ctx context.Context, externalID string,
) (delivery.Organization, error) {
	leave, err := f.enter(ctx, "OrganizationByExternalID")
	if err != nil {
		return delivery.Organization{}, err
	}
	defer leave()
	for _, o := range f.OrgRows {
		if o.ExternalID == externalID {
			return o, nil
		}
	}
	return delivery.Organization{}, delivery.ErrNotFound
}

func (f *Store) Organizations(
	ctx context.Context, only []delivery.OrgID, search string, p delivery.Page,
) (delivery.Slice[delivery.Organization], error) {
	leave, err := f.enter(ctx, "Organizations")
	if err != nil {
		return delivery.Slice[delivery.Organization]{}, err
	}
	defer leave()
	found := Selected(f.OrgRows, func(o delivery.Organization) bool {
		return (only == nil || slices.Contains(only, o.ID)) &&
			(within(o.Name, search) || within(o.ExternalID, search))
	})
	slices.SortFunc(found, func(a, b delivery.Organization) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return paged(found, p, false), nil
}

func (f *Store) LearnItems(
	ctx context.Context, org delivery.OrgID, items []delivery.Item,
) ([]delivery.Item, error) {
	leave, err := f.enter(ctx, "LearnItems")
	if err != nil {
		return nil, err
	}
	defer leave()
	learnt := make([]delivery.Item, len(items))
	for i, item := range items {
		at := f.item(org, item)
		if at < 0 {
			f.ItemRows = append(f.ItemRows, item)
			learnt[i] = item
			continue
		}
		known := &f.ItemRows[at]
		known.Name, known.ViewURL = cmp.Or(item.Name, known.Name), cmp.Or(item.ViewURL, known.ViewURL)
		known.Missing = false
		learnt[i] = *known
	}
	return learnt, nil
}

func (f *Store) item(org delivery.OrgID, item delivery.Item) int {
	return slices.IndexFunc(f.ItemRows, func(k delivery.Item) bool {
		return k.Org == org && k.Kind == item.Kind && k.ExternalID == item.ExternalID
	})
}

func (f *Store) SyncItems(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, items []delivery.Item, complete bool,
) (delivery.SyncCounts, error) {
	leave, err := f.enter(ctx, "SyncItems")
	if err != nil {
		return delivery.SyncCounts{}, err
	}
	defer leave()
	var counts delivery.SyncCounts
	listed := make(map[string]bool)
	for _, item := range items {
		listed[item.ExternalID] = true
		at := f.item(org, item)
		if at < 0 {
			f.ItemRows = append(f.ItemRows, item)
			counts.Created++
			continue
		}
		known := f.ItemRows[at]
		changed := known
		changed.Name, changed.ViewURL = cmp.Or(item.Name, known.Name), cmp.Or(item.ViewURL, known.ViewURL)
		changed.Enabled, changed.Attributes, changed.Missing = item.Enabled, item.Attributes, false
		if changed.Name == known.Name && changed.ViewURL == known.ViewURL && changed.Enabled == known.Enabled &&
			string(changed.Attributes) == string(known.Attributes) && !known.Missing {
			counts.Unchanged++
			continue
		}
		changed.UpdatedAt = item.UpdatedAt
		f.ItemRows[at] = changed
		counts.Updated++
	}
	for i := range f.ItemRows {
		k := &f.ItemRows[i]
		if complete && k.Org == org && k.Kind == kind && !listed[k.ExternalID] && !k.Missing {
			k.Missing = true
			counts.Missing++
		}
	}
	return counts, nil
}

func (f *Store) ItemsByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.ItemID,
) ([]delivery.Item, error) {
	leave, err := f.enter(ctx, "ItemsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return Selected(f.ItemRows, func(i delivery.Item) bool {
		return (org == 0 || i.Org == org) && slices.Contains(ids, i.ID)
	}), nil
}

func (f *Store) ItemsByExternalID(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, externalIDs []string,
) ([]delivery.Item, error) {
	leave, err := f.enter(ctx, "ItemsByExternalID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return Selected(f.ItemRows, func(i delivery.Item) bool {
		return i.Org == org && i.Kind == kind && slices.Contains(externalIDs, i.ExternalID)
	}), nil
}

func (f *Store) Items(
	ctx context.Context,
	org delivery.OrgID,
	kind delivery.ItemKind,
	search string,
	enabledOnly bool,
	p delivery.Page,
) (delivery.Slice[delivery.Item], error) {
	leave, err := f.enter(ctx, "Items")
	if err != nil {
		return delivery.Slice[delivery.Item]{}, err
	}
	defer leave()
	found := Selected(f.ItemRows, func(i delivery.Item) bool {
		return i.Org == org && i.Kind == kind && (i.Enabled || !enabledOnly) && within(i.Name, search)
	})
	slices.SortFunc(found, func(a, b delivery.Item) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return paged(found, p, true), nil
}

func Selected[T any](list []T, wanted func(T) bool) []T {
	var found []T
	for _, one := range list {
		if wanted(one) {
			found = append(found, one)
		}
	}
	return found
}

func within(text, search string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(search))
}

func (f *Store) DiscardSessions(ctx context.Context, t time.Time) (bool, error) {
	leave, err := f.enter(ctx, "DiscardSessions")
	if err != nil {
		return false, err
	}
	defer leave()
	f.SessionRows = slices.DeleteFunc(f.SessionRows, func(s delivery.Session) bool { return s.SeenAt.Before(t) })
	return false, nil
}
