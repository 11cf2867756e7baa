package auth

import "portalhooks/delivery"

// emailClaim is ignored unless the provider has verified the address.
const emailClaim = "email"

// Rules map the claims of a token to grants. The zero value grants nothing.
type Rules struct {
	Claim string // claim of rules that name none: a name, or a path of names separated by dots
	Rules []Rule
}

// claimOf returns the claim that rule matches.
func (r Rules) claimOf(rule Rule) string {
	if rule.claim == "" {
		return r.Claim
	}
	return rule.claim
}

// pick returns the values of the claims that the rules match, by claim.
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

// find returns the value at a path of names separated by dots. The names may
// contain dots too.
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

// grantedRoles is the result of applying Rules. Organizations are named by
// Portal's id.
type grantedRoles struct {
	operator bool
	portal   map[string]bool // an empty id stands for every organization
	roles    map[string]delivery.Role
}

// grant applies the rules to the picked values.
func (r Rules) grant(picked map[string][]string) grantedRoles {
	g := grantedRoles{portal: map[string]bool{}, roles: map[string]delivery.Role{}}
	for _, rule := range r.Rules {
		for _, value := range picked[r.claimOf(rule)] {
			org, ok := rule.match(value)
			if !ok {
				continue
			}
			switch rule.role {
			case delivery.OperatorKey:
				g.operator = true
			case delivery.PortalKey:
				g.portal[org] = true
			case delivery.AdminKey:
				g.roles[org] = delivery.Admin
			case delivery.ViewerKey:
				if g.roles[org] == "" {
					g.roles[org] = delivery.ViewerRole
				}
			}
		}
	}
	return g
}
