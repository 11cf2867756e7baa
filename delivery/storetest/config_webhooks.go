package storetest

import (
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

func testWebhookRoundTrip(d *desk) {
	w := d.webhook("whole")
	w.Status, w.DisabledReason, w.DisabledAt = delivery.Disabled, delivery.DisabledByAdmin, at.Add(time.Second)
	w.Holding = true
	w.Secrets = append(w.Secrets, delivery.SealedSecret{
		Sealed: []byte{0, 255}, Hint: "old1", CreatedAt: at.Add(-time.Hour), ExpiresAt: at.Add(time.Hour),
	})
	w.Version.Selection = delivery.Selection{Items: []delivery.ItemID{3, 1 << 60}}
	w.Version.Headers = []delivery.StoredHeader{
		{Name: "X-A", Value: "é\"\\"}, {Name: "X-B", Sealed: []byte{0, 9}},
	}
	w.Version.Target, w.Version.Sealed = "https://example.com/••••••", []byte{9, 0, 9}
	w.Version.Policy = delivery.Policy{
		Timeout: 1500 * time.Millisecond, Retry: delivery.Schedule{time.Second, time.Hour}, Stop4xx: true,
		TimeZone: "Europe/Madrid",
	}
	d.ok(d.store.CreateWebhook(d.Context(), w, d.entry()))
	same(d, "a webhook", d.stored(w.ID), w)
	versions := must(d.store.VersionsByID(d.Context(), []delivery.VersionID{w.Version.ID, 1}))(d)
	same(d, "its version", versions, []delivery.WebhookVersion{w.Version})

	plain := d.webhook("plain")
	plain.Secrets = nil
	plain.Version.Selection = delivery.Selection{}
	plain.Version.Policy.Retry = delivery.Schedule{} // no retries, which is not the default
	d.ok(d.store.CreateWebhook(d.Context(), plain, d.entry()))
	same(d, "a webhook with empty parts", d.stored(plain.ID), plain)

	lost := d.webhook("lost")
	lost.Org = 1
	d.refused(d.store.CreateWebhook(d.Context(), lost, d.entry()), delivery.NotFound)
}

func testWebhooks(d *desk) {
	add := func(name string, change func(w *delivery.Webhook)) delivery.Webhook {
		w := d.webhook(name)
		change(&w)
		d.ok(d.store.CreateWebhook(d.Context(), w, d.entry()))
		return w
	}
	add("beta", func(w *delivery.Webhook) {
		w.CreatedAt, w.UpdatedAt = at.Add(3*time.Second), at.Add(time.Second)
		w.Version.Target = "https://hooks.example/50%25/Path_x?token=hidden"
	})
	add("Alpha", func(w *delivery.Webhook) {
		w.CreatedAt, w.UpdatedAt = at.Add(2*time.Second), at.Add(2*time.Second)
		w.Version.Selection = delivery.Selection{Items: []delivery.ItemID{12, 345}}
	})
	add("gamma", func(w *delivery.Webhook) {
		w.CreatedAt, w.UpdatedAt = at.Add(time.Second), at.Add(3*time.Second)
		w.Status = delivery.Disabled
		w.Version.Type = delivery.ObjectCreated
		w.Version.Selection = delivery.Selection{Items: []delivery.ItemID{2}}
	})
	gone := add("gone", func(*delivery.Webhook) {})
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, gone.ID, at, "ada", d.entry()))

	type filter = delivery.WebhookFilter
	for what, c := range map[string]struct {
		filter     filter
		order      delivery.WebhookOrder
		descending bool
		want       []string
	}{
		"by name in any case": {want: []string{"Alpha", "beta", "gamma"}},
		"by name, descending": {
			order: delivery.ByName, descending: true, want: []string{"gamma", "beta", "Alpha"},
		},
		"by creation": {order: delivery.ByCreated, want: []string{"gamma", "Alpha", "beta"}},
		"by last change": {
			order: delivery.ByUpdated, descending: true, want: []string{"gamma", "Alpha", "beta"},
		},
		"search the name":           {filter: filter{Search: "ALPH"}, want: []string{"Alpha"}},
		"search the target":         {filter: filter{Search: "path_X"}, want: []string{"beta"}},
		"no secret in the target":   {filter: filter{Search: "hidden"}, want: []string{}},
		"percent is a character":    {filter: filter{Search: "a%a"}, want: []string{}},
		"underscore is a character": {filter: filter{Search: "pat__x"}, want: []string{}},
		"event types": {
			filter: filter{Types: []delivery.EventType{delivery.ObjectCreated, delivery.ObjectDeleted}},
			want:   []string{"gamma"},
		},
		"status":               {filter: filter{Status: delivery.Enabled}, want: []string{"Alpha", "beta"}},
		"item, or all items":   {filter: filter{Item: 345}, want: []string{"Alpha", "beta"}},
		"item as a whole":      {filter: filter{Item: 34}, want: []string{"beta"}},
		"several filters":      {filter: filter{Item: 2, Status: delivery.Disabled}, want: []string{"gamma"}},
		"nothing that matches": {filter: filter{Search: "alpha", Status: delivery.Disabled}, want: []string{}},
	} {
		page := delivery.Page{First: 9}
		slice := must(d.store.Webhooks(d.Context(), d.org.ID, c.filter, c.order, c.descending, page))(d)
		got := []string{}
		for _, w := range slice.Items {
			got = append(got, w.Name)
		}
		same(d, what, got, c.want)
		if slice.Total != len(c.want) {
			d.Errorf("%s: the total is %d, want %d", what, slice.Total, len(c.want))
		}
	}
}

func testOtherOrganization(d *desk) {
	w := d.create("mine")
	other := d.register(d.org.ExternalID+"-other", "Other").ID
	ids := []delivery.WebhookID{w.ID}
	if got := must(d.store.WebhooksByID(d.Context(), other, ids))(d); len(got) != 0 {
		d.Errorf("another organization got %v", got)
	}
	if got := must(d.store.WebhooksByID(d.Context(), 0, ids))(d); len(got) != 1 {
		d.Errorf("any organization got %d webhooks, want 1", len(got))
	}
	slice := must(d.store.Versions(d.Context(), other, w.ID, delivery.Page{First: 5}))(d)
	if len(slice.Items) != 0 {
		d.Errorf("another organization got the versions %v", slice.Items)
	}
	stolen := d.next(w, at.Add(time.Second))
	stolen.Org = other
	d.refused(d.store.UpdateWebhook(d.Context(), stolen, 1, d.entry()), delivery.NotFound)
	d.refused(d.store.DeleteWebhook(d.Context(), other, w.ID, at, "eve", d.entry()), delivery.NotFound)
	d.refused(d.store.SetSecrets(d.Context(), other, w.ID, w.Secrets, w.Secrets, at, "eve", d.entry()),
		delivery.NotFound)
	same(d, "the webhook afterwards", d.stored(w.ID), w)
}

func testTwins(d *desk) {
	first := d.create("first")
	twin := d.webhook("twin")
	twin.Version.Fingerprint = first.Version.Fingerprint
	before := d.configVersion()
	refusal := &delivery.Error{Code: delivery.Duplicate, Twin: first.ID}
	d.refusal(d.store.CreateWebhook(d.Context(), twin, d.entry()), refusal)
	second := d.create("second")
	changed := d.next(second, at.Add(time.Second))
	changed.Version.Fingerprint = first.Version.Fingerprint
	d.refusal(d.store.UpdateWebhook(d.Context(), changed, 1, d.entry()), refusal)
	same(d, "a webhook whose update was refused", d.stored(second.ID), second)
	if got := d.configVersion(); got != before+1 {
		d.Errorf("the ConfigVersion is %d, want %d: refusals don't count", got, before+1)
	}

	elsewhere := *d
	elsewhere.org = d.register(d.org.ExternalID+"-other", "Other")
	elsewhere.create("first")
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, first.ID, at, "ada", d.entry()))
	d.ok(d.store.CreateWebhook(d.Context(), twin, d.entry()))
}

func testConcurrentTwins(d *desk) {
	const callers = 8
	errs := make([]error, callers)
	twins := make([]delivery.Webhook, callers)
	var together sync.WaitGroup
	for c := range callers {
		twins[c] = d.webhook("twin")
		together.Go(func() { errs[c] = d.store.CreateWebhook(d.Context(), twins[c], d.entry()) })
	}
	together.Wait()
	stored := slices.Index(errs, nil)
	if stored < 0 {
		d.Fatalf("no twin was stored: %v", errs)
	}
	for c, err := range errs {
		if c != stored {
			d.refusal(err, &delivery.Error{Code: delivery.Duplicate, Twin: twins[stored].ID})
		}
	}
}

func testUpdate(d *desk) {
	w := d.create("before")
	began := at.Add(time.Minute)
	changed := d.next(w, began)
	changed.Name, changed.Version.Name, changed.UpdatedBy = "after", "after", "bob"
	changed.Version.Target = "https://example.com/new"
	changed.Version.Fingerprint = "another"
	changed.Secrets = nil // only SetSecrets changes them
	d.refused(d.store.UpdateWebhook(d.Context(), changed, 7, d.entry()), delivery.Conflict)
	d.ok(d.store.UpdateWebhook(d.Context(), changed, 1, d.entry()))
	changed.Secrets = w.Secrets
	same(d, "an updated webhook", d.stored(w.ID), changed)

	old := w.Version
	old.EndedAt = began
	ids := []delivery.VersionID{old.ID, changed.Version.ID}
	versions := must(d.store.VersionsByID(d.Context(), ids))(d)
	slices.SortFunc(versions, func(a, b delivery.WebhookVersion) int { return a.Number - b.Number })
	same(d, "both versions", versions, []delivery.WebhookVersion{old, changed.Version})

	d.refused(d.store.UpdateWebhook(d.Context(), d.next(w, began), 1, d.entry()), delivery.Conflict)
	missing := d.webhook("missing")
	d.refused(d.store.UpdateWebhook(d.Context(), missing, 1, d.entry()), delivery.NotFound)
	found := must(d.store.Webhooks(d.Context(), d.org.ID, delivery.WebhookFilter{Search: "COM/NEW"},
		delivery.ByName, false, delivery.Page{First: 1}))(d)
	if len(found.Items) != 1 {
		d.Errorf("a search for the new target found %v", found.Items)
	}
}

func testConcurrentUpdates(d *desk) {
	const callers = 6
	w := d.create("contested")
	errs := make([]error, callers)
	var together sync.WaitGroup
	for c := range callers {
		changed := d.next(w, at.Add(time.Minute))
		together.Go(func() { errs[c] = d.store.UpdateWebhook(d.Context(), changed, 1, d.entry()) })
	}
	together.Wait()
	stored := 0
	for _, err := range errs {
		if err == nil {
			stored++
			continue
		}
		d.refused(err, delivery.Conflict)
	}
	if stored != 1 {
		d.Errorf("%d of the concurrent updates were stored, want 1", stored)
	}
	slice := must(d.store.Versions(d.Context(), d.org.ID, w.ID, delivery.Page{First: 9}))(d)
	if len(slice.Items) != 2 {
		d.Errorf("there are %d versions, want 2", len(slice.Items))
	}
}

func testDelete(d *desk) {
	w := d.create("doomed")
	when := at.Add(time.Hour)
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, w.ID, when, "bob", d.entry()))
	w.UpdatedAt, w.UpdatedBy = when, "bob"
	w.Version.EndedAt, w.Version.Deleted = when, true
	same(d, "a deleted webhook", d.stored(w.ID), w)
	versions := must(d.store.VersionsByID(d.Context(), []delivery.VersionID{w.Version.ID}))(d)
	same(d, "its version", versions, []delivery.WebhookVersion{w.Version})

	d.refused(d.store.DeleteWebhook(d.Context(), d.org.ID, w.ID, when, "bob", d.entry()), delivery.NotFound)
	d.refused(d.store.UpdateWebhook(d.Context(), d.next(w, when), 1, d.entry()), delivery.NotFound)
	err := d.store.SetSecrets(d.Context(), d.org.ID, w.ID, w.Secrets, w.Secrets, when, "bob", d.entry())
	d.refused(err, delivery.NotFound)
	_, left, err := d.store.Config(d.Context(), d.org.ID)
	if err != nil || len(left) != 0 {
		d.Errorf("the configuration still has %v, %v", left, err)
	}
}

func testSecrets(d *desk) {
	w := d.create("secret")
	when := at.Add(time.Hour)
	rotated := []delivery.SealedSecret{
		{Sealed: []byte{9}, Hint: "new1", CreatedAt: when},
		{Sealed: []byte{1, 2, 3}, Hint: "abcd", CreatedAt: at, ExpiresAt: when.Add(time.Hour)},
	}
	set := func(old, secrets []delivery.SealedSecret) error {
		return d.store.SetSecrets(d.Context(), d.org.ID, w.ID, old, secrets, when, "bob", d.entry())
	}
	d.ok(set(w.Secrets, rotated))
	resealed := slices.Clone(rotated)
	resealed[0].Sealed = []byte{8, 8}
	d.ok(set(rotated, resealed))
	newer := slices.Clone(w.Secrets)
	newer[0].CreatedAt = when.Add(time.Second)
	d.refused(set(w.Secrets, newer), delivery.Conflict)
	w.Secrets, w.UpdatedAt, w.UpdatedBy = resealed, when, "bob"
	same(d, "a webhook with new secrets, in the same version", d.stored(w.ID), w)
}
