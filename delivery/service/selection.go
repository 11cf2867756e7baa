package service

import (
	"context"
	"fmt"
	"slices"

	"portalhooks/delivery"
)

// A SelectionInput selects items. Exactly one of the three is given.
type SelectionInput struct {
	All         bool
	ItemIDs     []string // itm_…
	ExternalIDs []string // Portal's own ids
}

// selection returns the selected items of the type's kind, sorted.
func (s *Service) selection(
	ctx context.Context, c *checker, org delivery.OrgID, t delivery.EventType, in *SelectionInput,
) (delivery.Selection, error) {
	given := 0
	for _, one := range []bool{in.All, in.ItemIDs != nil, in.ExternalIDs != nil} {
		if one {
			given++
		}
	}
	n := len(in.ItemIDs) + len(in.ExternalIDs)
	switch {
	case given > 1:
		c.Fail(delivery.Invalid, "selection", "Give exactly one of all, itemIds and externalIds.")
	case in.All:
		return delivery.Selection{All: true}, nil
	case n == 0:
		c.Fail(delivery.Required, "selection", "Select at least one item, or all.")
	case n > MaxSelectedItems:
		c.Fail(delivery.LimitExceeded, "selection", "Select at most %d items, or all.", MaxSelectedItems)
	default:
		items, err := s.selectedItems(ctx, c, org, t, in)
		slices.Sort(items)
		return delivery.Selection{Items: slices.Compact(items)}, err
	}
	return delivery.Selection{}, nil
}

func (s *Service) selectedItems(
	ctx context.Context, c *checker, org delivery.OrgID, t delivery.EventType, in *SelectionInput,
) ([]delivery.ItemID, error) {
	info, _ := delivery.TypeInfoOf(t)
	if in.ExternalIDs != nil {
		wanted := slices.DeleteFunc(
			slices.Clone(in.ExternalIDs), func(id string) bool { return !delivery.Storable(id) },
		)
		found, err := s.store.ItemsByExternalID(ctx, org, info.ItemKind, wanted)
		if err != nil {
			return nil, fmt.Errorf("find selected items: %w", err)
		}
		byID := make(map[string]delivery.ItemID, len(found))
		for _, item := range found {
			byID[item.ExternalID] = item.ID
		}
		return resolved(c, "selection.externalIds", in.ExternalIDs, func(id string) (delivery.ItemID, bool) {
			item, ok := byID[id]
			return item, ok
		}), nil
	}
	ids := make([]delivery.ItemID, 0, len(in.ItemIDs))
	for _, text := range in.ItemIDs {
		if id, ok := delivery.ParseItemID(text); ok {
			ids = append(ids, id)
		}
	}
	found, err := s.store.ItemsByID(ctx, org, ids)
	if err != nil {
		return nil, fmt.Errorf("find selected items: %w", err)
	}
	right := make(map[delivery.ItemID]bool, len(found))
	for _, item := range found {
		right[item.ID] = item.Kind == info.ItemKind
	}
	return resolved(c, "selection.itemIds", in.ItemIDs, func(text string) (delivery.ItemID, bool) {
		id, _ := delivery.ParseItemID(text)
		return id, right[id]
	}), nil
}

// resolved returns the item of each id and complains about those without one.
func resolved(
	c *checker, field string, ids []string, find func(string) (delivery.ItemID, bool),
) []delivery.ItemID {
	items := make([]delivery.ItemID, 0, len(ids))
	for i, id := range ids {
		item, ok := find(id)
		if !ok {
			c.Fail(delivery.NotFound, fmt.Sprintf("%s.%d", field, i),
				"This organization has no such item that goes with the event type.")
			continue
		}
		items = append(items, item)
	}
	return items
}
