package signin

import (
	"net/http"
	"testing"
	"time"

	"portalhooks/auth/authtest"
	"portalhooks/delivery"
	"portalhooks/test/harness"
)

const personsKey = `mutation ($n: String!, $end: Time) {
	createApiKey(input: {organizationId: "acme", name: $n, role: ADMIN, expiresAt: $end}) {
		key apiKey { expiresAt createdBy } userErrors { code field } } }`

// A key that a person makes, signed in or with a token, has an end, names the
// person, and stops working when the person signs in without the role. So does a
// key that was made with it.
func TestAPersonsKeysEndWithTheRole(t *testing.T) {
	t.Parallel()
	for name, database := range harness.APIDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := authtest.New(t)
			s := harness.StartApp(t, oidcSettings(t, issuer, database(t)))
			terminal := s.Key(t, delivery.AdminKey, "acme")
			cookie := s.SignsIn(t)
			bySession := func(query string, variables map[string]any) *harness.Answer {
				t.Helper()
				r := s.Request(t, "", query, variables)
				r.AddCookie(cookie)
				return s.Exchange(t, r)
			}
			late := bySession(personsKey, map[string]any{
				"n": "late", "end": time.Now().Add(91 * 24 * time.Hour).Format(time.RFC3339),
			})
			if late.At(t, "createApiKey.userErrors.0.field") != "expiresAt" {
				t.Errorf("a key for 91 days: %s", late.Body)
			}
			made := bySession(personsKey, map[string]any{"n": "session"})
			end, err := time.Parse(time.RFC3339, made.At(t, "createApiKey.apiKey.expiresAt"))
			if err != nil || time.Until(end) > 90*24*time.Hour || time.Until(end) < 89*24*time.Hour {
				t.Errorf("the key ends at %s (%v), want in 90 days", end, err)
			}
			if by := made.At(t, "createApiKey.apiKey.createdBy"); by != "ada (248289761001)" {
				t.Errorf("the key was made by %q", by)
			}
			session := made.At(t, "createApiKey.key")
			child := s.Must(t, session, personsKey, map[string]any{
				"n": "child", "end": end.Format(time.RFC3339Nano),
			}).At(t, "createApiKey.key")
			claims := issuer.Usual()
			claims["groups"] = []string{"hooks-acme"}
			byToken := s.Must(t, issuer.Sign(claims), personsKey, map[string]any{"n": "token"}).
				At(t, "createApiKey.key")
			for _, key := range []string{terminal, session, child, byToken} {
				s.Must(t, key, harness.WhoAmI, nil)
			}

			s.SignsIn(t) // with the role, nothing ends
			s.Must(t, session, harness.WhoAmI, nil)
			issuer.Claims["groups"] = []string{"ops"}
			s.SignsIn(t)
			s.Stop()
			s = harness.StartApp(t, s.Settings) // with an empty cache of keys
			s.Must(t, terminal, harness.WhoAmI, nil)
			for name, key := range map[string]string{"session": session, "child": child, "token": byToken} {
				if a := s.Ask(t, key, harness.WhoAmI, nil); a.Status != http.StatusUnauthorized {
					t.Errorf("the key %s, after the role has gone: %d %s", name, a.Status, a.Body)
				}
			}
			log := s.Must(t, terminal,
				`{ organization { auditLog(first: 6) { nodes { action actor { kind } } } } }`, nil)
			revoked := 0
			for _, entry := range log.List(t, "organization.auditLog.nodes") {
				if e, ok := entry.(map[string]any); ok && e["action"] == "API_KEY_REVOKED" {
					revoked++
				}
			}
			if revoked != 3 {
				t.Errorf("the audit log has %d revocations, want 3: %s", revoked, log.Body)
			}
		})
	}
}
