package auth

import (
	"context"
	"sync"

	"portalhooks/delivery"
)

// maxCachedOrgs bounds the cached ids of organizations.
const maxCachedOrgs = 10_000

// An OrganizationFinder finds organizations by Portal's id.
type OrganizationFinder interface {
	// OrganizationByExternalID returns NotFound when there is none.
	OrganizationByExternalID(ctx context.Context, externalID string) (delivery.Organization, error)
}

// Grants map the claims of an identity provider to the roles of a Caller.
type Grants struct {
	// Vouched is called with the caller of claims that the identity provider has
	// just told, also with one that they grant no role; an error rejects the
	// caller. Optional.
	Vouched func(context.Context, delivery.Caller) error

	rules Rules
	orgs  OrganizationFinder

	mu    sync.Mutex
	cache map[string]delivery.OrgID // never stale: an organization keeps its id
}

// NewGrants returns Grants that apply r.
func NewGrants(r Rules, orgs OrganizationFinder) *Grants {
	return &Grants{rules: r, orgs: orgs, cache: make(map[string]delivery.OrgID)}
}

// fresh is caller for claims that the identity provider has just told.
func (g *Grants) fresh(
	ctx context.Context, name, person string, picked map[string][]string,
) (delivery.Caller, error) {
	c, err := g.caller(ctx, name, person, picked)
	if err != nil && delivery.CodeOf(err) != delivery.Forbidden || g.Vouched == nil {
		return c, err
	}
	c.Person = person // also of a caller without a role
	if failed := g.Vouched(ctx, c); failed != nil {
		return delivery.Caller{}, failed
	}
	return c, err
}

// caller returns the Caller with this name and identity, and the roles that the picked claims
// grant. Organizations that do not exist grant nothing. A caller without any role
// is Forbidden.
func (g *Grants) caller(
	ctx context.Context, name, person string, picked map[string][]string,
) (delivery.Caller, error) {
	granted := g.rules.grant(picked)
	c := delivery.Caller{Name: name, Person: person, Operator: granted.operator}
	for externalID, role := range granted.roles {
		id, err := g.find(ctx, externalID)
		if err != nil {
			return delivery.Caller{}, err
		}
		if id == 0 {
			continue
		}
		if c.Grants == nil {
			c.Grants = make(map[delivery.OrgID]delivery.Role, len(granted.roles))
		}
		c.Grants[id] = role
	}
	if err := g.portal(ctx, &c, granted.portal); err != nil {
		return delivery.Caller{}, err
	}
	if !c.Operator && !c.Portal && len(c.Grants) == 0 {
		return delivery.Caller{}, delivery.Errorf(delivery.Forbidden, "",
			"The identity provider knows you as %s, but none of your claims grants a role here. "+
				"Ask the administrator of this server.", name)
	}
	return c, nil
}

// portal grants c the Portal role, for one organization or for all.
func (g *Grants) portal(ctx context.Context, c *delivery.Caller, scopes map[string]bool) error {
	if scopes[""] {
		c.Portal = true
		return nil
	}
	for externalID := range scopes {
		id, err := g.find(ctx, externalID)
		if err != nil {
			return err
		}
		if id == 0 {
			continue
		}
		if c.Portal {
			return delivery.Errorf(delivery.Forbidden, "",
				"The identity provider grants you the Portal role for several organizations. "+
					"It can be granted for one organization or for all.")
		}
		c.Portal, c.Scope = true, id
	}
	return nil
}

// find returns the id of an organization, or 0 if it does not exist.
func (g *Grants) find(ctx context.Context, externalID string) (delivery.OrgID, error) {
	g.mu.Lock()
	id := g.cache[externalID]
	g.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	org, err := g.orgs.OrganizationByExternalID(ctx, externalID)
	switch {
	case delivery.CodeOf(err) == delivery.NotFound:
		return 0, nil
	case err != nil:
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.cache) >= maxCachedOrgs {
		clear(g.cache)
	}
	g.cache[externalID] = org.ID
	return org.ID, nil
}
