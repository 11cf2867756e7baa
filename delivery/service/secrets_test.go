package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
)

func TestSecretsAreNeverStoredOrShownInTheClear(t *testing.T) {
	c := newConfiguring(t)
	made := c.create(t, func(in *CreateWebhookInput) {
		in.Headers = []HeaderInput{{Name: "Authorization", Value: new("Bearer canary"), Secret: true}}
	})
	if !strings.HasPrefix(made.Secret, "whsec_") {
		t.Errorf("secret = %q", made.Secret)
	}
	stored := fmt.Sprintf("%+v %s", c.store.WebhookRows[made.Webhook.ID], made.Webhook.Version.Headers[0].Sealed)
	if strings.Contains(stored, "canary") || strings.Contains(stored, made.Secret) {
		t.Error("a secret is stored in the clear")
	}
	if h := made.Webhook.Version.MaskedHeaders()[0]; h.Value != delivery.Mask || !h.Secret {
		t.Errorf("header = %+v", h)
	}
	if hint := made.Webhook.Secrets[0].Hint; !strings.Contains(made.Secret, hint) || len(hint) != 4 {
		t.Errorf("hint = %q", hint)
	}
	// An envelope does not open in another webhook's place.
	other := c.create(t, func(in *CreateWebhookInput) { in.TargetURL += "/other" }).Webhook
	c.store.Change(func() { c.store.WebhookRows[other.ID].Secrets = made.Webhook.Secrets })
	c.pipeline.Webhooks.Drop(c.org.ID)
	if _, err := c.pipeline.Targets.Of(t.Context(), c.org.ID, other.ID, 0); err == nil {
		t.Error("a secret copied to another webhook opens there")
	}
}

func TestRotationKeepsAtMostTwoOldSecrets(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	seen := make(map[string]bool)
	signing := func() int {
		target, err := c.pipeline.Targets.Of(t.Context(), w.Org, w.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(target.Secrets)
	}
	for i, want := range []int{2, 3, 3} {
		rotated, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if seen[rotated.Secret] {
			t.Error("the secret is not new")
		}
		seen[rotated.Secret] = true
		if got := signing(); got != want {
			t.Errorf("after rotation %d: %d secrets sign, want %d", i+1, got, want)
		}
		if secrets := rotated.Webhook.Secrets; !secrets[0].ExpiresAt.IsZero() || secrets[1].ExpiresAt.IsZero() {
			t.Errorf("expiry: %v and %v", secrets[0].ExpiresAt, secrets[1].ExpiresAt)
		}
	}
	if _, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, 0); err != nil {
		t.Fatal(err)
	}
	if got := signing(); got != 1 {
		t.Errorf("%d secrets sign after a rotation that keeps none", got)
	}
	for _, keep := range []time.Duration{-1, MaxKeepOld + 1} {
		if _, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, keep); delivery.CodeOf(
			err,
		) != delivery.Invalid {
			t.Errorf("keep %s: %v", keep, err)
		}
	}
}

func TestTargetURLIsWholeOnlyForWhoMayConfigure(t *testing.T) {
	s := newFront(t, memstore.NewFaulty())
	v := &delivery.WebhookVersion{Target: "https://x.example/?key=s3cret"}
	for name, tt := range map[string]struct {
		caller delivery.Caller
		whole  bool
	}{
		"admin":           {delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{1: delivery.Admin}}, true},
		"viewer":          {delivery.Caller{Name: "v", Grants: map[delivery.OrgID]delivery.Role{1: delivery.ViewerRole}}, false},
		"operator":        {delivery.Caller{Name: "o", Operator: true}, false},
		"unauthenticated": {delivery.Caller{}, false},
	} {
		if got := s.TargetURL(tt.caller, 1, v); (got == v.Target) != tt.whole {
			t.Errorf("%s sees %s", name, got)
		}
	}
}
