package storetest

import (
	"fmt"
	"slices"
	"time"

	"portalhooks/delivery"
)

// testWebhookPages reads lists of every length with every page size, in every
// order and from both ends. Names and times repeat, so that there are ties.
func testWebhookPages(d *desk) {
	const most = 5
	for n := range most + 1 {
		if n > 0 {
			w := d.webhook(fmt.Sprintf("page%d", n))
			w.Name = fmt.Sprintf("Page %d", n/2)
			w.CreatedAt = at.Add(time.Duration(n/3) * time.Second)
			w.UpdatedAt = at
			d.ok(d.store.CreateWebhook(d.Context(), w, d.entry()))
		}
		for _, order := range []delivery.WebhookOrder{"", delivery.ByName, delivery.ByCreated, delivery.ByUpdated} {
			for _, descending := range []bool{false, true} {
				for size := 1; size <= n+1; size++ {
					d.walk(order, descending, size, n)
				}
			}
		}
	}
	// A cursor stays valid when its row is gone.
	list := func(p delivery.Page) delivery.Slice[delivery.Webhook] {
		d.Helper()
		all := delivery.WebhookFilter{}
		return must(d.store.Webhooks(d.Context(), d.org.ID, all, delivery.ByUpdated, false, p))(d)
	}
	whole := list(delivery.Page{First: most})
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, whole.Items[0].ID, at, "ada", d.entry()))
	rest := list(delivery.Page{First: most, After: whole.Cursors[0]})
	if len(rest.Items) != most-1 || rest.HasPrev || rest.HasNext {
		d.Errorf("after the deleted first: %d items, HasPrev %t, HasNext %t; want %d and no neighbours",
			len(rest.Items), rest.HasPrev, rest.HasNext, most-1)
	}
	between := list(delivery.Page{First: most, After: whole.Cursors[1], Before: whole.Cursors[3]})
	third := whole.Items[2].ID
	if len(between.Items) != 1 || between.Items[0].ID != third || !between.HasPrev || !between.HasNext {
		d.Errorf("between two cursors: %+v, want the one item there, with neighbours", between)
	}
}

// walk reads the whole list forwards and backwards, and compares the results.
func (d *desk) walk(order delivery.WebhookOrder, descending bool, size, total int) {
	d.Helper()
	list := func(p delivery.Page) delivery.Slice[delivery.Webhook] {
		d.Helper()
		all := delivery.WebhookFilter{}
		slice := must(d.store.Webhooks(d.Context(), d.org.ID, all, order, descending, p))(d)
		if slice.Total != total || len(slice.Items) > size || len(slice.Cursors) != len(slice.Items) {
			d.Fatalf("page %+v has %d items, %d cursors and the total %d, want at most %d of %d",
				p, len(slice.Items), len(slice.Cursors), slice.Total, size, total)
		}
		return slice
	}
	var forwards, backwards []delivery.WebhookID
	for p := (delivery.Page{First: size}); ; {
		slice := list(p)
		if want := len(forwards) > 0; slice.HasPrev != want {
			d.Fatalf("page %+v has HasPrev %t, want %t", p, slice.HasPrev, want)
		}
		for _, w := range slice.Items {
			forwards = append(forwards, w.ID)
		}
		if want := len(forwards) < total; slice.HasNext != want {
			d.Fatalf("page %+v has HasNext %t, want %t", p, slice.HasNext, want)
		}
		if !slice.HasNext {
			break
		}
		p.After = slice.Cursors[len(slice.Cursors)-1]
	}
	for p := (delivery.Page{Last: size}); ; {
		slice := list(p)
		if want := len(backwards) > 0; slice.HasNext != want {
			d.Fatalf("page %+v has HasNext %t, want %t", p, slice.HasNext, want)
		}
		for _, w := range slices.Backward(slice.Items) {
			backwards = append(backwards, w.ID)
		}
		if want := len(backwards) < total; slice.HasPrev != want {
			d.Fatalf("page %+v has HasPrev %t, want %t", p, slice.HasPrev, want)
		}
		if !slice.HasPrev {
			break
		}
		p.Before = slice.Cursors[0]
	}
	slices.Reverse(backwards)
	same(d, fmt.Sprintf("%s by %d, backwards and forwards", order, size), backwards, forwards)
	seen := map[delivery.WebhookID]bool{}
	for _, id := range forwards {
		seen[id] = true
	}
	if len(forwards) != total || len(seen) != total {
		d.Errorf("%s by %d: walked over %d items, %d different ones, want %d",
			order, size, len(forwards), len(seen), total)
	}
}

func testForeignCursors(d *desk) {
	d.create("one")
	must(d.store.RegisterItems(d.Context(), d.org.ID, []delivery.Item{d.item("one", "one")}))(d)
	webhooks := func(o delivery.WebhookOrder, p delivery.Page) (delivery.Slice[delivery.Webhook], error) {
		return d.store.Webhooks(d.Context(), d.org.ID, delivery.WebhookFilter{}, o, false, p)
	}
	page := delivery.Page{First: 1}
	items := must(d.store.Items(d.Context(), d.org.ID, delivery.AlertItem, "", false, page))(d)
	byCreated := must(webhooks(delivery.ByCreated, delivery.Page{First: 1}))(d)
	good := must(webhooks(delivery.ByName, delivery.Page{First: 1}))(d).Cursors[0]
	for what, cursor := range map[string]string{
		"of another list":  items.Cursors[0],
		"of another order": byCreated.Cursors[0],
		"cut off":          good[:len(good)-2],
		"changed":          "AAAA" + good[4:],
		"not base64":       "?!",
		"a blank":          " ",
		"base64 of little": "AA",
	} {
		d.Log("a cursor", what)
		_, err := webhooks(delivery.ByName, delivery.Page{First: 1, After: cursor})
		d.refusal(err, &delivery.Error{Code: delivery.Invalid, Field: "after"})
		_, err = webhooks(delivery.ByName, delivery.Page{Last: 1, Before: cursor})
		d.refusal(err, &delivery.Error{Code: delivery.Invalid, Field: "before"})
	}
	if _, err := webhooks(delivery.ByName, delivery.Page{First: 1, After: good}); err != nil {
		d.Errorf("a good cursor is refused: %v", err)
	}
}
