package ent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/item"
	"portalhooks/ent/sqldb"
)

// An itemKey is Portal's name for an item of one organization.
type itemKey struct {
	kind       delivery.ItemKind
	externalID string
}

func keyOf(i delivery.Item) itemKey { return itemKey{i.Kind, i.ExternalID} }

// Changes are a list of items to register, each once, sorted so that two callers
// don't wait for each other in a circle.
type changes struct {
	org    delivery.OrgID
	items  []delivery.Item
	synced bool // takes Enabled, Attributes and an empty ViewURL too
}

func newChanges(org delivery.OrgID, items []delivery.Item, synced bool) changes {
	byKey := make(map[itemKey]delivery.Item, len(items))
	now := time.Now()
	for _, i := range items {
		i.Org = org
		if i.UpdatedAt.IsZero() {
			i.UpdatedAt = now
		}
		if len(i.Attributes) == 0 {
			i.Attributes = []byte("{}")
		}
		if earlier, found := byKey[keyOf(i)]; found {
			i.ID = earlier.ID
			i.Name = cmp.Or(i.Name, earlier.Name)
			if !synced {
				i.ViewURL = cmp.Or(i.ViewURL, earlier.ViewURL)
			}
		}
		byKey[keyOf(i)] = i
	}
	l := changes{org: org, items: make([]delivery.Item, 0, len(byKey)), synced: synced}
	for _, i := range byKey {
		l.items = append(l.items, i)
	}
	slices.SortFunc(l.items, func(a, b delivery.Item) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ExternalID, b.ExternalID))
	})
	return l
}

// RegisterItems implements [delivery.ItemStore]. It writes only when there is
// something new to write.
func (s *Store) RegisterItems(
	ctx context.Context, org delivery.OrgID, items []delivery.Item,
) ([]delivery.Item, error) {
	l := newChanges(org, items, false)
	known, err := l.known(ctx, s.reader.Item)
	if err == nil && slices.ContainsFunc(l.items, func(i delivery.Item) bool { return l.differs(known, i) }) {
		err = s.inTx(ctx, func(tx *gen.Tx) error {
			if _, err := l.store(ctx, tx); err != nil {
				return err
			}
			known, err = l.known(ctx, tx.Item)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("register items: %w", orgError(err))
	}
	return convertAll(items, func(i delivery.Item) delivery.Item { return known[keyOf(i)] }), nil
}

// SyncItems implements [delivery.ItemStore].
func (s *Store) SyncItems(
	ctx context.Context, org delivery.OrgID, kind delivery.ItemKind, items []delivery.Item, complete bool,
) (delivery.SyncCounts, error) {
	items = slices.Clone(items)
	for i := range items {
		items[i].Kind = kind
	}
	l := newChanges(org, items, true)
	var counts delivery.SyncCounts
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		var err error
		if counts, err = l.store(ctx, tx); err != nil || !complete {
			return err
		}
		counts.Missing, err = l.missOthers(ctx, tx, kind)
		return err
	})
	if err != nil {
		return delivery.SyncCounts{}, fmt.Errorf("sync items: %w", orgError(err))
	}
	return counts, nil
}

// orgError turns the error of an item that refers to no organization into
// NOT_FOUND.
func orgError(err error) error {
	if sqldb.IsOrphan(err) {
		return errNoOrganization
	}
	return sqldb.Unavailable(err)
}

// known reads what is stored of the items.
func (l changes) known(ctx context.Context, c *gen.ItemClient) (map[itemKey]delivery.Item, error) {
	found := make(map[itemKey]delivery.Item, len(l.items))
	for chunk := range slices.Chunk(l.items, chunkSize) {
		names := make([]string, len(chunk))
		var kinds []delivery.ItemKind
		for n, i := range chunk {
			names[n] = i.ExternalID
			if !slices.Contains(kinds, i.Kind) {
				kinds = append(kinds, i.Kind)
			}
		}
		rows, err := c.Query().
			Where(item.OrganizationID(l.org), item.KindIn(kinds...), item.ExternalIDIn(names...)).
			All(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			i := toItem(r)
			found[keyOf(i)] = i
		}
	}
	return found, nil
}

// differs reports whether i says something that is not known.
func (l changes) differs(known map[itemKey]delivery.Item, i delivery.Item) bool {
	k, found := known[keyOf(i)]
	return !found || k.Missing ||
		i.Name != "" && i.Name != k.Name ||
		l.givesViewURL(i) && i.ViewURL != k.ViewURL ||
		l.synced && (i.Enabled != k.Enabled || string(i.Attributes) != string(k.Attributes))
}

// store writes the changes. New items come first, and leave alone what another
// caller has just stored; then every item that differs
// is written over what is there, so that the second to come adds what it
// knows.
func (l changes) store(ctx context.Context, tx *gen.Tx) (delivery.SyncCounts, error) {
	known, err := l.known(ctx, tx.Item)
	if err != nil {
		return delivery.SyncCounts{}, err
	}
	var counts delivery.SyncCounts
	var fresh []delivery.Item
	changed := make(map[string][]delivery.Item) // by the columns that they change
	for _, i := range l.items {
		if !l.differs(known, i) {
			counts.Unchanged++
			continue
		}
		if _, found := known[keyOf(i)]; found {
			counts.Updated++
		} else {
			counts.Created++
			fresh = append(fresh, i)
		}
		given := l.givenColumns(i)
		changed[given] = append(changed[given], i)
	}
	for chunk := range slices.Chunk(fresh, chunkSize) {
		err := tx.Item.CreateBulk(itemRows(tx, chunk)...).OnConflictColumns(
			item.FieldOrganizationID, item.FieldKind, item.FieldExternalID,
		).DoNothing().Exec(ctx)
		if err != nil {
			return counts, err
		}
	}
	for _, group := range sortedValues(changed) {
		if err := l.overwrite(ctx, tx, group); err != nil {
			return counts, err
		}
	}
	return counts, nil
}

// givenColumns tells apart the items that change different columns.
func (l changes) givenColumns(i delivery.Item) string {
	return fmt.Sprintf("%t %t", i.Name != "", l.givesViewURL(i))
}

func (l changes) givesViewURL(i delivery.Item) bool { return l.synced || i.ViewURL != "" }

// overwrite updates items that give the same columns.
func (l changes) overwrite(ctx context.Context, tx *gen.Tx, group []delivery.Item) error {
	compared := []string{item.FieldMissing}
	replaced := []string{item.FieldMissing, item.FieldUpdatedAt}
	if group[0].Name != "" {
		compared = append(compared, item.FieldName)
		replaced = append(replaced, item.FieldName, item.FieldNameKey, item.FieldSearch)
	}
	if l.givesViewURL(group[0]) {
		compared = append(compared, item.FieldViewURL)
		replaced = append(replaced, item.FieldViewURL)
	}
	if l.synced {
		compared = append(compared, item.FieldEnabled, item.FieldAttributes)
		replaced = append(replaced, item.FieldEnabled, item.FieldAttributes)
	}
	for chunk := range slices.Chunk(group, chunkSize) {
		err := tx.Item.CreateBulk(itemRows(tx, chunk)...).OnConflict(
			entsql.ConflictColumns(item.FieldOrganizationID, item.FieldKind, item.FieldExternalID),
			replacing(replaced...),
			whenChanged(item.Table, compared...),
		).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func itemRows(tx *gen.Tx, items []delivery.Item) []*gen.ItemCreate {
	return convertAll(items, func(i delivery.Item) *gen.ItemCreate {
		name := cmp.Or(i.Name, i.ExternalID)
		return tx.Item.Create().
			SetID(i.ID).
			SetOrganizationID(i.Org).
			SetKind(i.Kind).
			SetExternalID(i.ExternalID).
			SetName(name).
			SetNameKey(sortKey(name)).
			SetSearch(searchText(name, i.ExternalID)).
			SetEnabled(i.Enabled).
			SetMissing(false).
			SetViewURL(i.ViewURL).
			SetAttributes(string(i.Attributes)).
			SetUpdatedAt(sqldb.Micros(i.UpdatedAt))
	})
}

// missOthers marks the items of kind that are not listed.
func (l changes) missOthers(ctx context.Context, tx *gen.Tx, kind delivery.ItemKind) (int, error) {
	present := make(map[string]bool, len(l.items))
	at := time.Now()
	for _, i := range l.items {
		present[i.ExternalID] = true
		at = i.UpdatedAt
	}
	rows, err := tx.Item.Query().
		Where(item.OrganizationID(l.org), item.KindEQ(kind), item.Missing(false)).
		Select(item.FieldID, item.FieldExternalID).
		All(ctx)
	if err != nil {
		return 0, err
	}
	var gone []delivery.ItemID
	for _, r := range rows {
		if !present[r.ExternalID] {
			gone = append(gone, r.ID)
		}
	}
	slices.Sort(gone)
	marked := 0
	for chunk := range slices.Chunk(gone, chunkSize) {
		n, err := tx.Item.Update().
			Where(item.IDIn(chunk...), item.Missing(false)).
			SetMissing(true).
			SetUpdatedAt(sqldb.Micros(at)).
			Save(ctx)
		if err != nil {
			return 0, err
		}
		marked += n
	}
	return marked, nil
}
