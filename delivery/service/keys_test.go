package service

import (
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
)

func TestWhoMayMakeWhichKeys(t *testing.T) {
	c := newConfiguring(t)
	org := c.org.ID
	viewer := delivery.Caller{Name: "vic", Grants: map[delivery.OrgID]delivery.Role{org: delivery.ViewerRole}}
	operator := delivery.Caller{Name: "olga", Operator: true}
	otherAdmin := delivery.Caller{Name: "eve", Grants: map[delivery.OrgID]delivery.Role{org + 1: delivery.Admin}}
	terminal := delivery.AtTerminalOf("root")
	day := delivery.Now().Add(24 * time.Hour)
	fleeting := c.admin
	fleeting.Key, fleeting.Until = 77, day
	for name, tt := range map[string]struct {
		by   delivery.Caller
		in   KeyInput
		want delivery.Code
	}{
		"an admin, an admin's":                {c.admin, KeyInput{Org: org, Role: delivery.AdminKey}, ""},
		"an admin, a viewer's":                {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey}, ""},
		"an admin, Portal's for one":          {c.admin, KeyInput{Org: org, Role: delivery.PortalKey}, ""},
		"an admin, an operator's":             {c.admin, KeyInput{Org: org, Role: delivery.OperatorKey}, delivery.Invalid},
		"an admin, Portal's for all":          {c.admin, KeyInput{Role: delivery.PortalKey}, delivery.Forbidden},
		"an admin, another organization's":    {c.admin, KeyInput{Org: org + 1, Role: delivery.ViewerKey}, delivery.NotFound},
		"another organization's admin":        {otherAdmin, KeyInput{Org: org, Role: delivery.ViewerKey}, delivery.NotFound},
		"a viewer":                            {viewer, KeyInput{Org: org, Role: delivery.ViewerKey}, delivery.Forbidden},
		"an operator, in an organization":     {operator, KeyInput{Org: org, Role: delivery.ViewerKey}, delivery.Forbidden},
		"an operator, an operator's":          {operator, KeyInput{Role: delivery.OperatorKey}, delivery.Forbidden},
		"an unauthenticated caller":           {delivery.Caller{}, KeyInput{Org: org, Role: delivery.ViewerKey}, delivery.Unauthenticated},
		"an unauthenticated caller, for all":  {delivery.Caller{}, KeyInput{Role: delivery.PortalKey}, delivery.Unauthenticated},
		"the terminal, an operator's":         {terminal, KeyInput{Role: delivery.OperatorKey}, ""},
		"the terminal, Portal's for all":      {terminal, KeyInput{Role: delivery.PortalKey}, ""},
		"the terminal, an admin of nothing":   {terminal, KeyInput{Role: delivery.AdminKey}, delivery.Required},
		"an unknown role":                     {terminal, KeyInput{Role: "root"}, delivery.Invalid},
		"no name":                             {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, Name: " "}, delivery.Required},
		"a name too long":                     {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, Name: strings.Repeat("é", 201)}, delivery.Invalid},
		"a name that clears a terminal":       {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, Name: "x\x1b[2J"}, delivery.Invalid},
		"a name that turns the text round":    {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, Name: "x\u202e"}, delivery.Invalid},
		"a person, 91 days":                   {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, ExpiresAt: delivery.Now().AddDate(0, 0, 91)}, delivery.Invalid},
		"a person, 89 days":                   {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, ExpiresAt: delivery.Now().AddDate(0, 0, 89)}, ""},
		"the terminal, six years":             {terminal, KeyInput{Org: org, Role: delivery.ViewerKey, ExpiresAt: delivery.Now().AddDate(6, 0, 0)}, delivery.Invalid},
		"the terminal, without an end":        {terminal, KeyInput{Org: org, Role: delivery.ViewerKey}, ""},
		"expired from birth":                  {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, ExpiresAt: delivery.Now()}, delivery.Invalid},
		"six years":                           {c.admin, KeyInput{Org: org, Role: delivery.ViewerKey, ExpiresAt: delivery.Now().AddDate(6, 0, 0)}, delivery.Invalid},
		"by one that expires, as long":        {fleeting, KeyInput{Org: org, Role: delivery.AdminKey, ExpiresAt: day}, ""},
		"by one that expires, without end":    {fleeting, KeyInput{Org: org, Role: delivery.AdminKey}, delivery.Invalid},
		"by one that expires, a second more":  {fleeting, KeyInput{Org: org, Role: delivery.AdminKey, ExpiresAt: day.Add(time.Second)}, delivery.Invalid},
		"by one that expires, a second fewer": {fleeting, KeyInput{Org: org, Role: delivery.AdminKey, ExpiresAt: day.Add(-time.Second)}, ""},
	} {
		if tt.in.Name == "" {
			tt.in.Name = "client of " + name // few keys of one client work at a time
		}
		made, err := c.Keys.Create(t.Context(), tt.by, tt.in)
		if delivery.CodeOf(err) != tt.want || (err == nil) != (tt.want == "") {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if k := made.Key; !k.Opens(made.Text, delivery.Now()) || !strings.HasPrefix(made.Text, k.Prefix) ||
			strings.Contains(string(k.Hash), made.Text) || k.CreatedBy != tt.by.Name {
			t.Errorf("%s: the key is %+v, its text %s", name, k, made.Text)
		}
	}
}

func TestWhoMayRevokeKeys(t *testing.T) {
	c := newConfiguring(t)
	made, err := c.Keys.Create(
		t.Context(), c.admin, KeyInput{Org: c.org.ID, Role: delivery.AdminKey, Name: "client"},
	)
	if err != nil {
		t.Fatal(err)
	}
	id, itself := made.Key.ID, made.Key.Caller()
	for name, tt := range map[string]struct {
		by   delivery.Caller
		want delivery.Code
	}{
		"an unauthenticated caller":    {delivery.Caller{}, delivery.Unauthenticated},
		"a viewer":                     {delivery.Caller{Name: "vic", Grants: map[delivery.OrgID]delivery.Role{c.org.ID: delivery.ViewerRole}}, delivery.Forbidden},
		"another organization's admin": {delivery.Caller{Name: "eve", Grants: map[delivery.OrgID]delivery.Role{c.org.ID + 1: delivery.Admin}}, delivery.NotFound},
		"itself":                       {itself, delivery.Conflict},
	} {
		if _, err := c.Keys.Revoke(t.Context(), tt.by, id); delivery.CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if _, err := c.Keys.Revoke(t.Context(), c.admin, 1); delivery.CodeOf(err) != delivery.NotFound {
		t.Errorf("a key that does not exist: %v", err)
	}
	for name, by := range map[string]delivery.Caller{
		"an operator": {Name: "olga", Operator: true}, "the terminal": delivery.AtTerminalOf("root"), "an admin": c.admin,
	} {
		revoked, err := c.Keys.Revoke(t.Context(), by, id)
		if err != nil || revoked.RevokedAt.IsZero() || revoked.Opens(made.Text, delivery.Now()) {
			t.Errorf("%s: %+v, %v", name, revoked, err)
		}
	}
}

func TestWhoMayListKeys(t *testing.T) {
	c := newConfiguring(t)
	for name, tt := range map[string]struct {
		by   delivery.Caller
		org  delivery.OrgID
		want delivery.Code
	}{
		"an admin": {c.admin, c.org.ID, ""}, "an admin, all": {c.admin, 0, delivery.Forbidden},
		"an operator, all": {delivery.Caller{Name: "olga", Operator: true}, 0, ""},
		"the terminal":     {delivery.AtTerminalOf("root"), 0, ""},
		"a viewer":         {delivery.Caller{Name: "vic", Grants: map[delivery.OrgID]delivery.Role{c.org.ID: delivery.ViewerRole}}, c.org.ID, delivery.Forbidden},
		"Portal":           {delivery.Caller{Name: "eve", Portal: true}, c.org.ID, delivery.NotFound},
		"unauthenticated":  {delivery.Caller{}, 0, delivery.Unauthenticated},
	} {
		if _, err := c.Keys.List(t.Context(), tt.by, tt.org); delivery.CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if name == "the terminal" {
			continue // which reads no audit log
		}
		if _, err := c.AuditLog(t.Context(), tt.by, tt.org, delivery.AuditFilter{},
			delivery.Page{}); delivery.CodeOf(
			err,
		) != tt.want {
			t.Errorf("%s reads the audit log: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestCoversComparesRights(t *testing.T) {
	admin := delivery.Caller{Grants: map[delivery.OrgID]delivery.Role{7: delivery.Admin}}
	viewer := delivery.Caller{Grants: map[delivery.OrgID]delivery.Role{7: delivery.ViewerRole}}
	both := delivery.Caller{
		Operator: true,
		Grants:   map[delivery.OrgID]delivery.Role{7: delivery.Admin, 8: delivery.ViewerRole},
	}
	everywhere, somewhere := delivery.Caller{Portal: true}, delivery.Caller{Portal: true, Scope: 7}
	for name, tt := range map[string]struct {
		c, other delivery.Caller
		want     bool
	}{
		"the same": {admin, admin, true}, "more": {both, viewer, true}, "an admin views": {admin, viewer, true},
		"a viewer is no admin": {viewer, admin, false}, "an organization was lost": {admin, both, false},
		"operator no more": {delivery.Caller{}, delivery.Caller{Operator: true}, false}, "Portal no more": {both, everywhere, false},
		"Portal for all is for one": {everywhere, somewhere, true}, "and not the reverse": {somewhere, everywhere, false},
	} {
		if got := tt.c.Covers(tt.other); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
