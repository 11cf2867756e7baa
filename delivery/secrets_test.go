package delivery

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSecretsAreNeverStoredOrShownInTheClear(t *testing.T) {
	c := newConfiguring(t)
	made := c.create(t, func(in *CreateWebhookInput) {
		in.Headers = []HeaderInput{{Name: "Authorization", Value: new("Bearer canary"), Secret: true}}
	})
	if !strings.HasPrefix(made.Secret, "whsec_") {
		t.Errorf("secret = %q", made.Secret)
	}
	stored := fmt.Sprintf("%+v %s", c.store.webhooks[made.Webhook.ID], made.Webhook.Version.Headers[0].Sealed)
	if strings.Contains(stored, "canary") || strings.Contains(stored, made.Secret) {
		t.Error("a secret is stored in the clear")
	}
	if h := made.Webhook.Version.MaskedHeaders()[0]; h.Value != Mask || !h.Secret {
		t.Errorf("header = %+v", h)
	}
	if hint := made.Webhook.Secrets[0].Hint; !strings.Contains(made.Secret, hint) || len(hint) != 4 {
		t.Errorf("hint = %q", hint)
	}
	// An envelope does not open in another webhook's place.
	other := c.create(t, func(in *CreateWebhookInput) { in.TargetURL += "/other" }).Webhook
	c.store.change(func() { c.store.webhooks[other.ID].Secrets = made.Webhook.Secrets })
	c.pipeline.Webhooks.Drop(c.org.ID)
	if _, err := c.pipeline.Targets.Of(t.Context(), c.org.ID, other.ID); err == nil {
		t.Error("a secret copied to another webhook opens there")
	}
}

func TestRotationKeepsAtMostTwoOldSecrets(t *testing.T) {
	c := newConfiguring(t)
	w := c.create(t, same).Webhook
	seen := make(map[string]bool)
	signing := func() int {
		target, err := c.pipeline.Targets.Of(t.Context(), w.Org, w.ID)
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
		if _, err := c.RotateWebhookSecret(t.Context(), c.admin, w.ID, keep); CodeOf(err) != Invalid {
			t.Errorf("keep %s: %v", keep, err)
		}
	}
}

func TestExpiredSecretsDoNotSign(t *testing.T) {
	open := openTarget{secrets: []openSecret{
		{expiresAt: time.Time{}},
		{expiresAt: TestNow},
		{expiresAt: TestNow.Add(1)},
	}}
	if got := len(open.now(&Webhook{}, TestNow).Secrets); got != 2 {
		t.Errorf("%d secrets sign, want 2", got)
	}
}

func TestMaskURL(t *testing.T) {
	for target, want := range map[string]string{
		"https://itsm.example/in": "https://itsm.example/in",
		"https://itsm.example:8443/in?key=s3cret&x=&y": "https://itsm.example:8443/in?key=" + Mask +
			"&x=&" + Mask,
		"https://hooks.slack.com/services/T0/B0/s3cret":    "https://hooks.slack.com/" + Mask,
		"https://HOOKS.slack.com./services/T0/B0/s3cret":   "https://HOOKS.slack.com./" + Mask,
		"https://discord.com/api/webhooks/1/s3cret":        "https://discord.com/api/webhooks/" + Mask,
		"https://discord.com/api/v10/webhooks/1/s3cret":    "https://discord.com/api/webhooks/" + Mask,
		"https://discord.com/about":                        "https://discord.com/about",
		"https://acme.webhook.office.com/webhookb2/s3cret": "https://acme.webhook.office.com/" + Mask,
		"https://prod-1.logic.azure.com:443/workflows/a?sig=s3cret": "https://prod-1.logic.azure.com:443/" + Mask +
			"?sig=" + Mask,
		"https://x.api.powerplatform.com/p/s3cret": "https://x.api.powerplatform.com/" + Mask,
		"https://evilhooks.slack.com.example/a":    "https://evilhooks.slack.com.example/a",
	} {
		if got := MaskURL(target); got != want {
			t.Errorf("%s is shown as %s, want %s", target, got, want)
		}
	}
}

func TestTargetURLIsWholeOnlyForWhoMayConfigure(t *testing.T) {
	s := newFront(t, newFakeStore())
	v := &WebhookVersion{Target: "https://x.example/?key=s3cret"}
	for name, tt := range map[string]struct {
		caller Caller
		whole  bool
	}{
		"admin":    {Caller{Name: "a", Grants: map[OrgID]Role{1: Admin}}, true},
		"viewer":   {Caller{Name: "v", Grants: map[OrgID]Role{1: ViewerRole}}, false},
		"operator": {Caller{Name: "o", Operator: true}, false},
		"nobody":   {Caller{}, false},
	} {
		if got := s.TargetURL(tt.caller, 1, v); (got == v.Target) != tt.whole {
			t.Errorf("%s sees %s", name, got)
		}
	}
}
