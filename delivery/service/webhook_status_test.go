package service

import (
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
)

func TestSetWebhookStatus(t *testing.T) {
	c := newConfiguring(t)
	taking(t, c.Service)
	w := c.create(t, func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} }).Webhook
	set := func(in SetStatusInput) *delivery.Webhook {
		t.Helper()
		in.ID = w.ID
		got, err := c.SetWebhookStatus(t.Context(), c.admin, in)
		if err != nil {
			t.Fatal(err)
		}
		return got.Webhook
	}
	counts := func() (held, canceled, pending int) {
		c.store.Change(func() {
			for _, job := range c.store.Queued() {
				switch {
				case job.Cancel:
					canceled++
				case job.Delivery.State == delivery.Held:
					held++
				default:
					pending++
				}
			}
		})
		return held, canceled, pending
	}
	check := func(what string, held, canceled, pending int) {
		t.Helper()
		if h, x, p := counts(); h != held || x != canceled || p != pending {
			t.Errorf("%s: %d held, %d canceled, %d pending; want %d, %d, %d", what, h, x, p, held, canceled, pending)
		}
	}
	holding := set(SetStatusInput{Status: delivery.Disabled, Hold: true})
	if !holding.Holding || !holding.Version.Listening || holding.DisabledReason != delivery.DisabledByAdmin {
		t.Errorf("holding = %+v", holding)
	}
	take(t, c.Service, deliverytest.AlertReport("s-1"))
	check("while holding", 1, 0, 0)
	enabled := set(SetStatusInput{Status: delivery.Enabled})
	if enabled.DisabledReason != "" || !enabled.DisabledAt.IsZero() || enabled.Version.Number != 3 {
		t.Errorf("enabled = %+v", enabled)
	}
	check("released", 0, 0, 1)
	disabled := set(SetStatusInput{Status: delivery.Disabled})
	if disabled.Version.Listening || disabled.DisabledAt.IsZero() {
		t.Errorf("disabled = %+v", disabled)
	}
	check("disabled without hold", 0, 1, 0)
	if got := take(t, c.Service, deliverytest.AlertReport("s-2")); got.Deliveries != 0 {
		t.Errorf("a disabled webhook took an event: %+v", got)
	}
	if again := set(SetStatusInput{Status: delivery.Disabled}); again.Version.Number != disabled.Version.Number {
		t.Error("the same status makes a version")
	}
	set(SetStatusInput{Status: delivery.Disabled, Hold: true})
	take(t, c.Service, deliverytest.AlertReport("s-3"))
	set(SetStatusInput{Status: delivery.Enabled, DropHeld: true})
	check("dropped", 0, 2, 0)
}

func TestSetWebhookStatusRefuses(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	for name, tt := range map[string]struct {
		in   SetStatusInput
		want delivery.Code
	}{
		"an unknown status":       {SetStatusInput{ID: w.ID, Status: "ON"}, delivery.Invalid},
		"hold when enabled":       {SetStatusInput{ID: w.ID, Status: delivery.Enabled, Hold: true}, delivery.Invalid},
		"drop held when disabled": {SetStatusInput{ID: w.ID, Status: delivery.Disabled, DropHeld: true}, delivery.Invalid},
		"another version":         {SetStatusInput{ID: w.ID, Status: delivery.Disabled, ExpectedVersion: 9}, delivery.Conflict},
		"no such webhook":         {SetStatusInput{ID: 1, Status: delivery.Disabled}, delivery.NotFound},
	} {
		if _, err := c.SetWebhookStatus(t.Context(), c.admin, tt.in); delivery.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestDeletedWebhooksStayReadable(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	if _, err := c.DeleteWebhook(t.Context(), c.admin, w.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteWebhook(t.Context(), c.admin, w.ID); delivery.CodeOf(err) != delivery.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	found, err := c.WebhooksByID(t.Context(), c.admin, []delivery.WebhookID{w.ID})
	if err != nil || found[0] == nil || !found[0].Version.Deleted {
		t.Errorf("found %v, %v", found, err)
	}
	target, err := c.pipeline.Targets.Of(t.Context(), w.Org, w.ID, 0)
	if err != nil || !target.Deleted {
		t.Errorf("target = %+v, %v", target, err)
	}
	c.create(t, same) // its configuration is free again
}

// An operator at night may stop a webhook from sending without losing anything,
// and let it go on, and nothing else.
func TestOperatorsHoldAndRelease(t *testing.T) {
	c := newConfiguring(t)
	taking(t, c.Service)
	w := c.create(t, func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} }).Webhook
	operator := delivery.Caller{Name: "on call", Operator: true}
	for _, step := range []struct {
		what string
		by   delivery.Caller
		in   SetStatusInput
		want delivery.Code
	}{
		{"disable", operator, SetStatusInput{Status: delivery.Disabled}, delivery.Forbidden},
		{"hold", operator, SetStatusInput{Status: delivery.Disabled, Hold: true}, ""},
		{"drop what is held", operator, SetStatusInput{Status: delivery.Enabled, DropHeld: true}, delivery.Forbidden},
		{"release", operator, SetStatusInput{Status: delivery.Enabled}, ""},
		{"disable as admin", c.admin, SetStatusInput{Status: delivery.Disabled}, ""},
		{"enable what an admin disabled", operator, SetStatusInput{Status: delivery.Enabled}, delivery.Forbidden},
		{"hold what an admin disabled", operator, SetStatusInput{Status: delivery.Disabled, Hold: true}, delivery.Forbidden},
	} {
		step.in.ID = w.ID
		if _, err := c.SetWebhookStatus(t.Context(), step.by, step.in); delivery.CodeOf(err) != step.want {
			t.Errorf("%s: err = %v, want %q", step.what, err, step.want)
		}
	}
}
