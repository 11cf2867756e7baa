package cache

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
)

func TestRegisterTakesNewNames(t *testing.T) {
	store := memstore.New()
	store.OrgRows = []delivery.Organization{{ID: 1, ExternalID: "org", Name: "Org"}}
	r := NewRegister(store, delivery.NewIDs(1))
	register := func(name string) delivery.Item {
		t.Helper()
		id, err := r.Item(t.Context(), 1, delivery.AlertItem, delivery.ReportedItem{ID: "a", Name: name})
		if err != nil || id != store.ItemRows[0].ID {
			t.Fatalf("id = %v, err = %v", id, err)
		}
		return store.ItemRows[0]
	}
	for _, tt := range []struct{ reported, want string }{
		{"", "a"}, {"Alert", "Alert"}, {"", "Alert"}, {"Renamed", "Renamed"},
	} {
		if got := register(tt.reported).Name; got != tt.want {
			t.Errorf("reported as %q: the name is %q, want %q", tt.reported, got, tt.want)
		}
	}
	orgs, err := r.Organizations(t.Context(), []NamedOrg{{"acme", ""}, {"acme", "Acme"}, {"b", "B"}})
	if err != nil || orgs["acme"].Name != "Acme" || len(orgs) != 2 {
		t.Errorf("organizations = %v, err = %v", orgs, err)
	}
	if orgs, err = r.Organizations(t.Context(), []NamedOrg{{
		"acme",
		"Acme 2",
	}}); err != nil || orgs["acme"].Name != "Acme 2" {
		t.Errorf("organizations = %v, err = %v", orgs, err)
	}
}
