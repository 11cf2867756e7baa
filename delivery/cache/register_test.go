package cache

import (
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestRegisterTakesTheNameThatWasTrueLast(t *testing.T) {
	store := memstore.New()
	r := NewRegister(store, delivery.NewIDs(1))
	known, err := r.Organizations(t.Context(), []string{"acme", "acme", "b"})
	if err != nil || len(known) != 2 || !known["acme"].New || known["acme"].Name != "acme" {
		t.Fatalf("organizations = %v, err = %v", known, err)
	}
	again, err := r.Organizations(t.Context(), []string{"acme"})
	if err != nil || again["acme"].New || again["acme"].ID != known["acme"].ID {
		t.Fatalf("organizations = %v, err = %v", again, err)
	}
	org := known["acme"].Organization
	item := delivery.ReportedItem{ID: "a"}
	id, isNew, err := r.Item(t.Context(), org.ID, delivery.AlertItem, item)
	if err != nil || !isNew {
		t.Fatalf("new = %t, err = %v", isNew, err)
	}
	for _, tt := range []struct {
		name string
		hour int
		want string
	}{
		{"", 0, "a"},
		{"First", 1, "First"},
		{"", 2, "First"},
		{"Third", 3, "Third"},
		{"Second", 2, "Third"},
		{"Third", 5, "Third"},
		{"Fourth", 4, "Third"},
		{"Fifth", 5, "Fifth"},
		{"", 7, "Fifth"},
		{"Sixth", 6, "Sixth"},
	} {
		at := noon.Add(time.Duration(tt.hour) * time.Hour)
		if err := r.RenameOrganization(t.Context(), org, tt.name, at); err != nil {
			t.Fatal(err)
		}
		item.Name = tt.name
		if err := r.RenameItem(t.Context(), org.ID, delivery.AlertItem, item, at); err != nil {
			t.Fatal(err)
		}
		if got := store.ItemRows[0].Name; got != tt.want {
			t.Errorf("%q at %d: the item is %q, want %q", tt.name, tt.hour, got, tt.want)
		}
		want := tt.want
		if want == "a" {
			want = "acme"
		}
		if got := store.OrgRows[0].Name; got != want {
			t.Errorf("%q at %d: the organization is %q, want %q", tt.name, tt.hour, got, want)
		}
	}
	got, isNew, err := r.Item(t.Context(), org.ID, delivery.AlertItem, item)
	if got != id || isNew || err != nil {
		t.Errorf("id = %v, new = %t, err = %v", got, isNew, err)
	}
}

// What exists is neither new nor changed by being looked for.
func TestRegisteringChangesNothingThatExists(t *testing.T) {
	store := memstore.New()
	store.OrgRows = []delivery.Organization{{ID: 1, ExternalID: "acme", Name: "Acme"}}
	store.ItemRows = []delivery.Item{{
		ID: 2, Org: 1, Kind: delivery.AlertItem, ExternalID: "a", Name: "A", Missing: true,
	}}
	r := NewRegister(store, delivery.NewIDs(1))
	known, err := r.Organizations(t.Context(), []string{"acme"})
	if err != nil || known["acme"].New || known["acme"].Name != "Acme" {
		t.Fatalf("organizations = %v, err = %v", known, err)
	}
	item := delivery.ReportedItem{ID: "a", Name: "Renamed", ViewURL: "https://example.com/"}
	id, isNew, err := r.Item(t.Context(), 1, delivery.AlertItem, item)
	if id != 2 || isNew || err != nil || store.ItemRows[0].Name != "A" || !store.ItemRows[0].Missing {
		t.Errorf("id = %v, new = %t, err = %v, item %+v", id, isNew, err, store.ItemRows[0])
	}
	unnamed := delivery.ReportedItem{ID: "a"}
	if err := r.RenameItem(t.Context(), 1, delivery.AlertItem, unnamed, noon); err != nil {
		t.Fatal(err)
	}
	if store.ItemRows[0].Name != "A" || store.ItemRows[0].Missing {
		t.Errorf("after a report without a name: %+v", store.ItemRows[0])
	}
	if err := r.RenameItem(t.Context(), 1, delivery.AlertItem, item, noon); err != nil {
		t.Fatal(err)
	}
	if got := store.ItemRows[0]; got.Name != "Renamed" || got.ViewURL != "https://example.com/" {
		t.Errorf("after a report with a name: %+v", got)
	}
}
