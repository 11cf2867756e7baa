package auth

import (
	"maps"
	"slices"
	"testing"

	"portalhooks/delivery"
)

func TestRulesGrant(t *testing.T) {
	type grants = map[delivery.OrgID]delivery.Role
	orgs := fakeOrgs{"acme": 7, "b": 8, "a=b": 9}
	keycloak := map[string]any{
		"realm_access":    map[string]any{"roles": []any{"operator"}},
		"resource_access": map[string]any{"portal.hooks": map[string]any{"roles": []any{"admin:b"}}},
		"https://x/roles": []any{"acme-admins"},
	}
	for name, tt := range map[string]struct {
		rules  []string
		claims map[string]any
		want   delivery.Caller
	}{
		"a group": {
			[]string{"acme-admins=admin@acme"},
			map[string]any{"groups": []any{"x", "acme-admins"}},
			delivery.Caller{Grants: grants{7: delivery.Admin}},
		},
		"a group with the organization's id": {
			[]string{"hooks:{org}:admin=admin", "hooks:{org}:viewer=viewer"},
			map[string]any{"groups": []any{"hooks:acme:admin", "hooks:b:viewer", "hooks::admin", "hooks:zzz:admin"}},
			delivery.Caller{Grants: grants{7: delivery.Admin, 8: delivery.ViewerRole}},
		},
		"admin takes precedence over viewer": {
			[]string{"a=admin@acme", "v=viewer@acme"},
			map[string]any{"groups": []any{"v", "a", "v"}},
			delivery.Caller{Grants: grants{7: delivery.Admin}},
		},
		"a single string": {
			[]string{"a=admin@acme"},
			map[string]any{"groups": "a"},
			delivery.Caller{Grants: grants{7: delivery.Admin}},
		},
		"distinguished names": {
			[]string{"CN=hooks,OU=it=admin@a=b"},
			map[string]any{"groups": []any{"CN=hooks,OU=it"}},
			delivery.Caller{Grants: grants{9: delivery.Admin}},
		},
		"an operator": {
			[]string{"realm_access.roles~operator=operator"}, keycloak, delivery.Caller{Operator: true},
		},
		"roles of a client with a dot in its name": {
			[]string{"resource_access.portal.hooks.roles~admin:{org}=admin"},
			keycloak,
			delivery.Caller{Grants: grants{8: delivery.Admin}},
		},
		"a claim with dots in its name": {
			[]string{"https://x/roles~acme-admins=viewer@acme"},
			keycloak,
			delivery.Caller{Grants: grants{7: delivery.ViewerRole}},
		},
		"Portal for all organizations": {
			[]string{"p=portal"}, map[string]any{"groups": "p"}, delivery.Caller{Portal: true},
		},
		"Portal for one organization": {
			[]string{"p=portal@acme", "q=portal@b"},
			map[string]any{"groups": "p"},
			delivery.Caller{Portal: true, Scope: 7},
		},
		"Portal for several organizations":        {[]string{"p=portal@acme", "p=portal@b"}, map[string]any{"groups": "p"}, delivery.Caller{}},
		"Portal for an unknown organization":      {[]string{"p=portal@zzz"}, map[string]any{"groups": "p"}, delivery.Caller{}},
		"a domain and an e-mail address":          {[]string{"hd~acme.example=viewer@acme", "email~a@acme.example=admin@b"}, map[string]any{"hd": "acme.example", "email": "a@acme.example", "email_verified": true}, delivery.Caller{Grants: grants{7: delivery.ViewerRole, 8: delivery.Admin}}},
		"an address without email_verified":       {[]string{"email~a@acme.example=admin@b"}, map[string]any{"email": "a@acme.example"}, delivery.Caller{}},
		"an unverified address":                   {[]string{"email~a@acme.example=admin@b"}, map[string]any{"email": "a@acme.example", "email_verified": "false"}, delivery.Caller{}},
		"a value that differs in case":            {[]string{"a=admin@acme"}, map[string]any{"groups": "A"}, delivery.Caller{}},
		"a value with the rule's value as prefix": {[]string{"a=admin@acme"}, map[string]any{"groups": "ab"}, delivery.Caller{}},
		"the value in another claim":              {[]string{"a=admin@acme"}, map[string]any{"roles": "a"}, delivery.Caller{}},
		"an unknown organization":                 {[]string{"a=admin@zzz"}, map[string]any{"groups": "a"}, delivery.Caller{}},
		"a star is no wildcard":                   {[]string{"*=admin@acme"}, map[string]any{"groups": "a"}, delivery.Caller{}},
	} {
		g := NewGrants(rulesOf(t, tt.rules...), orgs)
		got, err := g.caller(t.Context(), "ada", "issuer ada", g.rules.pick(claims{all: tt.claims}))
		none := !tt.want.Operator && !tt.want.Portal && len(tt.want.Grants) == 0
		if none != (delivery.CodeOf(err) == delivery.Forbidden) || !none && err != nil {
			t.Errorf("%s: err = %v", name, err)
		}
		if got.Operator != tt.want.Operator || got.Portal != tt.want.Portal || got.Scope != tt.want.Scope ||
			!maps.Equal(got.Grants, tt.want.Grants) {
			t.Errorf("%s: caller = %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestInvalidRulesAreRejected(t *testing.T) {
	for _, text := range []string{
		"", "admin", "a=root", "=admin@acme", "a=admin", "a=viewer@", "a=operator@acme", "{org}=operator",
		"{org}-{org}=admin", "{org}=admin@acme", "{org}=portal@acme",
	} {
		if r, err := ParseRule(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, r)
		}
	}
	claims := []string{}
	for _, text := range []string{"a~b=operator", "a b~c=operator", "~c=operator"} {
		r, err := ParseRule(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		claims = append(claims, r.claim+"|"+r.prefix)
	}
	if want := []string{"a|b", "|a b~c", "|~c"}; !slices.Equal(claims, want) {
		t.Errorf("claims and values = %q, want %q", claims, want)
	}
}
