package delivery

import (
	"context"
	"slices"
	"strings"
)

// maxSearch is the longest text to search for, in bytes.
const maxSearch = 200

// Organization returns the organization that ref names: our org_… id or
// Portal's own. An empty ref stands for the only organization of a caller who
// has exactly one; for others it is Required. It returns NotFound for an
// organization that the caller may not see.
func (s *Service) Organization(ctx context.Context, c Caller, ref string) (*Organization, error) {
	if !c.Known() {
		return nil, errUnauthenticated
	}
	org, err := s.findOrganization(ctx, c, ref)
	if err != nil {
		return nil, err
	}
	if err := c.checkRead(org.ID); err != nil {
		return nil, err
	}
	return &org, nil
}

func (s *Service) findOrganization(ctx context.Context, c Caller, ref string) (Organization, error) {
	if ref == "" {
		if len(c.Grants) != 1 || c.Operator {
			return Organization{}, Errorf(Required, "organizationId",
				"Say which organization: its id, or Portal's id of it.")
		}
		for id := range c.Grants {
			return s.storedOrganization(ctx, id)
		}
	}
	if id, ok := ParseOrgID(ref); ok {
		org, err := s.storedOrganization(ctx, id)
		if CodeOf(err) != NotFound {
			return org, err
		}
	}
	if !storable(ref) {
		return Organization{}, errNotFound
	}
	org, err := s.store.OrganizationByExternalID(ctx, ref)
	if CodeOf(err) == NotFound {
		return Organization{}, errNotFound
	}
	return org, err
}

// storedOrganization reads an organization. It returns NotFound when there is
// none.
func (s *Service) storedOrganization(ctx context.Context, id OrgID) (Organization, error) {
	found, err := s.store.OrganizationsByID(ctx, []OrgID{id})
	if err != nil {
		return Organization{}, err
	}
	if len(found) == 0 {
		return Organization{}, errNotFound
	}
	return found[0], nil
}

// Organizations lists, by name, the organizations that the caller may see and
// whose name or id contains search.
func (s *Service) Organizations(
	ctx context.Context, c Caller, search string, p Page,
) (Slice[Organization], error) {
	if !c.Known() {
		return Slice[Organization]{}, errUnauthenticated
	}
	p, err := p.bounded()
	if err != nil {
		return Slice[Organization]{}, err
	}
	search, err = searched(search)
	if err != nil {
		return Slice[Organization]{}, err
	}
	if c.Operator {
		return s.store.Organizations(ctx, nil, search, p)
	}
	if len(c.Grants) == 0 {
		return Slice[Organization]{}, nil
	}
	only := make([]OrgID, 0, len(c.Grants))
	for id := range c.Grants {
		only = append(only, id)
	}
	slices.Sort(only)
	return s.store.Organizations(ctx, only, search, p)
}

// OrganizationsByID returns the organizations with the ids, nil where there is
// none that the caller may see.
func (s *Service) OrganizationsByID(ctx context.Context, c Caller, ids []OrgID) ([]*Organization, error) {
	if !c.Known() {
		return nil, errUnauthenticated
	}
	found, err := s.store.OrganizationsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	return align(ids, found,
		func(o *Organization) OrgID { return o.ID },
		func(o *Organization) bool { return c.checkRead(o.ID) == nil }), nil
}

// searched returns a text to search for, without the spaces around it.
func searched(text string) (string, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxSearch {
		return "", Errorf(Invalid, "search", "Search for at most %d characters.", maxSearch)
	}
	return cleaned(text), nil
}
