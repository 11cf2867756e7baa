package service

import (
	"context"
	"slices"
	"strings"

	"portalhooks/delivery"
)

// maxSearch is the longest text to search for, in bytes.
const maxSearch = 200

// Organization returns the organization that ref names: our org_… id or
// Portal's own. An empty ref stands for the only organization of a caller who
// has exactly one; for others it is Required. It returns NotFound for an
// organization that the caller may not see.
func (s *Service) Organization(
	ctx context.Context, c delivery.Caller, ref string,
) (*delivery.Organization, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	org, err := s.findOrganization(ctx, c, ref)
	if err == nil {
		err = c.CheckRead(org.ID)
	}
	if delivery.CodeOf(err) == delivery.NotFound {
		return nil, errNoOrganization
	}
	return &org, err
}

// errNoOrganization is the same for what does not exist and what the caller may
// not see.
var errNoOrganization = delivery.Errorf(delivery.NotFound, "organizationId",
	"There is no organization with this id, neither ours nor Portal's, or you may not see it.")

func (s *Service) findOrganization(
	ctx context.Context, c delivery.Caller, ref string,
) (delivery.Organization, error) {
	if ref == "" {
		if c.Portal {
			return delivery.Organization{}, delivery.Errorf(delivery.Forbidden, "",
				"Portal's key reports events and items, and reads nothing. Use an API key with the role viewer.")
		}
		if len(c.Grants) != 1 || c.Operator {
			return delivery.Organization{}, delivery.Errorf(delivery.Required, "organizationId",
				"Say which organization: its id, or Portal's id of it.")
		}
		for id := range c.Grants {
			return s.storedOrganization(ctx, id)
		}
	}
	// Of other organizations nothing is read, so that theirs take as long as none.
	if id, ok := delivery.ParseOrgID(ref); ok && c.CheckRead(id) == nil {
		org, err := s.storedOrganization(ctx, id)
		if delivery.CodeOf(err) != delivery.NotFound {
			return org, err
		}
	}
	if !delivery.Storable(ref) {
		return delivery.Organization{}, delivery.ErrNotFound
	}
	org, err := s.store.OrganizationByExternalID(ctx, ref)
	if delivery.CodeOf(err) == delivery.NotFound {
		return delivery.Organization{}, delivery.ErrNotFound
	}
	return org, err
}

// storedOrganization reads an organization. It returns NotFound when there is
// none.
func (s *Service) storedOrganization(ctx context.Context, id delivery.OrgID) (delivery.Organization, error) {
	found, err := s.store.OrganizationsByID(ctx, []delivery.OrgID{id})
	if err != nil {
		return delivery.Organization{}, err
	}
	if len(found) == 0 {
		return delivery.Organization{}, delivery.ErrNotFound
	}
	return found[0], nil
}

// Organizations lists, by name, the organizations that the caller may see and
// whose name or id contains search.
func (s *Service) Organizations(
	ctx context.Context, c delivery.Caller, search string, p delivery.Page,
) (delivery.Slice[delivery.Organization], error) {
	if !c.Known() {
		return delivery.Slice[delivery.Organization]{}, delivery.ErrUnauthenticated
	}
	p, err := p.Bounded()
	if err != nil {
		return delivery.Slice[delivery.Organization]{}, err
	}
	search, err = searched("search", search)
	if err != nil {
		return delivery.Slice[delivery.Organization]{}, err
	}
	if c.Operator {
		return s.store.Organizations(ctx, nil, search, p)
	}
	if len(c.Grants) == 0 {
		return delivery.Slice[delivery.Organization]{}, nil
	}
	only := make([]delivery.OrgID, 0, len(c.Grants))
	for id := range c.Grants {
		only = append(only, id)
	}
	slices.Sort(only)
	return s.store.Organizations(ctx, only, search, p)
}

// OrganizationsByID returns the organizations with the ids, nil where there is
// none that the caller may see.
func (s *Service) OrganizationsByID(
	ctx context.Context, c delivery.Caller, ids []delivery.OrgID,
) ([]*delivery.Organization, error) {
	if !c.Known() {
		return nil, delivery.ErrUnauthenticated
	}
	found, err := s.store.OrganizationsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return align(ids, found,
		func(o *delivery.Organization) delivery.OrgID { return o.ID },
		func(o *delivery.Organization) bool { return c.CheckRead(o.ID) == nil }), nil
}

// searched returns a text to search for, without the spaces around it. Field is the
// argument that has it.
func searched(field, text string) (string, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxSearch {
		return "", delivery.Errorf(delivery.Invalid, field, "Search for at most %d bytes.", maxSearch)
	}
	return delivery.Clean(text), nil
}
