package deliverytest

import (
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
