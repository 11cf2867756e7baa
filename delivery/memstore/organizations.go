package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"portalhooks/delivery"
)

// Org returns the organization, nil when there is none. Call it within Change.
func (s *Store) Org(id delivery.OrgID) *delivery.Organization {
	return s.org(func(o delivery.Organization) bool { return o.ID == id })
}

func (s *Store) org(is func(delivery.Organization) bool) *delivery.Organization {
	if i := slices.IndexFunc(s.OrgRows, is); i >= 0 {
		return &s.OrgRows[i]
	}
	return nil
}

func (s *Store) orgNamed(externalID string) *delivery.Organization {
	return s.org(func(o delivery.Organization) bool { return o.ExternalID == externalID })
}

// RegisterOrganizations implements [delivery.OrganizationStore].
func (s *Store) RegisterOrganizations(
	ctx context.Context, orgs []delivery.Organization,
) ([]delivery.Organization, error) {
	if err := s.lock(ctx, "RegisterOrganizations"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, o := range orgs {
		known := s.orgNamed(o.ExternalID)
		if known == nil {
			s.OrgRows = append(s.OrgRows, o)
			known = &s.OrgRows[len(s.OrgRows)-1]
		}
		known.Name = cmp.Or(o.Name, known.Name, o.ExternalID)
	}
	stored := make([]delivery.Organization, len(orgs))
	for i, o := range orgs {
		stored[i] = *s.orgNamed(o.ExternalID)
	}
	return stored, nil
}

// OrganizationsByID implements [delivery.OrganizationStore].
func (s *Store) OrganizationsByID(
	ctx context.Context, ids []delivery.OrgID,
) ([]delivery.Organization, error) {
	if err := s.lock(ctx, "OrganizationsByID"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return selected(s.OrgRows, func(o *delivery.Organization) bool { return slices.Contains(ids, o.ID) }), nil
}

// OrganizationByExternalID implements [delivery.OrganizationStore].
func (s *Store) OrganizationByExternalID(
	ctx context.Context, externalID string,
) (delivery.Organization, error) {
	if err := s.lock(ctx, "OrganizationByExternalID"); err != nil {
		return delivery.Organization{}, err
	}
	defer s.mu.Unlock()
	if o := s.orgNamed(externalID); o != nil {
		return *o, nil
	}
	return delivery.Organization{}, delivery.ErrNotFound
}

// Organizations implements [delivery.OrganizationStore].
func (s *Store) Organizations(
	ctx context.Context, only []delivery.OrgID, search string, p delivery.Page,
) (delivery.Slice[delivery.Organization], error) {
	if err := s.lock(ctx, "Organizations"); err != nil {
		return delivery.Slice[delivery.Organization]{}, err
	}
	defer s.mu.Unlock()
	l := listing[delivery.Organization]{
		kind: 'o',
		key:  func(o *delivery.Organization) string { return nameKey(o.Name) },
		id:   func(o *delivery.Organization) int64 { return int64(o.ID) },
	}
	return l.page(selected(s.OrgRows, func(o *delivery.Organization) bool {
		return (only == nil || slices.Contains(only, o.ID)) && within(search, o.Name, o.ExternalID)
	}), p)
}

// nameKey orders names in any case.
func nameKey(name string) string { return fold(strings.TrimSpace(name)) }
