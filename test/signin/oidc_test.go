package signin

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"portalhooks/app"
	"portalhooks/auth/authtest"
	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// oidcSettings returns those of a server that believes an issuer.
func oidcSettings(t *testing.T, issuer *authtest.Issuer, database string) *app.Settings {
	t.Helper()
	settings := harness.APISettings(t, database, "http://127.0.0.1:9")
	base, err := url.Parse(harness.PublicURL)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(authtest.ClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings.PublicURL = base
	settings.OIDCFlags = app.OIDCFlags{
		OIDCIssuer: issuer.URL, OIDCClientID: authtest.ClientID, OIDCClientSecretFile: secret,
		OIDCGrantsClaim: "groups", OIDCGrant: []string{"hooks-{org}=admin", "ops=operator", "it=portal"},
	}
	issuer.Redirect = harness.PublicURL + "/auth/callback"
	issuer.Claims = map[string]any{"groups": []string{"hooks-acme"}}
	return settings
}

func withCookie(c *http.Cookie) http.Header {
	return http.Header{"Cookie": {c.Name + "=" + c.Value}}
}

// A person who signed in at one server is known to the others. Signing out at one
// closes the person's sockets at all of them.
func TestSignedInEverywhereUntilSignedOut(t *testing.T) {
	t.Parallel()
	for name, database := range harness.APIDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := oidcSettings(t, authtest.New(t), database(t))
			here, there := harness.StartApp(t, settings), harness.StartApp(t, settings)
			here.Key(t, delivery.AdminKey, "acme")
			cookie := here.SignsIn(t)

			ask := there.Request(t, "", `{ viewer { name grants { organization { externalId } role } } }`, nil)
			ask.AddCookie(cookie)
			if a := there.Exchange(t, ask); !strings.Contains(string(a.Body), `"ada (248289761001)"`) {
				t.Errorf("at the other server: %s", a.Body)
			}
			sockets := []*websocket.Conn{here.Socket(t, withCookie(cookie)), there.Socket(t, withCookie(cookie))}
			if out := there.Visit(t, http.MethodPost, "/auth/sign-out", cookie); out.Status != http.StatusOK {
				t.Fatalf("sign out: %+v", out)
			}
			for _, socket := range sockets {
				harness.WantUnauthorized(t, socket)
			}
			again := there.Request(t, "", harness.WhoAmI, nil)
			again.AddCookie(cookie)
			if a := there.Exchange(t, again); a.Status != http.StatusUnauthorized || a.Code() != "UNAUTHENTICATED" {
				t.Errorf("after signing out: %d %s", a.Status, a.Body)
			}
			log := here.Must(t, here.Key(t, delivery.OperatorKey, ""), `{ organization(id: "acme") {
				auditLog(first: 2) { nodes { action actor { name } remoteAddress } } } }`, nil)
			for i, want := range []string{"SIGNED_OUT", "SIGNED_IN"} {
				entry := fmt.Sprintf("organization.auditLog.nodes.%d.", i)
				if got := log.At(t, entry+"action"); got != want || log.At(t, entry+"remoteAddress") != "127.0.0.1" {
					t.Errorf("the audit log: %s, want %s from 127.0.0.1", log.Body, want)
				}
			}
		})
	}
}

func TestSocketsCloseWhenTheirCredentialsExpire(t *testing.T) {
	t.Parallel()
	issuer := authtest.New(t)
	s := harness.StartApp(t, oidcSettings(t, issuer, harness.APIDatabases["SQLite"](t)))
	s.Key(t, delivery.AdminKey, "acme")

	claims := issuer.Usual()
	claims["groups"] = []string{"hooks-acme"}
	// Good for two seconds more, of those by which clocks may differ.
	claims["iat"], claims["exp"] = time.Now().Unix()-300, time.Now().Unix()-28
	byToken := s.Socket(t, http.Header{"Authorization": {"Bearer " + issuer.Sign(claims)}})

	secret := strings.Repeat("A", 43)
	hash := sha256.Sum256([]byte(secret))
	now := time.Now()
	err := s.Store.CreateSession(t.Context(), delivery.Session{
		ID: base64.RawURLEncoding.EncodeToString(hash[:]), Person: "ada", Name: "ada", CreatedAt: now, SeenAt: now,
		EndsAt: now.Add(2 * time.Second), Claims: map[string][]string{"groups": {"hooks-acme"}},
	}, 9)
	if err != nil {
		t.Fatal(err)
	}
	bySession := s.Socket(t, withCookie(&http.Cookie{Name: "__Host-portalhooks", Value: secret}))
	harness.WantUnauthorized(t, byToken)
	harness.WantUnauthorized(t, bySession)
}

// Each sort of token may do what its rule says and nothing else; API keys work
// whatever the provider does.
func TestTokensAndKeys(t *testing.T) {
	t.Parallel()
	issuer := authtest.New(t)
	issuer.SetDown(true)
	settings := oidcSettings(t, issuer, harness.APIDatabases["SQLite"](t))
	s := harness.StartApp(t, settings)
	key := s.Key(t, delivery.AdminKey, "acme")
	token := func(groups ...string) string {
		claims := issuer.Usual()
		claims["groups"] = groups
		return issuer.Sign(claims)
	}
	a := s.Ask(t, token("ops"), harness.WhoAmI, nil)
	if a.Status != http.StatusServiceUnavailable || a.Code() != "UNAVAILABLE" {
		t.Errorf("while the provider is down: %d %s", a.Status, a.Body)
	}
	s.Must(t, key, harness.WhoAmI, nil)
	issuer.SetDown(false)
	s.Stop()

	s = harness.StartApp(t, settings)
	s.Must(t, key, harness.WhoAmI, nil)
	const systemOnly = `{ organizations(first: 5) { nodes { externalId } } }`
	for name, tt := range map[string]struct{ token, want string }{
		"an operator":          {token("ops"), "acme"},
		"an admin":             {token("hooks-acme"), "acme"},
		"an admin of nothing":  {token("hooks-globex"), "FORBIDDEN"},
		"without a role":       {token("others"), "FORBIDDEN"},
		"a token that is over": {token("ops") + "x", "UNAUTHENTICATED"},
	} {
		if a := s.Ask(t, tt.token, systemOnly, nil); !strings.Contains(string(a.Body), tt.want) {
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, tt.want)
		}
	}
	a = s.Ask(t, token("it"), `mutation { ingestEvents(input: []) { __typename } }`, nil)
	if a.Code() == "FORBIDDEN" || a.Code() == "UNAUTHENTICATED" {
		t.Errorf("Portal: %s", a.Body)
	}
}
