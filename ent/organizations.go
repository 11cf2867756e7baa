package ent

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	entsql "entgo.io/ent/dialect/sql"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/organization"
	"portalhooks/ent/gen/predicate"
	"portalhooks/ent/sqldb"
)

// chunkSize is how many rows one statement names. Thousands of rows are then
// a few statements, and each stays below both databases' limit on parameters.
const chunkSize = 500

// RegisterOrganizations implements [delivery.OrganizationStore]. It writes only
// when there is something new to write.
func (s *Store) RegisterOrganizations(
	ctx context.Context, orgs []delivery.Organization,
) ([]delivery.Organization, error) {
	wanted := distinctOrganizations(orgs)
	known, err := organizationsNamed(ctx, s.reader.Organization, wanted)
	differs := func(o delivery.Organization) bool { return organizationChanges(known, o) }
	if err == nil && slices.ContainsFunc(wanted, differs) {
		err = s.inTx(ctx, func(tx *gen.Tx) error {
			if err := registerOrganizations(ctx, tx, wanted); err != nil {
				return err
			}
			known, err = organizationsNamed(ctx, tx.Organization, wanted)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("register organizations: %w", sqldb.Unavailable(err))
	}
	stored := func(o delivery.Organization) delivery.Organization { return known[o.ExternalID] }
	return convertAll(orgs, stored), nil
}

// organizationChanges reports whether o differs from what is known.
func organizationChanges(known map[string]delivery.Organization, o delivery.Organization) bool {
	k, found := known[o.ExternalID]
	return !found || o.Name != "" && o.Name != k.Name
}

// distinctOrganizations lists each once, with the last name that was given, in
// one order, so that two callers don't deadlock.
func distinctOrganizations(orgs []delivery.Organization) []delivery.Organization {
	byID := make(map[string]delivery.Organization, len(orgs))
	for _, o := range orgs {
		if earlier, found := byID[o.ExternalID]; found {
			earlier.Name = cmp.Or(o.Name, earlier.Name)
			o = earlier
		}
		byID[o.ExternalID] = o
	}
	return sortedValues(byID)
}

func organizationsNamed(
	ctx context.Context, c *gen.OrganizationClient, orgs []delivery.Organization,
) (map[string]delivery.Organization, error) {
	found := make(map[string]delivery.Organization, len(orgs))
	for chunk := range slices.Chunk(orgs, chunkSize) {
		names := convertAll(chunk, func(o delivery.Organization) string { return o.ExternalID })
		rows, err := c.Query().Where(organization.ExternalIDIn(names...)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found[r.ExternalID] = toOrganization(r)
		}
	}
	return found, nil
}

// registerOrganizations stores the new organizations, except for any that another
// caller has just stored, and then renames the ones whose name has changed.
func registerOrganizations(ctx context.Context, tx *gen.Tx, wanted []delivery.Organization) error {
	known, err := organizationsNamed(ctx, tx.Organization, wanted)
	if err != nil {
		return err
	}
	var fresh, renamed []delivery.Organization
	for _, o := range wanted {
		switch _, found := known[o.ExternalID]; {
		case !organizationChanges(known, o):
		case found:
			renamed = append(renamed, o)
		default:
			fresh = append(fresh, o)
			if o.Name != "" { // in case another caller stores it first
				renamed = append(renamed, o)
			}
		}
	}
	for chunk := range slices.Chunk(fresh, chunkSize) {
		err := tx.Organization.CreateBulk(organizationRows(tx, chunk)...).
			OnConflictColumns(organization.FieldExternalID).DoNothing().Exec(ctx)
		if err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(renamed, chunkSize) {
		err := tx.Organization.CreateBulk(organizationRows(tx, chunk)...).OnConflict(
			entsql.ConflictColumns(organization.FieldExternalID),
			replacing(organization.FieldName, organization.FieldNameKey, organization.FieldSearch),
			whenChanged(organization.Table, organization.FieldName),
		).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func organizationRows(tx *gen.Tx, orgs []delivery.Organization) []*gen.OrganizationCreate {
	return convertAll(orgs, func(o delivery.Organization) *gen.OrganizationCreate {
		name := cmp.Or(o.Name, o.ExternalID)
		return tx.Organization.Create().
			SetID(o.ID).
			SetExternalID(o.ExternalID).
			SetName(name).
			SetNameKey(sortKey(name)).
			SetSearch(searchText(name, o.ExternalID)).
			SetConfigVersion(o.ConfigVersion).
			SetCreatedAt(sqldb.Micros(o.CreatedAt))
	})
}

// OrganizationsByID implements [delivery.OrganizationStore].
func (s *Store) OrganizationsByID(
	ctx context.Context, ids []delivery.OrgID,
) ([]delivery.Organization, error) {
	all, err := inChunks(ids, func(chunk []delivery.OrgID) ([]*gen.Organization, error) {
		return s.reader.Organization.Query().Where(organization.IDIn(chunk...)).All(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read organizations: %w", sqldb.Unavailable(err))
	}
	return convertAll(all, toOrganization), nil
}

// OrganizationByExternalID implements [delivery.OrganizationStore].
func (s *Store) OrganizationByExternalID(
	ctx context.Context, externalID string,
) (delivery.Organization, error) {
	row, err := s.reader.Organization.Query().Where(organization.ExternalID(externalID)).Only(ctx)
	switch {
	case gen.IsNotFound(err):
		return delivery.Organization{}, errNoOrganization
	case err != nil:
		return delivery.Organization{}, fmt.Errorf("read an organization: %w", sqldb.Unavailable(err))
	}
	return toOrganization(row), nil
}

// Organizations implements [delivery.OrganizationStore].
func (s *Store) Organizations(
	ctx context.Context, only []delivery.OrgID, search string, p delivery.Page,
) (delivery.Slice[delivery.Organization], error) {
	var where []predicate.Organization
	if only != nil {
		where = append(where, func(s *entsql.Selector) { s.Where(among(s.C(organization.FieldID), only)) })
	}
	if search != "" {
		where = append(where, organization.SearchContains(fold(search)))
	}
	l := list[*gen.Organization]{
		listing: listing{kind: 'o', column: organization.FieldNameKey, text: true},
		at:      func(r *gen.Organization) position { return position{text: r.NameKey, id: int64(r.ID)} },
		fetch: func(ctx context.Context, narrow func(*entsql.Selector)) ([]*gen.Organization, error) {
			return s.reader.Organization.Query().Where(where...).Where(narrow).All(ctx)
		},
	}
	slice, err := l.page(ctx, p)
	if err != nil {
		return delivery.Slice[delivery.Organization]{}, fmt.Errorf("list organizations: %w", sqldb.Unavailable(err))
	}
	return convertSlice(slice, toOrganization), nil
}
