package service

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/seal"
)

// actions returns what was recorded since the last call, as "ACTION by KIND".
func (c configuring) actions() []string {
	var texts []string
	for _, e := range c.store.AuditRows {
		texts = append(texts, string(e.Action)+" by "+string(e.Actor.Kind))
	}
	c.store.AuditRows = nil
	return texts
}

func TestEveryChangeIsRecorded(t *testing.T) {
	c := newConfiguring(t)
	taking(t, c.Service)
	key := c.admin
	key.Key = 5
	w := c.create(t, func(in *CreateWebhookInput) { in.Selection = SelectionInput{All: true} }).Webhook
	status := func(by delivery.Caller, in SetStatusInput) {
		t.Helper()
		in.ID = w.ID
		if _, err := c.SetWebhookStatus(t.Context(), by, in); err != nil {
			t.Fatal(err)
		}
	}
	status(key, SetStatusInput{Status: delivery.Disabled, Hold: true})
	status(c.admin, SetStatusInput{Status: delivery.Enabled})
	status(c.admin, SetStatusInput{Status: delivery.Disabled, Hold: true})
	take(t, c.Service, deliverytest.AlertReport("s-1"))
	status(c.admin, SetStatusInput{Status: delivery.Enabled, DropHeld: true})
	status(c.admin, SetStatusInput{Status: delivery.Disabled})
	status(c.admin, SetStatusInput{Status: delivery.Disabled}) // which changes nothing
	status(c.admin, SetStatusInput{Status: delivery.Enabled})
	if _, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := c.disable(t.Context(), w.Org, w.ID, delivery.DisabledAsFailing, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteWebhook(t.Context(), c.admin, w.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"WEBHOOK_CREATED by PERSON", "WEBHOOK_HELD by API_KEY", "WEBHOOK_RELEASED by PERSON",
		"WEBHOOK_HELD by PERSON", "DELIVERIES_CANCELED by PERSON", "WEBHOOK_ENABLED by PERSON",
		"WEBHOOK_DISABLED by PERSON", "WEBHOOK_ENABLED by PERSON", "SECRET_ROTATED by PERSON",
		"WEBHOOK_DISABLED by SYSTEM", "WEBHOOK_DELETED by PERSON",
	}
	if got := c.actions(); !slices.Equal(got, want) {
		t.Errorf("recorded\n%q, want\n%q", got, want)
	}
}

func TestARecordSaysWhatChangedWithoutSecrets(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, func(in *CreateWebhookInput) {
		in.Selection = SelectionInput{All: true}
		in.TargetURL = "https://receiver.example/a?token=hunter2"
		in.Headers = []HeaderInput{{Name: "X-Key", Value: new("hunter2"), Secret: true}}
	}).Webhook
	by := c.admin
	by.Request, by.Address = "r-1", "192.0.2.7"
	_, err := c.UpdateWebhook(t.Context(), by, UpdateWebhookInput{
		ID: w.ID, ExpectedVersion: 1, Name: new("New name"),
		TargetURL: new("https://receiver.example/a?token=hunter3"),
		Headers:   &[]HeaderInput{{Name: "X-Key", Value: new("hunter4"), Secret: true}},
		Template:  new(`{"a": "` + strings.Repeat("é", 3000) + `"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(c.store.AuditRows)
	if err != nil || strings.Contains(string(all), "hunter") {
		t.Errorf("a record has a secret, or can't be written: %v %s", err, all)
	}
	e := c.store.AuditRows[len(c.store.AuditRows)-1]
	if e.Org != c.org.ID || e.Request != "r-1" || e.Address != "192.0.2.7" || e.Actor.Name != "nora" ||
		e.Object != (delivery.AuditObject{Type: delivery.WebhookObject, ID: w.ID.String(), Name: "New name"}) {
		t.Errorf("the record is %+v", e)
	}
	got := map[string][2]string{}
	for _, change := range e.Changes {
		got[change.Field] = [2]string{string(change.Before), string(change.After)}
	}
	masked := `"https://receiver.example/a?token=` + delivery.Mask + `"`
	if len(got) != 4 || got["targetUrl"] != [2]string{masked, masked} || got["name"][1] != `"New name"` ||
		got["headers"][0] != got["headers"][1] || len(got["template"][1]) > auditedTemplate+10 {
		t.Errorf("the changes are %q, want name, targetUrl, template and headers", got)
	}
}

func TestRekeyIsRecordedBeforeItChangesAnything(t *testing.T) {
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := seal.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	vault := failingVault{recorded: new([]delivery.AuditEntry)}
	_, err = Rekey(t.Context(), delivery.AtTerminalOf("root"), vault, other, delivery.NewIDs(1))
	if delivery.CodeOf(err) != delivery.Unavailable {
		t.Errorf("got %v, want the store's error", err)
	}
	r := *vault.recorded
	if len(r) != 1 || r[0].Action != delivery.EncryptionKeyChanged || r[0].Actor.Kind != delivery.AtTerminal {
		t.Errorf("recorded %+v", r)
	}
}

// A failingVault takes records and nothing else.
type failingVault struct {
	delivery.Vault
	recorded *[]delivery.AuditEntry
}

// SealedWebhooks implements [Vault].
func (failingVault) SealedWebhooks(context.Context, delivery.WebhookID, int) ([]delivery.Webhook, error) {
	return nil, delivery.Errorf(delivery.Unavailable, "", "The database is away.")
}

// Record implements [Vault].
func (v failingVault) Record(_ context.Context, entries ...delivery.AuditEntry) error {
	*v.recorded = append(*v.recorded, entries...)
	return nil
}

func TestSignInsAreRecordedWhereTheyMatter(t *testing.T) {
	c := newConfiguring(t)
	many := map[delivery.OrgID]delivery.Role{}
	for i := range delivery.OrgID(signInOrgs + 1) {
		many[i+1] = delivery.ViewerRole
	}
	for name, tt := range map[string]struct {
		by   delivery.Caller
		want []delivery.OrgID
	}{
		"in two":      {delivery.Caller{Name: "x", Grants: map[delivery.OrgID]delivery.Role{9: delivery.Admin, 4: delivery.ViewerRole}}, []delivery.OrgID{4, 9}},
		"in many":     {delivery.Caller{Name: "x", Grants: many}, []delivery.OrgID{0}},
		"an operator": {delivery.Caller{Name: "x", Operator: true, Grants: map[delivery.OrgID]delivery.Role{9: delivery.Admin}}, []delivery.OrgID{0}},
		"in none":     {delivery.Caller{Name: "x"}, []delivery.OrgID{0}},
	} {
		c.store.AuditRows = nil
		if err := c.SignedIn(t.Context(), tt.by); err != nil {
			t.Fatal(err)
		}
		var got []delivery.OrgID
		for _, e := range c.store.AuditRows {
			got = append(got, e.Org)
		}
		if !slices.Equal(got, tt.want) || c.store.AuditRows[0].Action != delivery.SignedIn {
			t.Errorf("%s: recorded in %v as %s, want %v", name, got, c.store.AuditRows[0].Action, tt.want)
		}
		if err := c.SignedOut(t.Context(), tt.by); err != nil ||
			c.store.AuditRows[len(c.store.AuditRows)-1].Action != delivery.SignedOut {
			t.Errorf("%s: signing out is recorded as %v, %v", name, c.store.AuditRows, err)
		}
	}
}
