package storetest

import (
	"fmt"
	"maps"
	"sync"

	"portalhooks/delivery"
)

func testRegisterOrganizations(d *desk) {
	given := []delivery.Organization{
		{ID: delivery.OrgID(d.ids.Next()), ExternalID: d.org.ExternalID + "-b", Name: "Bee", CreatedAt: at},
		{ID: delivery.OrgID(d.ids.Next()), ExternalID: d.org.ExternalID + "-a", CreatedAt: at},
		{ID: delivery.OrgID(d.ids.Next()), ExternalID: d.org.ExternalID + "-b", CreatedAt: at},
	}
	got := must(d.store.RegisterOrganizations(d.Context(), given))(d)
	unnamed := given[1]
	unnamed.Name = unnamed.ExternalID
	want := []delivery.Organization{given[0], unnamed, given[0]}
	same(d, "new organizations, in order", got, want)

	again := must(d.store.RegisterOrganizations(d.Context(), []delivery.Organization{
		{ID: delivery.OrgID(d.ids.Next()), ExternalID: given[0].ExternalID, CreatedAt: at.AddDate(1, 0, 0)},
		{ID: delivery.OrgID(d.ids.Next()), ExternalID: given[1].ExternalID, Name: "Ay"},
	}))(d)
	want = []delivery.Organization{given[0], unnamed}
	want[1].Name = "Ay"
	same(d, "known organizations", again, want)

	found := must(d.store.OrganizationByExternalID(d.Context(), given[1].ExternalID))(d)
	same(d, "organization by external id", found, want[1])
	_, err := d.store.OrganizationByExternalID(d.Context(), "nowhere")
	d.refused(err, delivery.NotFound)
	if none := must(d.store.RegisterOrganizations(d.Context(), nil))(d); len(none) != 0 {
		d.Errorf("registering nothing returned %v", none)
	}
}

func testRegisterOrganizationsTogether(d *desk) {
	registerTogether(d, 40, func(caller int, numbers []int) (ids []delivery.OrgID, err error) {
		given := make([]delivery.Organization, len(numbers))
		for i, n := range numbers {
			given[i] = delivery.Organization{
				ID:         delivery.OrgID(d.ids.Next()),
				ExternalID: fmt.Sprintf("%s-%d", d.org.ExternalID, n),
				Name:       fmt.Sprintf("Caller %d", caller),
			}
		}
		stored, err := d.store.RegisterOrganizations(d.Context(), given)
		for _, o := range stored {
			ids = append(ids, o.ID)
		}
		return ids, err
	})
}

// registerTogether lets several callers register things with the same numbers at
// once, each in an order of its own. All callers must get the same id for a number.
func registerTogether[ID comparable](
	d *desk, things int, register func(caller int, numbers []int) ([]ID, error),
) {
	const callers = 8
	answers := make([]map[int]ID, callers)
	var together sync.WaitGroup
	for c := range callers {
		together.Go(func() {
			numbers := make([]int, things)
			for i := range numbers {
				numbers[i] = (i*7 + c*11) % things // things is not a multiple of 7
			}
			ids, err := register(c, numbers)
			if err != nil || len(ids) != things {
				d.Errorf("caller %d got %d ids, %v, want %d", c, len(ids), err, things)
				return
			}
			answers[c] = make(map[int]ID, things)
			for i, n := range numbers {
				answers[c][n] = ids[i]
			}
		})
	}
	together.Wait()
	for c, got := range answers {
		if !maps.Equal(got, answers[0]) {
			d.Errorf("caller %d got the ids %v, caller 0 got %v", c, got, answers[0])
		}
	}
}

func testOrganizations(d *desk) {
	prefix := d.org.ExternalID + "-x"
	var only []delivery.OrgID
	for _, name := range []string{"Zebra 100%", "Émile", "alpha", "Beta 1000", "Beta_x"} {
		only = append(only, d.register(prefix+fmt.Sprint(len(only)), name).ID)
	}
	page := delivery.Page{First: 10}
	names := func(only []delivery.OrgID, search string) []string {
		d.Helper()
		slice := must(d.store.Organizations(d.Context(), only, search, page))(d)
		names := []string{}
		for _, o := range slice.Items {
			names = append(names, o.Name)
		}
		if slice.Total != -1 || slice.HasNext || slice.HasPrev || len(slice.Cursors) != len(names) {
			d.Errorf("slice %+v, want no total, no neighbours and a cursor for each", slice)
		}
		return names
	}
	for _, c := range []struct {
		what, search string
		want         []string
	}{
		{"by name in any case", "", []string{"alpha", "Beta 1000", "Beta_x", "Émile", "Zebra 100%"}},
		{"part of the name in any case", "ETA", []string{"Beta 1000", "Beta_x"}},
		{"letters beyond ASCII", "ÉMI", []string{"Émile"}},
		{"percent is a character", "100%", []string{"Zebra 100%"}},
		{"underscore is a character", "a_x", []string{"Beta_x"}},
		{"backslash is a character", `\`, []string{}},
		{"external id", prefix + "2", []string{"alpha"}},
		{"nothing", "nothing like it", []string{}},
	} {
		same(d, c.what, names(only, c.search), c.want)
	}
	same(d, "only one", names(only[:1], ""), []string{"Zebra 100%"})
	same(d, "among none", names([]delivery.OrgID{}, ""), []string{})
	if all := names(nil, prefix); len(all) != len(only) {
		d.Errorf("among all: found %v, want %d", all, len(only))
	}
	byID := must(d.store.OrganizationsByID(d.Context(), []delivery.OrgID{only[0], 1}))(d)
	if len(byID) != 1 || byID[0].ID != only[0] {
		d.Errorf("by id: got %v, want the one that exists", byID)
	}
}
