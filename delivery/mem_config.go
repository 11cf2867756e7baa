package delivery

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

func (f *fakeStore) org(id OrgID) *Organization {
	for i := range f.orgs {
		if f.orgs[i].ID == id {
			return &f.orgs[i]
		}
	}
	return nil
}

func (f *fakeStore) LearnOrganizations(ctx context.Context, orgs []Organization) ([]Organization, error) {
	leave, err := f.enter(ctx, "LearnOrganizations")
	if err != nil {
		return nil, err
	}
	defer leave()
	learnt := make([]Organization, len(orgs))
	for i, o := range orgs {
		at := slices.IndexFunc(f.orgs, func(k Organization) bool { return k.ExternalID == o.ExternalID })
		if at < 0 {
			at = len(f.orgs)
			f.orgs = append(f.orgs, o)
			f.orgs[at].Name = cmp.Or(o.Name, o.ExternalID)
			f.orgs[at].ConfigVersion = 1
		}
		f.orgs[at].Name = cmp.Or(o.Name, f.orgs[at].Name)
		learnt[i] = f.orgs[at]
	}
	return learnt, nil
}

func (f *fakeStore) OrganizationsByID(ctx context.Context, ids []OrgID) ([]Organization, error) {
	leave, err := f.enter(ctx, "OrganizationsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return selected(f.orgs, func(o Organization) bool { return slices.Contains(ids, o.ID) }), nil
}

func (f *fakeStore) OrganizationByExternalID(ctx context.Context, externalID string) (Organization, error) {
	leave, err := f.enter(ctx, "OrganizationByExternalID")
	if err != nil {
		return Organization{}, err
	}
	defer leave()
	for _, o := range f.orgs {
		if o.ExternalID == externalID {
			return o, nil
		}
	}
	return Organization{}, errNotFound
}

func (f *fakeStore) Organizations(
	ctx context.Context, only []OrgID, search string, p Page,
) (Slice[Organization], error) {
	leave, err := f.enter(ctx, "Organizations")
	if err != nil {
		return Slice[Organization]{}, err
	}
	defer leave()
	found := selected(f.orgs, func(o Organization) bool {
		return (only == nil || slices.Contains(only, o.ID)) &&
			(within(o.Name, search) || within(o.ExternalID, search))
	})
	slices.SortFunc(found, func(a, b Organization) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return paged(found, p, false), nil
}

func (f *fakeStore) LearnItems(ctx context.Context, org OrgID, items []Item) ([]Item, error) {
	leave, err := f.enter(ctx, "LearnItems")
	if err != nil {
		return nil, err
	}
	defer leave()
	learnt := make([]Item, len(items))
	for i, item := range items {
		at := f.item(org, item)
		if at < 0 {
			f.items = append(f.items, item)
			learnt[i] = item
			continue
		}
		known := &f.items[at]
		known.Name, known.ViewURL = cmp.Or(item.Name, known.Name), cmp.Or(item.ViewURL, known.ViewURL)
		known.Missing = false
		learnt[i] = *known
	}
	return learnt, nil
}

func (f *fakeStore) item(org OrgID, item Item) int {
	return slices.IndexFunc(f.items, func(k Item) bool {
		return k.Org == org && k.Kind == item.Kind && k.ExternalID == item.ExternalID
	})
}

func (f *fakeStore) SyncItems(
	ctx context.Context, org OrgID, kind ItemKind, items []Item, complete bool,
) (SyncCounts, error) {
	leave, err := f.enter(ctx, "SyncItems")
	if err != nil {
		return SyncCounts{}, err
	}
	defer leave()
	var counts SyncCounts
	listed := make(map[string]bool)
	for _, item := range items {
		listed[item.ExternalID] = true
		at := f.item(org, item)
		if at < 0 {
			f.items = append(f.items, item)
			counts.Created++
			continue
		}
		known := f.items[at]
		changed := known
		changed.Name, changed.ViewURL = cmp.Or(item.Name, known.Name), cmp.Or(item.ViewURL, known.ViewURL)
		changed.Enabled, changed.Attributes, changed.Missing = item.Enabled, item.Attributes, false
		if changed.Name == known.Name && changed.ViewURL == known.ViewURL && changed.Enabled == known.Enabled &&
			string(changed.Attributes) == string(known.Attributes) && !known.Missing {
			counts.Unchanged++
			continue
		}
		changed.UpdatedAt = item.UpdatedAt
		f.items[at] = changed
		counts.Updated++
	}
	for i := range f.items {
		k := &f.items[i]
		if complete && k.Org == org && k.Kind == kind && !listed[k.ExternalID] && !k.Missing {
			k.Missing = true
			counts.Missing++
		}
	}
	return counts, nil
}

func (f *fakeStore) ItemsByID(ctx context.Context, org OrgID, ids []ItemID) ([]Item, error) {
	leave, err := f.enter(ctx, "ItemsByID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return selected(f.items, func(i Item) bool {
		return (org == 0 || i.Org == org) && slices.Contains(ids, i.ID)
	}), nil
}

func (f *fakeStore) ItemsByExternalID(
	ctx context.Context, org OrgID, kind ItemKind, externalIDs []string,
) ([]Item, error) {
	leave, err := f.enter(ctx, "ItemsByExternalID")
	if err != nil {
		return nil, err
	}
	defer leave()
	return selected(f.items, func(i Item) bool {
		return i.Org == org && i.Kind == kind && slices.Contains(externalIDs, i.ExternalID)
	}), nil
}

func (f *fakeStore) Items(
	ctx context.Context, org OrgID, kind ItemKind, search string, enabledOnly bool, p Page,
) (Slice[Item], error) {
	leave, err := f.enter(ctx, "Items")
	if err != nil {
		return Slice[Item]{}, err
	}
	defer leave()
	found := selected(f.items, func(i Item) bool {
		return i.Org == org && i.Kind == kind && (i.Enabled || !enabledOnly) && within(i.Name, search)
	})
	slices.SortFunc(found, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return paged(found, p, true), nil
}

func selected[T any](list []T, wanted func(T) bool) []T {
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

func (f *fakeStore) DiscardSessions(ctx context.Context, t time.Time) (bool, error) {
	leave, err := f.enter(ctx, "DiscardSessions")
	if err != nil {
		return false, err
	}
	defer leave()
	f.sessions = slices.DeleteFunc(f.sessions, func(s Session) bool { return s.SeenAt.Before(t) })
	return false, nil
}
