package memstore

import (
	"cmp"
	"context"
	"slices"

	"portalhooks/delivery"
)

// A change says what storing an item did.
type change int

const (
	unchanged change = iota
	created
	updated
)

// putItem stores an item under its kind and ExternalID. Of one that exists it
// sets Name and ViewURL where they are given; if synced is set, also ViewURL where
// it is empty, and Enabled and Attributes.
func (s *Store) putItem(org delivery.OrgID, given delivery.Item, synced bool) (*delivery.Item, change) {
	at := slices.IndexFunc(s.ItemRows, func(i delivery.Item) bool {
		return i.Org == org && i.Kind == given.Kind && i.ExternalID == given.ExternalID
	})
	if at < 0 {
		given.Org, given.Missing = org, false
		given.Name = cmp.Or(given.Name, given.ExternalID)
		if given.Attributes == nil {
			given.Attributes = []byte("{}")
		}
		s.ItemRows = append(s.ItemRows, given)
		return &s.ItemRows[len(s.ItemRows)-1], created
	}
	known := &s.ItemRows[at]
	next := *known
	next.Name, next.ViewURL = cmp.Or(given.Name, known.Name), cmp.Or(given.ViewURL, known.ViewURL)
	next.Missing = false
	if synced {
		next.ViewURL, next.Enabled, next.Attributes = given.ViewURL, given.Enabled, given.Attributes
	}
	if next.Name == known.Name && next.ViewURL == known.ViewURL && next.Enabled == known.Enabled &&
		string(next.Attributes) == string(known.Attributes) && !known.Missing {
		return known, unchanged
	}
	next.UpdatedAt = given.UpdatedAt
	*known = next
	return known, updated
}

// RegisterItems implements [delivery.ItemStore].
func (s *Store) RegisterItems(
	ctx context.Context, org delivery.OrgID, items []delivery.Item,
) ([]delivery.Item, error) {
	if err := s.lock(ctx, "RegisterItems"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if s.Org(org) == nil {
		return nil, delivery.ErrNotFound
	}
	stored := make([]delivery.Item, len(items))
	for i, given := range items {
		item, _ := s.putItem(org, given, false)
		stored[i] = *item
	}
	return stored, nil
}

// SyncItems implements [delivery.ItemStore].
func (s *Store) SyncItems(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, items []delivery.Item, complete bool,
) (delivery.SyncCounts, error) {
	if err := s.lock(ctx, "SyncItems"); err != nil {
		return delivery.SyncCounts{}, err
	}
	defer s.mu.Unlock()
	if s.Org(org) == nil {
		return delivery.SyncCounts{}, delivery.ErrNotFound
	}
	n := make(map[change]int)
	listed := make(map[string]bool, len(items))
	at := s.now()
	for _, given := range items {
		_, did := s.putItem(org, given, true)
		n[did]++
		listed[given.ExternalID] = true
		at = given.UpdatedAt
	}
	counts := delivery.SyncCounts{Created: n[created], Updated: n[updated], Unchanged: n[unchanged]}
	for i := range s.ItemRows {
		item := &s.ItemRows[i]
		if complete && item.Org == org && item.Kind == kind && !item.Missing && !listed[item.ExternalID] {
			item.Missing, item.UpdatedAt = true, at
			counts.Missing++
		}
	}
	return counts, nil
}

// ItemsByID implements [delivery.ItemStore].
func (s *Store) ItemsByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.ItemID,
) ([]delivery.Item, error) {
	if err := s.lock(ctx, "ItemsByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return selected(s.ItemRows, func(i *delivery.Item) bool {
		return (org == 0 || i.Org == org) && slices.Contains(ids, i.ID)
	}), nil
}

// ItemsByExternalID implements [delivery.ItemStore].
func (s *Store) ItemsByExternalID(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, externalIDs []string,
) ([]delivery.Item, error) {
	if err := s.lock(ctx, "ItemsByExternalID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return selected(s.ItemRows, func(i *delivery.Item) bool {
		return i.Org == org && i.Kind == kind && slices.Contains(externalIDs, i.ExternalID)
	}), nil
}

// Items implements [delivery.ItemStore].
func (s *Store) Items(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, search string, enabledOnly bool,
	p delivery.Page,
) (delivery.Slice[delivery.Item], error) {
	if err := s.lock(ctx, "Items"); err != nil {
		return delivery.Slice[delivery.Item]{}, err
	}
	defer s.mu.Unlock()
	found := selected(s.ItemRows, func(i *delivery.Item) bool {
		return i.Org == org && i.Kind == kind && (i.Enabled || !enabledOnly) && within(search, i.Name, i.ExternalID)
	})
	l := listing[delivery.Item]{
		kind: 'i',
		key:  func(i *delivery.Item) string { return nameKey(i.Name) },
		id:   func(i *delivery.Item) int64 { return int64(i.ID) },
	}
	slice, err := l.page(found, p)
	slice.Total = len(found)
	return slice, err
}
