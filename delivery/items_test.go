package delivery

import (
	"context"
	"errors"
	"testing"
)

func TestOrganizationDefaultsToTheOnlyOne(t *testing.T) {
	c := newConfiguring(t)
	both := Caller{Name: "p", Grants: map[OrgID]Role{c.org.ID: Admin, c.org.ID + 1: Admin}}
	for name, tt := range map[string]struct {
		caller Caller
		ref    string
		code   Code
	}{
		"the only one":                 {c.admin, "", ""},
		"by Portal's id":               {c.admin, "acme", ""},
		"by our id":                    {c.admin, c.org.ID.String(), ""},
		"another's":                    {c.admin, "other", NotFound},
		"none such":                    {c.admin, "nothing", NotFound},
		"an operator must say which":   {Caller{Name: "o", Operator: true}, "", Required},
		"a partner too":                {both, "", Required},
		"an operator may see any":      {Caller{Name: "o", Operator: true}, "other", ""},
		"who is not signed in may not": {Caller{}, "acme", Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			org, err := c.Organization(t.Context(), tt.caller, tt.ref)
			if CodeOf(err) != tt.code || err == nil && org == nil {
				t.Errorf("err = %v, want %q", err, tt.code)
			}
		})
	}
}

func TestSyncItems(t *testing.T) {
	c := newConfiguring(t)
	sync := func(items ...SyncedItem) (SyncCounts, error) {
		return c.SyncItems(context.WithoutCancel(t.Context()), testPortal, SyncItemsInput{
			OrganizationID: "acme", Kind: AlertItem, Items: items, Complete: true,
		})
	}
	counts, err := sync(SyncedItem{ID: "disk", Name: "Disk", Enabled: true, Attributes: []byte(`{"a": 1}`)},
		SyncedItem{ID: "new"})
	if err != nil || counts != (SyncCounts{Created: 1, Updated: 1, Missing: 1}) {
		t.Errorf("counts = %+v, err = %v", counts, err)
	}
	for name, tt := range map[string]struct {
		items []SyncedItem
		field string
	}{
		"no id":            {[]SyncedItem{{}}, "items.0.id"},
		"an item twice":    {[]SyncedItem{{ID: "a"}, {ID: "a"}}, "items.1.id"},
		"not an object":    {[]SyncedItem{{ID: "a", Attributes: []byte(`[1]`)}}, "items.0.attributes"},
		"broken JSON":      {[]SyncedItem{{ID: "a", Attributes: []byte(`{`)}}, "items.0.attributes"},
		"a hostile link":   {[]SyncedItem{{ID: "a", ViewURL: "data:text/html,x"}}, "items.0.viewUrl"},
		"too many of them": {make([]SyncedItem, MaxSyncedItems+1), "items"},
	} {
		_, err := sync(tt.items...)
		problems, _ := errors.AsType[Errors](err)
		if len(problems) == 0 || problems[0].Field != tt.field {
			t.Errorf("%s: %+v, want a problem at %s", name, err, tt.field)
		}
	}
	c.opts.ViewURLs = map[ItemKind]string{AlertItem: "https://portal.example/alerts/{id}"}
	list, err := c.Items(t.Context(), c.admin, c.org.ID, ItemQuery{Kind: AlertItem, Search: " DISK "}, Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].ViewURL != "https://portal.example/alerts/disk" {
		t.Errorf("items = %+v, %v", list.Items, err)
	}
}
