package pipeline

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
)

func TestLearnerTakesNewNames(t *testing.T) {
	store := memstore.New()
	store.OrgRows = []delivery.Organization{{ID: 1, ExternalID: "org", Name: "Org"}}
	l := newRegister(store, delivery.NewIDs(1))
	learn := func(name string) delivery.Item {
		t.Helper()
		facts := []fact{{Kind: delivery.AlertItem, Item: delivery.ReportedItem{ID: "a", Name: name}}}
		if err := l.items(t.Context(), 1, facts); err != nil || facts[0].ItemID != store.ItemRows[0].ID {
			t.Fatalf("facts = %v, err = %v", facts, err)
		}
		return store.ItemRows[0]
	}
	for _, tt := range []struct{ reported, want string }{
		{"", "a"}, {"Alert", "Alert"}, {"", "Alert"}, {"Renamed", "Renamed"},
	} {
		if got := learn(tt.reported).Name; got != tt.want {
			t.Errorf("reported as %q: the name is %q, want %q", tt.reported, got, tt.want)
		}
	}
	orgs, err := l.organizations(t.Context(), []namedOrg{{"acme", ""}, {"acme", "Acme"}, {"b", "B"}})
	if err != nil || orgs["acme"].Name != "Acme" || len(orgs) != 2 {
		t.Errorf("organizations = %v, err = %v", orgs, err)
	}
	if orgs, err = l.organizations(t.Context(), []namedOrg{{
		"acme",
		"Acme 2",
	}}); err != nil || orgs["acme"].Name != "Acme 2" {
		t.Errorf("organizations = %v, err = %v", orgs, err)
	}
}
