package delivery

import (
	"strings"
	"testing"
	"time"
)

func TestWhoMayMakeWhichKeys(t *testing.T) {
	c := newConfiguring(t)
	org := c.org.ID
	viewer := Caller{Name: "vic", Grants: map[OrgID]Role{org: ViewerRole}}
	operator := Caller{Name: "olga", Operator: true}
	stranger := Caller{Name: "eve", Grants: map[OrgID]Role{org + 1: Admin}}
	terminal := AtTerminalOf("root")
	day := now().Add(24 * time.Hour)
	fleeting := c.admin
	fleeting.Key, fleeting.Until = 77, day
	for name, tt := range map[string]struct {
		by   Caller
		in   KeyInput
		want Code
	}{
		"an admin, an admin's":                {c.admin, KeyInput{Org: org, Role: AdminKey}, ""},
		"an admin, a viewer's":                {c.admin, KeyInput{Org: org, Role: ViewerKey}, ""},
		"an admin, Portal's for one":          {c.admin, KeyInput{Org: org, Role: PortalKey}, ""},
		"an admin, an operator's":             {c.admin, KeyInput{Org: org, Role: OperatorKey}, Invalid},
		"an admin, Portal's for all":          {c.admin, KeyInput{Role: PortalKey}, Forbidden},
		"an admin, another organization's":    {c.admin, KeyInput{Org: org + 1, Role: ViewerKey}, NotFound},
		"another organization's admin":        {stranger, KeyInput{Org: org, Role: ViewerKey}, NotFound},
		"a viewer":                            {viewer, KeyInput{Org: org, Role: ViewerKey}, Forbidden},
		"an operator, in an organization":     {operator, KeyInput{Org: org, Role: ViewerKey}, Forbidden},
		"an operator, an operator's":          {operator, KeyInput{Role: OperatorKey}, Forbidden},
		"nobody":                              {Caller{}, KeyInput{Org: org, Role: ViewerKey}, Unauthenticated},
		"nobody, for all":                     {Caller{}, KeyInput{Role: PortalKey}, Unauthenticated},
		"the terminal, an operator's":         {terminal, KeyInput{Role: OperatorKey}, ""},
		"the terminal, Portal's for all":      {terminal, KeyInput{Role: PortalKey}, ""},
		"the terminal, an admin of nothing":   {terminal, KeyInput{Role: AdminKey}, Required},
		"an unknown role":                     {terminal, KeyInput{Role: "root"}, Invalid},
		"no name":                             {c.admin, KeyInput{Org: org, Role: ViewerKey, Name: " "}, Required},
		"a name too long":                     {c.admin, KeyInput{Org: org, Role: ViewerKey, Name: strings.Repeat("é", 201)}, Invalid},
		"expired from birth":                  {c.admin, KeyInput{Org: org, Role: ViewerKey, ExpiresAt: now()}, Invalid},
		"six years":                           {c.admin, KeyInput{Org: org, Role: ViewerKey, ExpiresAt: now().AddDate(6, 0, 0)}, Invalid},
		"by one that expires, as long":        {fleeting, KeyInput{Org: org, Role: AdminKey, ExpiresAt: day}, ""},
		"by one that expires, for ever":       {fleeting, KeyInput{Org: org, Role: AdminKey}, Invalid},
		"by one that expires, a second more":  {fleeting, KeyInput{Org: org, Role: AdminKey, ExpiresAt: day.Add(time.Second)}, Invalid},
		"by one that expires, a second fewer": {fleeting, KeyInput{Org: org, Role: AdminKey, ExpiresAt: day.Add(-time.Second)}, ""},
	} {
		if tt.in.Name == "" {
			tt.in.Name = "client"
		}
		made, err := c.Keys.Create(t.Context(), tt.by, tt.in)
		if CodeOf(err) != tt.want || (err == nil) != (tt.want == "") {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if k := made.Key; !k.Opens(made.Text, now()) || !strings.HasPrefix(made.Text, k.Prefix) ||
			strings.Contains(string(k.Hash), made.Text) || k.CreatedBy != tt.by.Name {
			t.Errorf("%s: the key is %+v, its text %s", name, k, made.Text)
		}
	}
}

func TestWhoMayRevokeKeys(t *testing.T) {
	c := newConfiguring(t)
	made, err := c.Keys.Create(t.Context(), c.admin, KeyInput{Org: c.org.ID, Role: AdminKey, Name: "client"})
	if err != nil {
		t.Fatal(err)
	}
	id, itself := made.Key.ID, made.Key.Caller()
	for name, tt := range map[string]struct {
		by   Caller
		want Code
	}{
		"nobody":                       {Caller{}, Unauthenticated},
		"a viewer":                     {Caller{Name: "vic", Grants: map[OrgID]Role{c.org.ID: ViewerRole}}, Forbidden},
		"another organization's admin": {Caller{Name: "eve", Grants: map[OrgID]Role{c.org.ID + 1: Admin}}, NotFound},
		"itself":                       {itself, Conflict},
	} {
		if _, err := c.Keys.Revoke(t.Context(), tt.by, id); CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if _, err := c.Keys.Revoke(t.Context(), c.admin, 1); CodeOf(err) != NotFound {
		t.Errorf("a key that does not exist: %v", err)
	}
	for name, by := range map[string]Caller{
		"an operator": {Name: "olga", Operator: true}, "the terminal": AtTerminalOf("root"), "an admin": c.admin,
	} {
		revoked, err := c.Keys.Revoke(t.Context(), by, id)
		if err != nil || revoked.RevokedAt.IsZero() || revoked.Opens(made.Text, now()) {
			t.Errorf("%s: %+v, %v", name, revoked, err)
		}
	}
}

func TestWhoMayListKeys(t *testing.T) {
	c := newConfiguring(t)
	for name, tt := range map[string]struct {
		by   Caller
		org  OrgID
		want Code
	}{
		"an admin": {c.admin, c.org.ID, ""}, "an admin, all": {c.admin, 0, Forbidden},
		"an operator, all": {Caller{Name: "olga", Operator: true}, 0, ""},
		"the terminal":     {AtTerminalOf("root"), 0, ""},
		"a viewer":         {Caller{Name: "vic", Grants: map[OrgID]Role{c.org.ID: ViewerRole}}, c.org.ID, Forbidden},
		"a stranger":       {Caller{Name: "eve", Portal: true}, c.org.ID, NotFound},
		"nobody":           {Caller{}, 0, Unauthenticated},
	} {
		if _, err := c.Keys.List(t.Context(), tt.by, tt.org); CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if name == "the terminal" {
			continue // which reads no audit log
		}
		if _, err := c.AuditLog(t.Context(), tt.by, tt.org, AuditFilter{}, Page{}); CodeOf(err) != tt.want {
			t.Errorf("%s reads the audit log: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestCoversComparesRights(t *testing.T) {
	admin := Caller{Grants: map[OrgID]Role{7: Admin}}
	viewer := Caller{Grants: map[OrgID]Role{7: ViewerRole}}
	both := Caller{Operator: true, Grants: map[OrgID]Role{7: Admin, 8: ViewerRole}}
	everywhere, somewhere := Caller{Portal: true}, Caller{Portal: true, Scope: 7}
	for name, tt := range map[string]struct {
		c, other Caller
		want     bool
	}{
		"the same": {admin, admin, true}, "more": {both, viewer, true}, "an admin views": {admin, viewer, true},
		"a viewer is no admin": {viewer, admin, false}, "an organization was lost": {admin, both, false},
		"operator no more": {Caller{}, Caller{Operator: true}, false}, "Portal no more": {both, everywhere, false},
		"Portal for all is for one": {everywhere, somewhere, true}, "and not the reverse": {somewhere, everywhere, false},
	} {
		if got := tt.c.Covers(tt.other); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
