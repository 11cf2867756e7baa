package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"portalhooks/auth/authtest"
	"portalhooks/delivery"
)

// Where the browsers of these tests think that the server is.
const publicURL = "https://hooks.example"

const whoAmI = `{ viewer { name } }`

// oidcSettings returns those of a server that believes an issuer.
func oidcSettings(t *testing.T, issuer *authtest.Issuer, database string) *serveCmd {
	t.Helper()
	settings := apiSettings(t, database, "http://127.0.0.1:9")
	base, err := url.Parse(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(authtest.ClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings.PublicURL = base
	settings.oidcFlags = oidcFlags{
		OIDCIssuer: issuer.URL, OIDCClientID: authtest.ClientID, OIDCClientSecretFile: secret,
		OIDCGrantsClaim: "groups", OIDCGrant: []string{"hooks-{org}=admin", "ops=operator", "it=portal"},
	}
	issuer.Redirect = publicURL + "/auth/callback"
	issuer.Claims = map[string]any{"groups": []string{"hooks-acme"}}
	return settings
}

// A visit is what a page answered to a browser.
type visit struct {
	status   int
	location string
	cookies  []*http.Cookie
}

// visit requests a page of the server's with cookies.
func (s *apiServer) visit(t *testing.T, method, page string, cookies ...*http.Cookie) visit {
	t.Helper()
	if strings.HasPrefix(page, "/") {
		page = strings.TrimSuffix(s.url, "/graphql") + page
	}
	r, err := http.NewRequestWithContext(t.Context(), method, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", publicURL)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := s.client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return visit{resp.StatusCode, resp.Header.Get("Location"), resp.Cookies()}
}

// signsIn returns the cookie of somebody who has signed in at s.
func (s *apiServer) signsIn(t *testing.T) *http.Cookie {
	t.Helper()
	begin := s.visit(t, http.MethodGet, "/auth/sign-in")
	if begin.status != http.StatusFound || len(begin.cookies) != 1 {
		t.Fatalf("begin to sign in: %+v", begin)
	}
	back := s.visit(t, http.MethodGet, begin.location)
	path, ours := strings.CutPrefix(back.location, publicURL)
	if !ours {
		t.Fatalf("the provider: %+v", back)
	}
	end := s.visit(t, http.MethodGet, path, begin.cookies[0])
	if end.status != http.StatusSeeOther || len(end.cookies) != 2 {
		t.Fatalf("end of signing in: %+v", end)
	}
	return end.cookies[1]
}

// socket opens a WebSocket with these headers.
func (s *apiServer) socket(t *testing.T, header http.Header) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	socket, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.url, "http"), header)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = socket.Close() })
	if err := socket.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init"}`)); err != nil {
		t.Fatal(err)
	}
	if err := expectAck(socket); err != nil {
		t.Fatal(err)
	}
	return socket
}

// wantUnauthorized reads until the server has closed the socket with 4401.
func wantUnauthorized(t *testing.T, socket *websocket.Conn) {
	t.Helper()
	for {
		_, _, err := socket.ReadMessage()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Code == 4401 {
			return
		}
		if err != nil {
			t.Fatalf("the socket ended with %v, want 4401", err)
		}
	}
}

func withCookie(c *http.Cookie) http.Header {
	return http.Header{"Cookie": {c.Name + "=" + c.Value}}
}

// A person who signed in at one server is known to the other ones, and when he
// signs out at one, his sockets at all of them are closed.
func TestSignedInEverywhereUntilSignedOut(t *testing.T) {
	t.Parallel()
	for name, database := range apiDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := oidcSettings(t, authtest.New(t), database(t))
			here, there := startApp(t, settings), startApp(t, settings)
			here.key(t, delivery.AdminKey, "acme")
			cookie := here.signsIn(t)

			ask := there.request(t, "", `{ viewer { name grants { organization { externalId } role } } }`, nil)
			ask.AddCookie(cookie)
			if a := there.exchange(t, ask); !strings.Contains(string(a.body), `"ada (248289761001)"`) {
				t.Errorf("at the other server: %s", a.body)
			}
			sockets := []*websocket.Conn{here.socket(t, withCookie(cookie)), there.socket(t, withCookie(cookie))}
			if out := there.visit(t, http.MethodPost, "/auth/sign-out", cookie); out.status != http.StatusOK {
				t.Fatalf("sign out: %+v", out)
			}
			for _, socket := range sockets {
				wantUnauthorized(t, socket)
			}
			again := there.request(t, "", whoAmI, nil)
			again.AddCookie(cookie)
			if a := there.exchange(t, again); a.status != http.StatusUnauthorized || a.code() != "UNAUTHENTICATED" {
				t.Errorf("after signing out: %d %s", a.status, a.body)
			}
			log := here.must(t, here.key(t, delivery.OperatorKey, ""), `{ organization(id: "acme") {
				auditLog(first: 2) { nodes { action actor { name } remoteAddress } } } }`, nil)
			for i, want := range []string{"SIGNED_OUT", "SIGNED_IN"} {
				entry := fmt.Sprintf("organization.auditLog.nodes.%d.", i)
				if got := log.at(t, entry+"action"); got != want || log.at(t, entry+"remoteAddress") != "127.0.0.1" {
					t.Errorf("the audit log: %s, want %s from 127.0.0.1", log.body, want)
				}
			}
		})
	}
}

func TestSocketsCloseWhenTheirCredentialsExpire(t *testing.T) {
	t.Parallel()
	issuer := authtest.New(t)
	s := startApp(t, oidcSettings(t, issuer, apiDatabases["SQLite"](t)))
	s.key(t, delivery.AdminKey, "acme")

	claims := issuer.Usual()
	claims["groups"] = []string{"hooks-acme"}
	// Good for two seconds more, of those by which clocks may differ.
	claims["iat"], claims["exp"] = time.Now().Unix()-300, time.Now().Unix()-28
	byToken := s.socket(t, http.Header{"Authorization": {"Bearer " + issuer.Sign(claims)}})

	secret := strings.Repeat("A", 43)
	hash := sha256.Sum256([]byte(secret))
	now := time.Now()
	err := s.store.CreateSession(t.Context(), delivery.Session{
		ID: base64.RawURLEncoding.EncodeToString(hash[:]), Person: "ada", Name: "ada", CreatedAt: now, SeenAt: now,
		EndsAt: now.Add(2 * time.Second), Claims: map[string][]string{"groups": {"hooks-acme"}},
	}, 9)
	if err != nil {
		t.Fatal(err)
	}
	bySession := s.socket(t, withCookie(&http.Cookie{Name: "__Host-portalhooks", Value: secret}))
	wantUnauthorized(t, byToken)
	wantUnauthorized(t, bySession)
}

// Each sort of token may do what its rule says and nothing else; API keys work
// whatever the provider does.
func TestTokensAndKeys(t *testing.T) {
	t.Parallel()
	issuer := authtest.New(t)
	issuer.SetDown(true)
	settings := oidcSettings(t, issuer, apiDatabases["SQLite"](t))
	s := startApp(t, settings)
	key := s.key(t, delivery.AdminKey, "acme")
	token := func(groups ...string) string {
		claims := issuer.Usual()
		claims["groups"] = groups
		return issuer.Sign(claims)
	}
	a := s.ask(t, token("ops"), whoAmI, nil)
	if a.status != http.StatusServiceUnavailable || a.code() != "UNAVAILABLE" {
		t.Errorf("while the provider is down: %d %s", a.status, a.body)
	}
	s.must(t, key, whoAmI, nil)
	issuer.SetDown(false)
	s.stop()

	s = startApp(t, settings)
	s.must(t, key, whoAmI, nil)
	const systemOnly = `{ organizations(first: 5) { nodes { externalId } } }`
	for name, tt := range map[string]struct{ token, want string }{
		"an operator":          {token("ops"), "acme"},
		"an admin":             {token("hooks-acme"), "acme"},
		"an admin of nothing":  {token("hooks-globex"), "FORBIDDEN"},
		"nobody":               {token("others"), "FORBIDDEN"},
		"a token that is over": {token("ops") + "x", "UNAUTHENTICATED"},
	} {
		if a := s.ask(t, tt.token, systemOnly, nil); !strings.Contains(string(a.body), tt.want) {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.body, tt.want)
		}
	}
	a = s.ask(t, token("it"), `mutation { ingestEvents(input: []) { __typename } }`, nil)
	if a.code() == "FORBIDDEN" || a.code() == "UNAUTHENTICATED" {
		t.Errorf("Portal: %s", a.body)
	}
}
