package delivery

import (
	"testing"
	"time"
)

func TestAFailingWebhookThatWasEnabledAgainGetsAsLongAnew(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	c.opts.FailingLimit = time.Hour
	c.store.change(func() {
		c.store.health[w.ID] = WebhookHealth{Webhook: w.ID, FailingSince: time.Now().Add(-48 * time.Hour)}
	})
	if err := c.disableFailing(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.store.webhooks[w.ID].Status != Enabled {
		t.Error("disabled although its configuration is new")
	}
	c.store.change(func() { c.store.webhooks[w.ID].Version.CreatedAt = time.Now().Add(-2 * time.Hour) })
	if err := c.disableFailing(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.store.webhooks[w.ID]; got.Status != Disabled || got.DisabledReason != DisabledAsFailing {
		t.Errorf("still %s after failing for the whole of the limit", got.Status)
	}
}
