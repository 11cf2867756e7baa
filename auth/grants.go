package auth

import (
	"context"
	"sync"

	"portalhooks/delivery"
)

// orgsKept is how many organizations' ids are remembered.
const orgsKept = 10_000

// An OrganizationFinder finds organizations by Portal's ids.
type OrganizationFinder interface {
	// OrganizationByExternalID returns NotFound when there is none.
	OrganizationByExternalID(ctx context.Context, externalID string) (delivery.Organization, error)
}

// Grants find out what somebody may do here of whom a provider tells.
type Grants struct {
	rules Rules
	orgs  OrganizationFinder

	mu    sync.Mutex
	known map[string]delivery.OrgID // those that exist: they stay, with their ids
}

// NewGrants returns Grants by rules.
func NewGrants(r Rules, orgs OrganizationFinder) *Grants {
	return &Grants{rules: r, orgs: orgs, known: make(map[string]delivery.OrgID)}
}

// caller returns whom the picked values make of name. Organizations that don't
// exist yet grant nothing. It returns Forbidden when there is nothing left.
func (g *Grants) caller(
	ctx context.Context, name string, picked map[string][]string,
) (delivery.Caller, error) {
	h := g.rules.grant(picked)
	c := delivery.Caller{Name: name, Operator: h.operator}
	for externalID, role := range h.roles {
		id, err := g.find(ctx, externalID)
		if err != nil {
			return delivery.Caller{}, err
		}
		if id == 0 {
			continue
		}
		if c.Grants == nil {
			c.Grants = make(map[delivery.OrgID]delivery.Role, len(h.roles))
		}
		c.Grants[id] = role
	}
	if err := g.portal(ctx, &c, h.portal); err != nil {
		return delivery.Caller{}, err
	}
	if !c.Operator && !c.Portal && len(c.Grants) == 0 {
		return delivery.Caller{}, delivery.Errorf(delivery.Forbidden, "",
			"The identity provider knows you as %s, but nothing that it says of you grants a role here. "+
				"Ask whoever runs this server.", name)
	}
	return c, nil
}

// portal gives c the role of Portal, for all organizations or for one.
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
				"The identity provider makes you Portal of several organizations. It can be one, or all.")
		}
		c.Portal, c.Scope = true, id
	}
	return nil
}

// find returns the id of an organization, 0 when there is none.
func (g *Grants) find(ctx context.Context, externalID string) (delivery.OrgID, error) {
	g.mu.Lock()
	id := g.known[externalID]
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
	if len(g.known) >= orgsKept {
		clear(g.known)
	}
	g.known[externalID] = org.ID
	return org.ID, nil
}
