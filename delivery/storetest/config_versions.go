package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

func testConfigVersion(d *desk) {
	last := d.configVersion()
	raised := func(what string) {
		d.Helper()
		now := d.configVersion()
		if now <= last {
			d.Errorf("%s left the ConfigVersion at %d", what, now)
		}
		last = now
	}
	w := d.create("counted")
	raised("create")
	d.ok(d.store.UpdateWebhook(d.Context(), d.next(w, at.Add(time.Second)), 1, d.entry()))
	raised("update")
	d.ok(d.store.SetSecrets(d.Context(), d.org.ID, w.ID, w.Secrets, w.Secrets, at, "ada", d.entry()))
	raised("new secrets")
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, w.ID, at.Add(time.Minute), "ada", d.entry()))
	raised("delete")
	d.refused(d.store.UpdateWebhook(d.Context(), w, 2, d.entry()), delivery.NotFound)
	if now := d.configVersion(); now != last {
		d.Errorf("a refused update moved the ConfigVersion from %d to %d", last, now)
	}
}

// Each change adds one webhook and raises the ConfigVersion by one, so a read is
// consistent if their difference is the same as at the start.
func testConfigTogether(d *desk) {
	start := d.configVersion()
	const changes = 15
	reading, stop := context.WithCancel(d.Context())
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for reading.Err() == nil {
				org, webhooks, err := d.store.Config(d.Context(), d.org.ID)
				if err != nil {
					d.Error(err)
					return
				}
				if got, want := int64(len(webhooks)), org.ConfigVersion-start; got != want {
					d.Errorf("read %d webhooks with a ConfigVersion that stands for %d", got, want)
					return
				}
			}
		})
	}
	var last delivery.Webhook
	for i := range changes {
		last = d.webhook("together" + string(rune('a'+i)))
		if err := d.store.CreateWebhook(d.Context(), last, d.entry()); err != nil {
			d.Error(err)
		}
	}
	stop()
	readers.Wait()
	org, webhooks, err := d.store.Config(d.Context(), d.org.ID)
	d.ok(err)
	if org.ID != d.org.ID || org.Name != d.org.Name || len(webhooks) != changes {
		d.Errorf("got %+v with %d webhooks, want %s with %d", org, len(webhooks), d.org.Name, changes)
	}
	found := slices.IndexFunc(webhooks, func(w delivery.Webhook) bool { return w.ID == last.ID })
	if found < 0 {
		d.Fatalf("the configuration lacks the webhook %s", last.ID)
	}
	last.Version.Template = ""
	same(d, "a webhook of the configuration", webhooks[found], last)
	_, _, err = d.store.Config(d.Context(), 1)
	d.refused(err, delivery.NotFound)
}

func testVersionsBetween(d *desk) {
	early := d.create("early")
	changedAt := at.Add(time.Hour)
	d.ok(d.store.UpdateWebhook(d.Context(), d.next(early, changedAt), 1, d.entry()))
	late := d.webhook("late")
	late.Version.CreatedAt = at.Add(2 * time.Hour)
	d.ok(d.store.CreateWebhook(d.Context(), late, d.entry()))
	gone := d.create("gone")
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, gone.ID, at.Add(30*time.Minute), "ada", d.entry()))

	before := map[delivery.WebhookID][]int{early.ID: {1}, late.ID: {1}, gone.ID: {1}}
	after := map[delivery.WebhookID][]int{early.ID: {2}, late.ID: {1}, gone.ID: {1}}
	both := map[delivery.WebhookID][]int{early.ID: {1, 2}, late.ID: {1}, gone.ID: {1}}
	for what, c := range map[string]struct {
		from, to time.Time
		want     map[delivery.WebhookID][]int
	}{
		"before all":         {at.Add(-time.Hour), at.Add(-time.Hour), before},
		"at the first":       {at, at, before},
		"just before change": {changedAt.Add(-time.Microsecond), changedAt.Add(-time.Microsecond), before},
		"at the change":      {changedAt, changedAt, after},
		"around the change":  {changedAt.Add(-time.Microsecond), changedAt, both},
		"from before all":    {at.Add(-time.Hour), at.AddDate(1, 0, 0), both},
		"up to the change":   {at.Add(-time.Hour), changedAt.Add(-time.Microsecond), before},
		"after all":          {at.AddDate(1, 0, 0), at.AddDate(1, 0, 0), after},
	} {
		got := map[delivery.WebhookID][]int{}
		for _, v := range must(d.store.VersionsBetween(d.Context(), d.org.ID, c.from, c.to))(d) {
			got[v.Webhook] = append(got[v.Webhook], v.Number)
			if v.Deleted != (v.Webhook == gone.ID) {
				d.Errorf("%s: Deleted is %t for %s", what, v.Deleted, v.Name)
			}
			if v.Target != "" || v.Template != "" || len(v.Headers) > 0 {
				d.Errorf("%s: the version has %q, %q and %v, which do not decide about matches",
					what, v.Target, v.Template, v.Headers)
			}
		}
		same(d, what, got, c.want)
	}
}

func testVersions(d *desk) {
	w := d.create("versioned")
	for n := 1; n < 5; n++ {
		next := d.next(w, at.Add(time.Duration(n)*time.Minute))
		d.ok(d.store.UpdateWebhook(d.Context(), next, n, d.entry()))
		w = next
	}
	numbers := func(p delivery.Page) ([]int, delivery.Slice[delivery.WebhookVersion]) {
		d.Helper()
		slice := must(d.store.Versions(d.Context(), d.org.ID, w.ID, p))(d)
		var all []int
		for _, v := range slice.Items {
			all = append(all, v.Number)
		}
		return all, slice
	}
	got, first := numbers(delivery.Page{First: 2})
	same(d, "the newest two", got, []int{5, 4})
	got, _ = numbers(delivery.Page{First: 9, After: first.Cursors[1]})
	same(d, "those after them", got, []int{3, 2, 1})
	got, last := numbers(delivery.Page{Last: 2})
	same(d, "the oldest two", got, []int{2, 1})
	if !first.HasNext || first.HasPrev || last.HasNext || !last.HasPrev || first.Total != -1 {
		d.Errorf("neighbours of %+v and %+v", first, last)
	}
}
