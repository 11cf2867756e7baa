package service

import (
	"errors"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
)

// A configuring is an organization with items and an admin.
type configuring struct {
	*Service
	store *memstore.Faulty
	org   delivery.Organization
	admin delivery.Caller
	items map[string]delivery.ItemID
}

func newConfiguring(t *testing.T) configuring {
	t.Helper()
	store := memstore.NewFaulty()
	s := newFront(t, store)
	orgs := make(map[string]delivery.Organization)
	for id, name := range map[string]string{"acme": "Acme", "other": "Other"} {
		org, err := s.pipeline.Ingester.Organization(t.Context(), 0, id, name)
		if err != nil {
			t.Fatal(err)
		}
		orgs[id] = org
	}
	c := configuring{Service: s, store: store, org: orgs["acme"], items: make(map[string]delivery.ItemID)}
	c.admin = delivery.Caller{Name: "nora", Grants: map[delivery.OrgID]delivery.Role{c.org.ID: delivery.Admin}}
	for _, one := range []struct {
		org  string
		kind delivery.ItemKind
		id   string
	}{
		{"acme", delivery.AlertItem, "disk"}, {"acme", delivery.AlertItem, "cpu"}, {"acme", delivery.OperationItem, "restart"}, {
			"other",
			delivery.AlertItem, "foreign",
		},
	} {
		items, err := store.RegisterItems(t.Context(), orgs[one.org].ID, []delivery.Item{{
			ID: delivery.ItemID(s.ids.Next()), Org: orgs[one.org].ID, Kind: one.kind, ExternalID: one.id, Name: one.id,
			Enabled: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		c.items[one.id] = items[0].ID
	}
	return c
}

func (c configuring) input(change func(*CreateWebhookInput)) CreateWebhookInput {
	in := CreateWebhookInput{
		OrganizationID: "acme", Name: "Tickets", Type: delivery.ActiveAlert, TargetURL: "https://itsm.example/in",
		Selection: SelectionInput{ExternalIDs: []string{"disk"}},
	}
	change(&in)
	return in
}

func (c configuring) create(t *testing.T, change func(*CreateWebhookInput)) *CreatedWebhook {
	t.Helper()
	made, err := c.CreateWebhook(t.Context(), c.admin, c.input(change))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func same(*CreateWebhookInput) {}

func TestOnlyAnAdminConfigures(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	for name, tt := range map[string]struct {
		caller delivery.Caller
		want   delivery.Code
	}{
		"unauthenticated":        {delivery.Caller{}, delivery.Unauthenticated},
		"without a role":         {delivery.Caller{Name: "x"}, delivery.NotFound},
		"another's admin":        {delivery.Caller{Name: "x", Grants: map[delivery.OrgID]delivery.Role{c.org.ID + 1: delivery.Admin}}, delivery.NotFound},
		"a viewer":               {delivery.Caller{Name: "x", Grants: map[delivery.OrgID]delivery.Role{c.org.ID: delivery.ViewerRole}}, delivery.Forbidden},
		"an operator":            {delivery.Caller{Name: "x", Operator: true}, delivery.Forbidden},
		"Portal can't configure": {delivery.Caller{Name: "x", Portal: true}, delivery.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			for call, err := range map[string]error{
				"create": second(c.CreateWebhook(ctx, tt.caller, c.input(same))),
				"update": second(c.UpdateWebhook(ctx, tt.caller, UpdateWebhookInput{ID: w.ID, ExpectedVersion: 1})),
				"delete": second(c.DeleteWebhook(ctx, tt.caller, w.ID)),
				"status": second(c.SetWebhookStatus(ctx, tt.caller, SetStatusInput{ID: w.ID, Status: delivery.Disabled})),
				"rotate": second(c.RotateWebhookSecret(ctx, tt.caller, w.ID, 0)),
			} {
				if delivery.CodeOf(err) != tt.want {
					t.Errorf("%s: %v, want %s", call, err, tt.want)
				}
			}
		})
	}
	if got := c.store.WebhookRows[w.ID]; got.Version.Number != 1 || got.Version.Deleted {
		t.Errorf("the webhook was changed: %+v", got)
	}
}

func second[T any](_ T, err error) error { return err }

func TestCreateWebhookRefusesATwin(t *testing.T) {
	c := newConfiguring(t)
	first := c.create(t, same).Webhook
	for name, tt := range map[string]struct {
		change func(*CreateWebhookInput)
		twin   bool
	}{
		"another name":   {func(in *CreateWebhookInput) { in.Name = "Other" }, true},
		"a disabled one": {func(in *CreateWebhookInput) { in.Status = delivery.Disabled }, true},
		"the URL written otherwise": {
			func(in *CreateWebhookInput) { in.TargetURL = "HTTPS://ITSM.example:443/in" }, true,
		},
		"the item by our id": {func(in *CreateWebhookInput) {
			in.Selection = SelectionInput{ItemIDs: []string{c.items["disk"].String()}}
		}, true},
		"the template written out": {
			func(in *CreateWebhookInput) {
				info, _ := delivery.TypeInfoOf(delivery.ActiveAlert)
				in.Template = new(strings.ReplaceAll(info.DefaultTemplate, "\n", " "))
			}, true,
		},
		"other items":    {func(in *CreateWebhookInput) { in.Selection.ExternalIDs = []string{"cpu"} }, false},
		"all items":      {func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} }, false},
		"another path":   {func(in *CreateWebhookInput) { in.TargetURL += "/2" }, false},
		"another letter": {func(in *CreateWebhookInput) { in.Template = new(`{"a":"#alert_name"}`) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CreateWebhook(t.Context(), c.admin, c.input(tt.change))
			if !tt.twin {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			twin, _ := errors.AsType[*delivery.Error](err)
			if twin == nil || twin.Code != delivery.Duplicate || twin.Twin != first.ID ||
				!strings.Contains(twin.Message,
					"Tickets") {
				t.Errorf("err = %+v, want a twin of %s", err, first.ID)
			}
		})
	}
}

func TestOverlapsAreWarnedOf(t *testing.T) {
	c := newConfiguring(t)
	first := c.create(t, same).Webhook
	apart := c.create(t, func(in *CreateWebhookInput) { in.Selection.ExternalIDs = []string{"cpu"} })
	if len(apart.Warnings) != 0 {
		t.Errorf("warned of a webhook with other items: %+v", apart.Warnings)
	}
	all := c.create(t, func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} })
	if len(all.Warnings) != 2 || all.Warnings[0].Code != OverlapWarning || all.Warnings[0].Webhook == 0 {
		t.Errorf("warnings = %+v, want of both others", all.Warnings)
	}
	got, err := c.Overlaps(t.Context(), c.admin, []*delivery.Webhook{first, nil, all.Webhook})
	if err != nil {
		t.Fatal(err)
	}
	if len(got[0]) != 1 || got[0][0].ID != all.Webhook.ID || got[1] != nil || len(got[2]) != 2 ||
		got[0][0].Version.Template == "" {
		t.Errorf("overlaps = %v", got)
	}
}

func TestUpdateWebhook(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, func(in *CreateWebhookInput) {
		in.Headers = []HeaderInput{{Name: "x-key", Value: new("canary"), Secret: true}, {
			Name:  "X-Env",
			Value: new("test"),
		}}
	}).Webhook
	update := func(expected int, change func(*UpdateWebhookInput)) (*UpdatedWebhook, error) {
		in := UpdateWebhookInput{ID: w.ID, ExpectedVersion: expected}
		change(&in)
		return c.UpdateWebhook(t.Context(), c.admin, in)
	}
	got, err := update(1, func(in *UpdateWebhookInput) { in.Name = new("Renamed") })
	if err != nil {
		t.Fatal(err)
	}
	v := got.Webhook.Version
	if v.Number != 2 || got.Webhook.Name != "Renamed" || v.Target != w.Version.Target || v.ID == w.Version.ID {
		t.Errorf("after the rename: %+v", v)
	}
	if v.Fingerprint != w.Version.Fingerprint {
		t.Error("a new name changes the fingerprint")
	}
	_, err = update(1, func(in *UpdateWebhookInput) { in.Name = new("Lost") })
	if delivery.CodeOf(err) != delivery.Conflict || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("an old version: %v", err)
	}
	got, err = update(2, func(in *UpdateWebhookInput) { in.Name = new("Renamed") })
	if err != nil || got.Webhook.Version.Number != 2 {
		t.Errorf("no change makes a version: %+v, %v", got, err)
	}
	// A header's value may stay as it is; the other header goes.
	_, err = update(2, func(in *UpdateWebhookInput) {
		in.Headers = &[]HeaderInput{{
			Name:   "X-Key",
			Secret: true,
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.pipeline.Targets.Of(t.Context(), w.Org, w.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if target.Headers.Get("X-Key") != "canary" || len(target.Headers) != 1 || len(target.Secrets) != 1 {
		t.Errorf("target = %+v", target)
	}
	_, err = update(3, func(in *UpdateWebhookInput) { in.Headers = &[]HeaderInput{{Name: "X-Key"}} })
	if delivery.CodeOf(err) != delivery.Required {
		t.Errorf("a secret value was made visible: %v", err)
	}
}

func TestUpdateChecksOnlyWhatChanges(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	c.store.Change(func() { c.store.ItemRows = nil }) // the selected item no longer exists
	_, err := c.UpdateWebhook(t.Context(), c.admin, UpdateWebhookInput{
		ID: w.ID, ExpectedVersion: 1,
		Name: new("New"),
	})
	if err != nil {
		t.Errorf("a rename is refused: %v", err)
	}
}

func TestWebhookLimit(t *testing.T) {
	c := newConfiguring(t)
	c.store.Change(func() {
		for i := range MaxWebhooks {
			c.store.WebhookRows[delivery.WebhookID(i+1)] = &delivery.Webhook{
				ID:  delivery.WebhookID(i + 1),
				Org: c.org.ID,
			}
		}
	})
	if _, err := c.CreateWebhook(t.Context(), c.admin, c.input(same)); delivery.CodeOf(
		err,
	) != delivery.LimitExceeded {
		t.Errorf("err = %v, want %s", err, delivery.LimitExceeded)
	}
}

func TestSuspiciousTemplatesAreSavedWithAWarning(t *testing.T) {
	c := newConfiguring(t)
	made := c.create(t, func(in *CreateWebhookInput) { in.Template = new("{\n \"a\": \"#alert_nam\"}") })
	if len(made.Warnings) != 1 || made.Warnings[0].Field != "template" || made.Warnings[0].Line != 2 ||
		!strings.Contains(made.Warnings[0].Message, "alert_name") {
		t.Errorf("warnings = %+v, want one that suggests alert_name", made.Warnings)
	}
}

func TestPolicyIsStoredAsGiven(t *testing.T) {
	c := newConfiguring(t)
	seconds, stop := 2.5, true
	w := c.create(t, func(in *CreateWebhookInput) {
		in.Policy = &PolicyInput{
			TimeoutSeconds: &seconds, RetrySet: true, RetrySeconds: []int{}, Stop4xx: &stop,
			TimeZone: new("Europe/Madrid"),
		}
	}).Webhook
	p := w.Version.Policy
	if p.Timeout != 2500*time.Millisecond || p.Retry == nil || len(p.Retry) != 0 || !p.Stop4xx ||
		p.TimeZone != "Europe/Madrid" {
		t.Errorf("policy = %+v", p)
	}
	updated, err := c.UpdateWebhook(t.Context(), c.admin, UpdateWebhookInput{
		ID: w.ID, ExpectedVersion: 1, Policy: &PolicyInput{RetrySet: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := updated.Webhook.Version.Policy; p.Retry != nil || p.Timeout != 2500*time.Millisecond {
		t.Errorf("policy = %+v, want the default schedule and the rest as it was", p)
	}
}
