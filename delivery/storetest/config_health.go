package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
)

func testHealth(d *desk) {
	w := d.create("checked")
	minute := func(n int) time.Time {
		if n == 0 {
			return time.Time{}
		}
		return at.Add(time.Duration(n) * time.Minute)
	}
	if got := must(d.store.Health(d.Context(), []delivery.WebhookID{w.ID}))(d); len(got) != 0 {
		d.Fatalf("a new webhook has the health %v", got)
	}
	for _, step := range []struct {
		what                       string
		success, failure           int // what is recorded, in minutes
		wantS, wantF, failingSince int
	}{
		{"a first success", 1, 0, 1, 0, 0},
		{"a first failure", 0, 5, 1, 5, 5},
		{"a later failure keeps the first", 0, 9, 1, 9, 5},
		{"an earlier success does not end it", 3, 0, 3, 9, 5},
		{"an earlier failure moves it", 0, 4, 3, 9, 4},
		{"a success before the last failure cuts it", 6, 0, 6, 9, 9},
		{"a later success ends it", 12, 0, 12, 9, 0},
		{"an old failure does not begin it", 0, 11, 12, 11, 0},
		{"both at once, the success later", 20, 15, 20, 15, 0},
		{"both at once, the failure later", 21, 25, 21, 25, 25},
		{"times never go back", 2, 2, 21, 25, 25},
	} {
		d.ok(d.store.RecordHealth(d.Context(), []delivery.WebhookHealth{
			{Webhook: w.ID, LastSuccessAt: minute(step.success), LastFailureAt: minute(step.failure)},
		}))
		got := must(d.store.Health(d.Context(), []delivery.WebhookID{w.ID, 1}))(d)
		same(d, step.what, got, []delivery.WebhookHealth{{
			Webhook: w.ID, LastSuccessAt: minute(step.wantS), LastFailureAt: minute(step.wantF),
			FailingSince: minute(step.failingSince),
		}})
	}
	other := d.create("repeated")
	d.ok(d.store.RecordHealth(d.Context(), []delivery.WebhookHealth{
		{Webhook: other.ID, LastFailureAt: minute(8)},
		{Webhook: w.ID, LastSuccessAt: minute(30)},
		{Webhook: other.ID, LastFailureAt: minute(7)},
	}))
	got := must(d.store.Health(d.Context(), []delivery.WebhookID{other.ID}))(d)
	same(d, "two entries of one webhook", got, []delivery.WebhookHealth{
		{Webhook: other.ID, LastFailureAt: minute(8), FailingSince: minute(7)},
	})
	d.ok(d.store.RecordHealth(d.Context(), nil))
}

func testFailingWebhooks(d *desk) {
	failing, healthy, recent := d.create("failing"), d.create("healthy"), d.create("recent")
	deleted, disabled := d.create("deleted"), d.webhook("disabled")
	disabled.Status = delivery.Disabled
	d.ok(d.store.CreateWebhook(d.Context(), disabled, d.entry()))
	d.ok(d.store.DeleteWebhook(d.Context(), d.org.ID, deleted.ID, at, "ada", d.entry()))
	limit := at.Add(-24 * time.Hour)
	long := limit.Add(-time.Second)
	d.ok(d.store.RecordHealth(d.Context(), []delivery.WebhookHealth{
		{Webhook: failing.ID, LastFailureAt: long},
		{Webhook: healthy.ID, LastFailureAt: long, LastSuccessAt: at},
		{Webhook: recent.ID, LastFailureAt: limit},
		{Webhook: deleted.ID, LastFailureAt: long},
		{Webhook: disabled.ID, LastFailureAt: long},
	}))
	var got []delivery.Webhook
	for _, w := range must(d.store.FailingWebhooks(d.Context(), limit))(d) {
		if w.Org == d.org.ID {
			got = append(got, w)
		}
	}
	same(d, "webhooks that fail for long", got, []delivery.Webhook{failing})
}

// A notice and its audit entry are stored together, once in a period of
// failures.
func testNotices(d *desk) {
	w, healthy, disabled := d.create("failing"), d.create("healthy"), d.webhook("disabled")
	disabled.Status = delivery.Disabled
	d.ok(d.store.CreateWebhook(d.Context(), disabled, d.entry()))
	hour := func(n int) time.Time { return at.Add(time.Duration(n) * time.Hour) }
	d.ok(d.store.RecordHealth(d.Context(), []delivery.WebhookHealth{
		{Webhook: w.ID, LastFailureAt: hour(1)},
		{Webhook: healthy.ID, LastFailureAt: hour(1), LastSuccessAt: hour(2)},
		{Webhook: disabled.ID, LastFailureAt: hour(1)},
	}))
	page := delivery.Page{First: 9}
	all := must(d.store.AuditLog(d.Context(), d.org.ID, delivery.AuditFilter{}, page))(d).Items
	notice := func(what string, org delivery.OrgID, id delivery.WebhookID, since, now int, want bool) {
		d.Helper()
		e := d.entry()
		e.Action, e.At = delivery.WebhookFailing, hour(now)
		if got := must(d.store.NoticeFailing(d.Context(), org, id, hour(since), hour(now), e))(d); got != want {
			d.Errorf("%s: noticed is %t, want %t", what, got, want)
		}
		if want {
			all = append([]delivery.AuditEntry{e}, all...)
		}
		d.recorded(all...)
	}
	notice("in another organization", d.org.ID+1, w.ID, 1, 9, false)
	notice("a webhook that works", d.org.ID, healthy.ID, 2, 9, false)
	notice("a disabled one", d.org.ID, disabled.ID, 1, 9, false)
	notice("one that has failed for less", d.org.ID, w.ID, 0, 9, false)
	notice("the first", d.org.ID, w.ID, 1, 9, true)
	notice("another server's", d.org.ID, w.ID, 1, 9, false)
	d.ok(d.store.RecordHealth(d.Context(), []delivery.WebhookHealth{{Webhook: w.ID, LastFailureAt: hour(10)}}))
	notice("after more failures", d.org.ID, w.ID, 1, 11, false)
	notice("after a change", d.org.ID, w.ID, 12, 20, true)
	d.ok(d.store.RecordHealth(d.Context(), []delivery.WebhookHealth{
		{Webhook: w.ID, LastSuccessAt: hour(21), LastFailureAt: hour(22)},
	}))
	notice("in the period before", d.org.ID, w.ID, 12, 30, false)
	notice("in the next period", d.org.ID, w.ID, 22, 30, true)
	got := must(d.store.Health(d.Context(), []delivery.WebhookID{w.ID}))(d)
	same(d, "the health after a notice", got, []delivery.WebhookHealth{{
		Webhook: w.ID, LastSuccessAt: hour(21), LastFailureAt: hour(22),
		FailingSince: hour(22), NoticedAt: hour(30),
	}})
}

// Of many servers that notice the same webhook at once, one succeeds.
func testNoticesAtOnce(d *desk) {
	w := d.create("failing")
	d.ok(d.store.RecordHealth(d.Context(), []delivery.WebhookHealth{{Webhook: w.ID, LastFailureAt: at}}))
	var noticed atomic.Int32
	var servers sync.WaitGroup
	for range 8 {
		e := d.entry()
		servers.Go(func() {
			ok, err := d.store.NoticeFailing(d.Context(), d.org.ID, w.ID, at, at.Add(time.Hour), e)
			if err != nil {
				d.Error(err)
			}
			if ok {
				noticed.Add(1)
			}
		})
	}
	servers.Wait()
	if n := noticed.Load(); n != 1 {
		d.Errorf("%d of 8 servers noticed the webhook, want 1", n)
	}
}
