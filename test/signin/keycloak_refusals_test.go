package signin

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"portalhooks/auth/authtest"
	"portalhooks/test/harness"
)

// A server that is set up by the manual, with Keycloak, does what it should and
// refuses everything else.
func TestProductionByTheManual(t *testing.T) {
	t.Parallel()
	harness.OnEveryKindOfDatabase(t, func(t *testing.T, database string) {
		m := newManualServer(t, database)
		m.wantNoStart(t)
		m.start(t)
		m.wantOnlyTheFront(t)
		portal := m.programToken(t, "portal")
		for _, o := range []string{"acme", "globex"} {
			wants(t, "Portal reports", m.ask(t, m.browser(t), portal, ingestReports, alertOf(o)), "ACCEPTED")
		}
		m.wantPeople(t)
		m.wantTokensRefused(t, portal)
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// wantNoStart leaves out what production needs.
func (m *manualServer) wantNoStart(t *testing.T) {
	t.Helper()
	without := func(text, key string) string {
		var kept []string
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, key+":") {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	for name, tt := range map[string]struct{ settings, want string }{
		"no encryption key": {
			without(m.settings, "encryption-key-file") + m.provider, "production needs --encryption-key-file",
		},
		"a key file that is not there": {
			strings.Replace(m.settings, "portalhooks.key", "other.key", 1) + m.provider, "other.key",
		},
		"no way to call it":   {without(m.settings, "oidc-client-secret-file"), "no caller could authenticate"},
		"a certificate alone": {without(m.settings, "tls-key") + m.provider, "--tls-cert and --tls-key go together"},
		"an issuer in clear": {
			m.settings + strings.Replace(m.provider, m.issuer.URL, "http://id.example.com/realms/it", 1),
			"--oidc-issuer must be the https URL",
		},
		"a proxy of another kind": {
			m.settings + "egress-proxy: socks5://me:canary@proxy.example\n",
			`not "socks5://me:xxxxx@proxy.example"`,
		},
		"a misspelt setting": {m.settings + "oidc-isuer: x\n", `"oidc-isuer", which is not a setting`},
	} {
		p, err := harness.StartProcess(m.command(t, tt.settings))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// wantOnlyTheFront looks for what must not be served.
func (m *manualServer) wantOnlyTheFront(t *testing.T) {
	t.Helper()
	b := m.browser(t)
	status, text, err := harness.Get(t.Context(), "http://"+m.addr+"/graphql")
	if err != nil || status != http.StatusBadRequest || !strings.Contains(string(text), "HTTPS server") {
		t.Errorf("without TLS: %d %s (%v), want 400", status, text, err)
	}
	for _, page := range []string{
		"/dev/sign-in?token=x", "/dev/receiver/requests", "/metrics", "/debug/pprof/",
	} {
		if p := m.call(t, b, http.MethodGet, manualURL+page, "", ""); p.status != http.StatusNotFound {
			t.Errorf("%s: %d %.200s, want 404", page, p.status, p.text)
		}
	}
	schema := m.ask(t, b, "", `{ __schema { types { name } } }`, nil)
	if strings.Contains(schema, "Webhook") || !strings.Contains(schema, `"errors"`) {
		t.Errorf("without signing in, the schema: %.300s", schema)
	}
	wants(t, "an unauthenticated caller",
		m.ask(t, b, "", listWebhooks, map[string]any{"o": "acme"}), "UNAUTHENTICATED")
}

// wantPeople lets people of each role sign in.
func (m *manualServer) wantPeople(t *testing.T) {
	t.Helper()
	ada, p := m.person(t, "ada", []string{"webhooks-admins-acme", "staff"}, nil)
	if p.status != http.StatusOK || p.url != manualURL+"/" {
		t.Fatalf("an admin signs in: %+v%s", p, m.Transcript())
	}
	wants(t, "an admin", m.ask(t, ada, "", harness.WhoAmI, nil), `"ada (`)
	for target, want := range map[string]string{
		"https://hooks.example.org/in":             `"webhook":{"name":"W"}`,
		"https://127.0.0.1/in":                     "URL_FORBIDDEN",
		"https://[::1]/in":                         "URL_FORBIDDEN",
		"https://localhost/in":                     "URL_FORBIDDEN",
		"https://10.0.0.1/in":                      "URL_FORBIDDEN",
		"https://169.254.169.254/latest/meta-data": "URL_FORBIDDEN",
		"http://hooks.example.org/in":              "URL_FORBIDDEN",
	} {
		wants(t, "a webhook to "+target, m.ask(t, ada, "", makeWebhook, webhookTo("acme", target)), want)
	}
	other := m.ask(t, ada, "", listWebhooks, map[string]any{"o": "globex"})
	if none := m.ask(t, ada, "", listWebhooks, map[string]any{"o": "nothing"}); other != none {
		t.Errorf("another organization: %s, want %s", other, none)
	}
	wants(t, "a webhook elsewhere",
		m.ask(t, ada, "", makeWebhook, webhookTo("globex", "https://hooks.example.org/in")), "NOT_FOUND")

	for name, tt := range map[string]struct{ groups, roles []string }{
		"vera": {groups: []string{"webhooks-viewers-acme"}},
		"otto": {roles: []string{"webhooks-operator"}},
	} {
		b, _ := m.person(t, name, tt.groups, tt.roles)
		wants(t, name+" reads", m.ask(t, b, "", listWebhooks, map[string]any{"o": "acme"}), `"name":"W"`)
		wants(t, name+" configures",
			m.ask(t, b, "", makeWebhook, webhookTo("acme", "https://hooks.example.org/in")), "FORBIDDEN")
	}
	staff, p := m.person(t, "sam", []string{"staff"}, []string{"webhooks-admins-acme"})
	if p.status != http.StatusForbidden {
		t.Errorf("a person without a role: %+v, want 403", p)
	}
	wants(t, "without a role", p.text, "none of your claims grants a role here")
	wants(t, "without a role", m.ask(t, staff, "", harness.WhoAmI, nil), "UNAUTHENTICATED")
}

// wantTokensRefused shows tokens that are not Portal's, and Portal's for what it
// may not do.
func (m *manualServer) wantTokensRefused(t *testing.T, portal string) {
	t.Helper()
	foreign := authtest.NewKeycloak(t)
	signed := func(by *authtest.Issuer, change map[string]any) string {
		claims := m.issuer.Usual()
		maps.Copy(claims, authtest.KeycloakProgram("portal", "ingest"))
		maps.Copy(claims, change)
		return by.Sign(claims)
	}
	hourAgo := time.Now().Add(-time.Hour).Unix()
	for name, tt := range map[string]struct{ token, document, want string }{
		"a token of another provider": {foreign.Sign(foreign.Usual()), ingestReports, "UNAUTHENTICATED"},
		"a token signed by another":   {signed(foreign, nil), ingestReports, "UNAUTHENTICATED"},
		"an expired token": {
			signed(m.issuer, map[string]any{"iat": hourAgo, "exp": hourAgo + 300}), ingestReports, "UNAUTHENTICATED",
		},
		"a token for another server": {
			signed(m.issuer, map[string]any{"aud": "account"}), ingestReports, "UNAUTHENTICATED",
		},
		"a refresh token":           {signed(m.issuer, map[string]any{"typ": "Refresh"}), ingestReports, "UNAUTHENTICATED"},
		"a person's ID token":       {signed(m.issuer, map[string]any{"nonce": "n"}), ingestReports, "UNAUTHENTICATED"},
		"a program without a role":  {m.programToken(t, "curious"), ingestReports, "FORBIDDEN"},
		"Portal's token that reads": {portal, listWebhooks, `{"organization":null}`},
	} {
		variables := alertOf("acme")
		if tt.document == listWebhooks {
			variables = map[string]any{"o": "acme"}
		}
		wants(t, name, m.ask(t, m.browser(t), tt.token, tt.document, variables), tt.want)
	}
	wants(t, "Portal configures",
		m.ask(t, m.browser(t), portal, makeWebhook, webhookTo("acme", "https://hooks.example.org/in")), "NOT_FOUND")
}
