package api

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"portalhooks/test/harness"
)

// everythingShown asks for all that the API shows of an organization's
// webhooks, deliveries and attempts.
func everythingShown(o harness.Names) []string {
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

// newSecrets rotates the signing secret of A's webhook and creates an API key with
// the role. It returns the secret parts of both.
func newSecrets(t *testing.T, w *harness.World, role string) (secret, key string) {
	t.Helper()
	rotated := w.Must(t, w.A.Admin, fill(
		`mutation { rotateWebhookSecret(input: {id: @webhook}) { secret userErrors { code } } }`,
		w.A.Names,
		nil,
	), nil)
	created := w.Must(t, w.A.Admin, fill(`mutation { createApiKey(input: {
		organizationId: @organization, name: "x", role: `+role+`}) {
		key userErrors { code } } }`, w.A.Names, nil), nil)
	return strings.TrimPrefix(rotated.At(t, "rotateWebhookSecret.secret"), "whsec_"),
		secretOf(created.At(t, "createApiKey.key"))
}

// secretOf returns an API key without its prefix, which is not secret.
func secretOf(key string) string { return key[len("phk_")+8:] }

// TestSecretsStayInside gives every caller everything that may be read.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		secret, key := newSecrets(t, w, "VIEWER")
		seen := map[string]bool{}
		for _, query := range everythingShown(w.A.Names) {
			for role, by := range map[string]string{
				"admin": w.A.Admin, "viewer": w.A.Viewer, "operator": w.Operator,
			} {
				a := w.Ask(t, by, query, nil)
				isForAdmins := slices.ContainsFunc(adminOnly, func(f string) bool { return strings.Contains(query, f) })
				if role == "viewer" && isForAdmins {
					if verdict(a) != forbidden {
						t.Errorf("the viewer is answered, want %s: %s", forbidden, a.Body)
					}
					continue
				}
				if len(a.Errors) > 0 {
					t.Fatalf("%s: %s", query, a.Body)
				}
				body := string(a.Body)
				if strings.Contains(body, "canary-a-header") {
					t.Errorf("the %s sees the value of a secret header: %s", role, body)
				}
				if isForAdmins && strings.Contains(body, "canary-a-token") {
					t.Errorf("the audit log has the token in the target URL: %s", body)
				}
				if strings.Contains(body, secret) || strings.Contains(body, key) {
					t.Errorf("the %s sees the signing secret or the API key: %s", role, body)
				}
				if strings.Contains(body, "canary-a-token") {
					seen[role] = true
				}
				if by != w.A.Admin && strings.Contains(body, "canary-a-token") {
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
	w := harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	query := fill(`{ node(id: @webhook) { ... on Webhook {
		targetUrl headers { name value secret } secretHint versions { nodes { targetUrl } } } } }`, w.A.Names, nil)
	masked := w.Receiver + "/canary-a?token=••••••"
	for role, by := range map[string]struct{ key, target string }{
		"admin":    {w.A.Admin, w.Receiver + "/canary-a?token=canary-a-token"},
		"viewer":   {w.A.Viewer, masked},
		"operator": {w.Operator, masked},
	} {
		a := w.Must(t, by.key, query, nil)
		for path, want := range map[string]string{
			"node.targetUrl": by.target, "node.versions.nodes.1.targetUrl": by.target,
			"node.headers.0.name": "X-Key", "node.headers.0.value": "••••••", "node.headers.0.secret": "true",
		} {
			if got := a.At(t, path); got != want {
				t.Errorf("%s: %s = %q, want %q", role, path, got, want)
			}
		}
		if got := a.At(t, "node.secretHint"); len(got) != 4 {
			t.Errorf("%s: secretHint = %q, want four characters", role, got)
		}
	}
}
