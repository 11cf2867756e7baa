package service

import (
	"maps"
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
)

// What is read for the id of another organization is what is read for an id that
// does not exist: else the time would tell them apart.
func TestForeignOrganizationsAreNotRead(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	theirs := listen(t, s, delivery.ActiveAlert, delivery.Enabled).Org
	mine := map[delivery.OrgID]delivery.Role{theirs + 1: delivery.ViewerRole}
	viewer := delivery.Caller{Name: "v", Grants: mine}
	calls := func(id delivery.OrgID) map[string]int {
		before := maps.Clone(store.Calls)
		if _, err := s.Organization(t.Context(), viewer, id.String()); delivery.CodeOf(err) != delivery.NotFound {
			t.Errorf("%s: %v, want NotFound", id, err)
		}
		made := make(map[string]int)
		for method, n := range store.Calls {
			if n > before[method] {
				made[method] = n - before[method]
			}
		}
		return made
	}
	if foreign, none := calls(theirs), calls(theirs+2); !maps.Equal(foreign, none) || len(none) == 0 {
		t.Errorf("another organization takes the calls %v, none takes %v, want the same", foreign, none)
	}
}
