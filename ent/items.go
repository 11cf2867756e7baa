package ent

import (
	"context"
	"fmt"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/item"
	"portalhooks/ent/gen/predicate"
	"portalhooks/ent/sqldb"
)

// ItemsByID implements [delivery.ItemStore].
func (s *Store) ItemsByID(
	ctx context.Context, org delivery.OrgID, ids []delivery.ItemID,
) ([]delivery.Item, error) {
	rows, err := inChunks(ids, func(chunk []delivery.ItemID) ([]*gen.Item, error) {
		q := s.reader.Item.Query().Where(item.IDIn(chunk...))
		if org != 0 {
			q.Where(item.OrganizationID(org))
		}
		return q.All(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read items: %w", sqldb.Unavailable(err))
	}
	return convertAll(rows, toItem), nil
}

// ItemsByExternalID implements [delivery.ItemStore].
func (s *Store) ItemsByExternalID(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, externalIDs []string,
) ([]delivery.Item, error) {
	rows, err := inChunks(externalIDs, func(chunk []string) ([]*gen.Item, error) {
		return s.reader.Item.Query().
			Where(item.OrganizationID(org), item.KindEQ(kind), item.ExternalIDIn(chunk...)).
			All(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read items: %w", sqldb.Unavailable(err))
	}
	return convertAll(rows, toItem), nil
}

// Items implements [delivery.ItemStore].
func (s *Store) Items(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind,
	search string, enabledOnly bool, p delivery.Page,
) (delivery.Slice[delivery.Item], error) {
	where := []predicate.Item{item.OrganizationID(org), item.KindEQ(kind)}
	if search != "" {
		where = append(where, item.SearchContains(fold(search)))
	}
	if enabledOnly {
		where = append(where, item.Enabled(true))
	}
	l := list[*gen.Item]{
		listing: listing{kind: 'i', column: item.FieldNameKey, text: true},
		at:      func(r *gen.Item) position { return position{text: r.NameKey, id: int64(r.ID)} },
		fetch: func(ctx context.Context, narrow func(*entsql.Selector)) ([]*gen.Item, error) {
			return s.reader.Item.Query().Where(where...).Where(narrow).All(ctx)
		},
	}
	rows, err := l.page(ctx, p)
	if err != nil {
		return delivery.Slice[delivery.Item]{}, fmt.Errorf("list items: %w", sqldb.Unavailable(err))
	}
	slice := convertSlice(rows, toItem)
	if slice.Total, err = s.reader.Item.Query().Where(where...).Count(ctx); err != nil {
		return delivery.Slice[delivery.Item]{}, fmt.Errorf("count items: %w", sqldb.Unavailable(err))
	}
	return slice, nil
}
