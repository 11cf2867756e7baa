package auth

import "portalhooks/delivery"

// emailClaim counts only where the provider has made sure that the address is
// the person's.
const emailClaim = "email"

// Rules turn the claims of a token into grants. Without any, tokens grant
// nothing.
type Rules struct {
	Claim string // where values stand if a rule does not say: a name, or names with dots between
	Rules []Rule
}

// claimOf returns where the values of r stand.
func (r Rules) claimOf(rule Rule) string {
	if rule.claim == "" {
		return r.Claim
	}
	return rule.claim
}

// pick returns the values that a rule may be about, by claim.
func (r Rules) pick(c claims) map[string][]string {
	found := make(map[string][]string)
	for _, rule := range r.Rules {
		claim := r.claimOf(rule)
		if claim == emailClaim && !c.verified() {
			continue
		}
		if all := values(find(c.all, claim)); len(all) > 0 {
			found[claim] = all
		}
	}
	return found
}

// find returns the value at a path of names with dots between. Names may have
// dots themselves.
func find(in map[string]any, path string) any {
	if value, ok := in[path]; ok {
		return value
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if below, ok := in[path[:i]].(map[string]any); ok {
			return find(below, path[i+1:])
		}
	}
	return nil
}

// A holding is what rules grant, with organizations by Portal's ids.
type holding struct {
	operator bool
	portal   map[string]bool // an empty id stands for every organization
	roles    map[string]delivery.Role
}

// grant returns what the picked values are worth.
func (r Rules) grant(picked map[string][]string) holding {
	h := holding{portal: map[string]bool{}, roles: map[string]delivery.Role{}}
	for _, rule := range r.Rules {
		for _, value := range picked[r.claimOf(rule)] {
			org, ok := rule.match(value)
			if !ok {
				continue
			}
			switch rule.role {
			case delivery.OperatorKey:
				h.operator = true
			case delivery.PortalKey:
				h.portal[org] = true
			case delivery.AdminKey:
				h.roles[org] = delivery.Admin
			case delivery.ViewerKey:
				if h.roles[org] == "" {
					h.roles[org] = delivery.ViewerRole
				}
			}
		}
	}
	return h
}
