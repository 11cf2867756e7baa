package delivery

import "testing"

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
