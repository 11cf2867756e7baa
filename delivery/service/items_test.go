package service

import (
	"context"
	"errors"
	"testing"

	"portalhooks/delivery"
)

func TestOrganizationDefaultsToTheOnlyOne(t *testing.T) {
	c := newConfiguring(t)
	both := delivery.Caller{
		Name:   "p",
		Grants: map[delivery.OrgID]delivery.Role{c.org.ID: delivery.Admin, c.org.ID + 1: delivery.Admin},
	}
	for name, tt := range map[string]struct {
		caller delivery.Caller
		ref    string
		code   delivery.Code
	}{
		"the only one":                 {c.admin, "", ""},
		"by Portal's id":               {c.admin, "acme", ""},
		"by our id":                    {c.admin, c.org.ID.String(), ""},
		"another's":                    {c.admin, "other", delivery.NotFound},
		"none such":                    {c.admin, "nothing", delivery.NotFound},
		"an operator must say which":   {delivery.Caller{Name: "o", Operator: true}, "", delivery.Required},
		"a partner too":                {both, "", delivery.Required},
		"an operator may see any":      {delivery.Caller{Name: "o", Operator: true}, "other", ""},
		"who is not signed in may not": {delivery.Caller{}, "acme", delivery.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			org, err := c.Organization(t.Context(), tt.caller, tt.ref)
			if delivery.CodeOf(err) != tt.code || err == nil && org == nil {
				t.Errorf("err = %v, want %q", err, tt.code)
			}
		})
	}
}

func TestSyncItems(t *testing.T) {
	c := newConfiguring(t)
	sync := func(items ...delivery.SyncedItem) (delivery.SyncCounts, error) {
		return c.SyncItems(context.WithoutCancel(t.Context()), testPortal, SyncItemsInput{
			OrganizationID: "acme", Kind: delivery.AlertItem, Items: items, Complete: true,
		})
	}
	counts, err := sync(
		delivery.SyncedItem{ID: "disk", Name: "Disk", Enabled: true, Attributes: []byte(`{"a": 1}`)},
		delivery.SyncedItem{ID: "new"},
	)
	if err != nil || counts != (delivery.SyncCounts{Created: 1, Updated: 1, Missing: 1}) {
		t.Errorf("counts = %+v, err = %v", counts, err)
	}
	for name, tt := range map[string]struct {
		items []delivery.SyncedItem
		field string
	}{
		"no id":            {[]delivery.SyncedItem{{}}, "items.0.id"},
		"an item twice":    {[]delivery.SyncedItem{{ID: "a"}, {ID: "a"}}, "items.1.id"},
		"not an object":    {[]delivery.SyncedItem{{ID: "a", Attributes: []byte(`[1]`)}}, "items.0.attributes"},
		"broken JSON":      {[]delivery.SyncedItem{{ID: "a", Attributes: []byte(`{`)}}, "items.0.attributes"},
		"a hostile link":   {[]delivery.SyncedItem{{ID: "a", ViewURL: "data:text/html,x"}}, "items.0.viewUrl"},
		"too many of them": {make([]delivery.SyncedItem, MaxSyncedItems+1), "items"},
	} {
		_, err := sync(tt.items...)
		problems, _ := errors.AsType[delivery.Errors](err)
		if len(problems) == 0 || problems[0].Field != tt.field {
			t.Errorf("%s: %+v, want a problem at %s", name, err, tt.field)
		}
	}
	c.opts.ViewURLs = map[delivery.ItemKind]string{delivery.AlertItem: "https://portal.example/alerts/{id}"}
	list, err := c.Items(
		t.Context(), c.admin, c.org.ID, ItemQuery{Kind: delivery.AlertItem, Search: " DISK "}, delivery.Page{},
	)
	if err != nil || len(list.Items) != 1 || list.Items[0].ViewURL != "https://portal.example/alerts/disk" {
		t.Errorf("items = %+v, %v", list.Items, err)
	}
}
