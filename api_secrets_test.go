package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// everythingShown asks for all that the API shows of an organization's
// webhooks, deliveries and attempts.
func everythingShown(o names) []string {
	var queries []string
	for _, c := range nodeCases(apiSchema()) {
		queries = append(queries, fill(c.queries[0], o, o))
	}
	return append(queries,
		fill(`{ previewMessage(input: {organizationId: @organization, eventType: ACTIVE_ALERT, webhookId: @webhook,
			eventId: @event}) { message } }`, o, o),
		fill(`{ organization(id: @organization) { webhooks { edges { node { targetUrl headers { name value } } } }
			deliveries { nodes { request { url curl headers { value } } attempts { requestHeaders { value } } } }
			} }`, o, o))
}

// TestSecretsStayInside gives every caller everything that may be read.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, s *apiServer) {
		w := newWorld(t, s)
		rotated := w.must(t, w.a.admin, fill(
			`mutation { rotateWebhookSecret(input: {id: @webhook}) { secret userErrors { code } } }`, w.a.names, nil), nil)
		secret := strings.TrimPrefix(rotated.at(t, "rotateWebhookSecret.secret"), "whsec_")
		made := w.must(t, w.a.admin, fill(`mutation { createApiKey(input: {
			organizationId: @organization, name: "x", role: VIEWER}) {
			key userErrors { code } } }`, w.a.names, nil), nil)
		seen := map[string]bool{}
		for _, query := range everythingShown(w.a.names) {
			for role, key := range map[string]string{
				"admin": w.a.admin, "viewer": w.a.viewer, "operator": w.operator,
			} {
				a := w.ask(t, key, query, nil)
				isForAdmins := slices.ContainsFunc(adminOnly, func(f string) bool { return strings.Contains(query, f) })
				if role == "viewer" && isForAdmins {
					if verdict(a) != forbidden {
						t.Errorf("the viewer is answered, want %s: %s", forbidden, a.body)
					}
					continue
				}
				if len(a.Errors) > 0 {
					t.Fatalf("%s: %s", query, a.body)
				}
				body := string(a.body)
				if strings.Contains(body, "canary-a-header") {
					t.Errorf("the %s sees the value of a secret header: %s", role, body)
				}
				if isForAdmins && strings.Contains(body, "canary-a-token") {
					t.Errorf("the audit log has the token in the target URL: %s", body)
				}
				if strings.Contains(body, secret) || strings.Contains(body, made.at(t, "createApiKey.key")) {
					t.Errorf("the %s sees the signing secret: %s", role, body)
				}
				if strings.Contains(body, "canary-a-token") {
					seen[role] = true
				}
				if key != w.a.admin && strings.Contains(body, "canary-a-token") {
					t.Errorf("the %s sees the token in the target URL: %s", role, body)
				}
			}
		}
		if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, []string{"admin"}) {
			t.Errorf("the whole target URL is seen by %q, want the admin, who may configure it", got)
		}
	})
}

// TestShownAreMasks proves that what is hidden is seen to be there.
func TestShownAreMasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, startAPI(t, apiDatabases["SQLite"](t)))
	query := fill(`{ node(id: @webhook) { ... on Webhook {
		targetUrl headers { name value secret } secretHint versions { nodes { targetUrl } } } } }`, w.a.names, nil)
	masked := w.receiver + "/canary-a?token=••••••"
	for role, by := range map[string]struct{ key, target string }{
		"admin":    {w.a.admin, w.receiver + "/canary-a?token=canary-a-token"},
		"viewer":   {w.a.viewer, masked},
		"operator": {w.operator, masked},
	} {
		a := w.must(t, by.key, query, nil)
		for path, want := range map[string]string{
			"node.targetUrl": by.target, "node.versions.nodes.1.targetUrl": by.target,
			"node.headers.0.name": "X-Key", "node.headers.0.value": "••••••", "node.headers.0.secret": "true",
		} {
			if got := a.at(t, path); got != want {
				t.Errorf("%s: %s = %q, want %q", role, path, got, want)
			}
		}
		if got := a.at(t, "node.secretHint"); len(got) != 4 {
			t.Errorf("%s: secretHint = %q, want four characters", role, got)
		}
	}
}
