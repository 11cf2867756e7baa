package storetest

import (
	"fmt"
	"time"

	"portalhooks/delivery"
)

func testRegisterItems(d *desk) {
	a, b := d.item("a", "Disk full"), d.item("b", "")
	b.ViewURL, b.Enabled, b.Attributes = "https://portal.example/b", false, []byte(`{"category":"CPU"}`)
	got := must(d.store.RegisterItems(d.Context(), d.org.ID, []delivery.Item{b, a, b}))(d)
	storedB := b
	storedB.Name = "b"
	same(d, "new items, in order", got, []delivery.Item{storedB, a, storedB})

	later := at.Add(time.Hour)
	again := d.item("a", "")
	again.ID, again.Enabled, again.Attributes, again.UpdatedAt = 1, false, []byte(`{"x":1}`), later
	got = must(d.store.RegisterItems(d.Context(), d.org.ID, []delivery.Item{again}))(d)
	same(d, "an item without news", got, []delivery.Item{a})

	again.Name, again.ViewURL = "Disk nearly full", "https://portal.example/a"
	got = must(d.store.RegisterItems(d.Context(), d.org.ID, []delivery.Item{again}))(d)
	a.Name, a.ViewURL, a.UpdatedAt = again.Name, again.ViewURL, later
	same(d, "an item with a new name", got, []delivery.Item{a})
	stored := must(d.store.ItemsByID(d.Context(), d.org.ID, []delivery.ItemID{a.ID}))(d)
	same(d, "the stored item", stored, []delivery.Item{a})
	_, err := d.store.RegisterItems(d.Context(), 1, []delivery.Item{d.item("a", "Of no organization")})
	d.refused(err, delivery.NotFound)
}

func testRegisterItemsTogether(d *desk) {
	registerTogether(d, 60, func(caller int, numbers []int) (ids []delivery.ItemID, err error) {
		given := make([]delivery.Item, len(numbers))
		for i, n := range numbers {
			given[i] = d.item(fmt.Sprintf("item-%d", n), fmt.Sprintf("Caller %d", caller))
		}
		stored, err := d.store.RegisterItems(d.Context(), d.org.ID, given)
		for _, item := range stored {
			ids = append(ids, item.ID)
		}
		return ids, err
	})
}

func testRegisterManyItems(d *desk) {
	given := make([]delivery.Item, 3000)
	for i := range given {
		given[i] = d.item(fmt.Sprintf("many-%d", i), fmt.Sprintf("Item %d", i))
	}
	got := must(d.store.RegisterItems(d.Context(), d.org.ID, given))(d)
	same(d, "thousands of new items", got, given)
	for i := range given {
		given[i].Name += "!"
		given[i].UpdatedAt = at.Add(time.Minute)
	}
	got = must(d.store.RegisterItems(d.Context(), d.org.ID, given))(d)
	same(d, "thousands of new names", got, given)
	names := []string{"many-7", "none"}
	got = must(d.store.ItemsByExternalID(d.Context(), d.org.ID, delivery.AlertItem, names))(d)
	same(d, "by external id", got, given[7:8])
}

func testSyncItems(d *desk) {
	sync := func(complete bool, items ...delivery.Item) delivery.SyncCounts {
		d.Helper()
		return must(d.store.SyncItems(d.Context(), d.org.ID, delivery.AlertItem, items, complete))(d)
	}
	a, b, c := d.item("a", "A"), d.item("b", "B"), d.item("c", "C")
	other := d.item("a", "Another kind")
	other.Kind = delivery.ObjectItem
	must(d.store.RegisterItems(d.Context(), d.org.ID, []delivery.Item{other}))(d)

	same(d, "a first list", sync(true, a, b, c), delivery.SyncCounts{Created: 3})
	same(d, "the same again", sync(true, c, b, a), delivery.SyncCounts{Unchanged: 3})
	b.Enabled, b.Attributes = false, []byte(`{"category":"CPU"}`)
	b.UpdatedAt = at.Add(time.Hour)
	shorter := delivery.SyncCounts{Updated: 1, Unchanged: 1, Missing: 1}
	same(d, "a shorter, complete list", sync(true, a, b), shorter)
	same(d, "what is missing is counted once", sync(true, a, b), delivery.SyncCounts{Unchanged: 2})
	same(d, "an incomplete list", sync(false, a), delivery.SyncCounts{Unchanged: 1})

	stored := func() map[string]delivery.Item {
		d.Helper()
		all := map[string]delivery.Item{}
		names := []string{"a", "b", "c"}
		for _, i := range must(d.store.ItemsByExternalID(d.Context(), d.org.ID, delivery.AlertItem, names))(d) {
			all[i.ExternalID] = i
		}
		return all
	}
	now := stored()
	same(d, "an updated item", now["b"], b)
	if !now["c"].Missing || now["a"].Missing {
		d.Errorf("missing: a %t, c %t; want only c", now["a"].Missing, now["c"].Missing)
	}
	kept := must(d.store.ItemsByID(d.Context(), d.org.ID, []delivery.ItemID{other.ID}))(d)
	same(d, "an item of another kind", kept, []delivery.Item{other})

	met := []delivery.Item{{ID: 1, Kind: c.Kind, ExternalID: "c"}}
	must(d.store.RegisterItems(d.Context(), d.org.ID, met))(d)
	if now = stored(); now["c"].Missing || now["c"].Name != "C" || !now["c"].Enabled {
		d.Errorf("an item that was met again is %+v, want it no longer missing, otherwise as it was", now["c"])
	}
	b.ViewURL, b.UpdatedAt = "https://portal.example/b", at.Add(2*time.Hour)
	same(d, "a link", sync(false, b), delivery.SyncCounts{Updated: 1})
	same(d, "an item with a link", stored()["b"], b)
	b.ViewURL, b.UpdatedAt = "", at.Add(3*time.Hour)
	same(d, "no link any more", sync(false, b), delivery.SyncCounts{Updated: 1})
	same(d, "an item without its link", stored()["b"], b)

	same(d, "a complete list of none", sync(true), delivery.SyncCounts{Missing: 3})
	same(d, "items that come back", sync(true, a, b, c), delivery.SyncCounts{Updated: 3})
}

func testItems(d *desk) {
	names := []string{"delta", "Alpha", "100% CPU", "charlie", "Bravo", "alpha"}
	given := make([]delivery.Item, len(names))
	for i, name := range names {
		given[i] = d.item(fmt.Sprintf("ext-%d", i), name)
		given[i].Enabled = i != 3
	}
	must(d.store.RegisterItems(d.Context(), d.org.ID, given))(d)
	list := func(search string, enabledOnly bool, p delivery.Page) delivery.Slice[delivery.Item] {
		d.Helper()
		return must(d.store.Items(d.Context(), d.org.ID, delivery.AlertItem, search, enabledOnly, p))(d)
	}
	all := list("", false, delivery.Page{First: 10})
	same(d, "by name in any case, then id", all.Items, []delivery.Item{
		given[2], given[1], given[5], given[4], given[3], given[0],
	})
	if all.Total != 6 {
		d.Errorf("the total is %d, want 6", all.Total)
	}
	if found := list("0% c", false, delivery.Page{First: 10}); len(found.Items) != 1 || found.Total != 1 {
		d.Errorf("a search found %+v, want one item", found)
	}
	enabled := list("", true, delivery.Page{First: 2})
	if enabled.Total != 5 || len(enabled.Items) != 2 || !enabled.HasNext || enabled.HasPrev {
		d.Errorf("the first two enabled items: %+v, want two of 5 with more after them", enabled)
	}
	page := delivery.Page{First: 5}
	others := must(d.store.Items(d.Context(), d.org.ID, delivery.OperationItem, "", false, page))(d)
	if others.Total != 0 || len(others.Items) != 0 {
		d.Errorf("items of another kind: %+v, want none", others)
	}
	elsewhere := must(d.store.ItemsByID(d.Context(), d.org.ID+1, []delivery.ItemID{given[0].ID}))(d)
	if len(elsewhere) != 0 {
		d.Errorf("another organization got %v", elsewhere)
	}
	anywhere := must(d.store.ItemsByID(d.Context(), 0, []delivery.ItemID{given[0].ID}))(d)
	same(d, "an item of any organization", anywhere, given[:1])
}
