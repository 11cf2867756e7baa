package signin

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"portalhooks/auth/authtest"
	"portalhooks/test/harness"
)

// manualURL is where browsers reach the server that the manual sets up.
const manualURL = "https://hooks.example.com"

// A manualServer is the real program in production, set up by the letter of the
// manual: docs/operating.md, and docs/sign-in.md for Keycloak.
type manualServer struct {
	*harness.Process
	issuer   *authtest.Issuer
	dir      string
	settings string // of operating.md
	provider string // of sign-in.md
	addr     string
	tls      *http.Transport // leads the manual's name to addr
}

// newManualServer prepares what the manual asks for; nothing runs yet.
func newManualServer(t *testing.T, database string) *manualServer {
	t.Helper()
	m := &manualServer{issuer: authtest.NewKeycloak(t), dir: t.TempDir()}
	m.issuer.Redirect = manualURL + "/auth/callback"
	m.issuer.Programs = map[string]map[string]any{
		"portal":  authtest.KeycloakProgram("portal", "ingest"),
		"curious": authtest.KeycloakProgram("curious"),
	}
	if database == "" {
		database = "sqlite:" + filepath.Join(m.dir, "portalhooks.db")
	}
	m.settings = harness.ReplaceAll(
		t,
		harness.SettingsOf(t, "operating.md", "Development and production"),
		map[string]string{
			"0.0.0.0:8443":     "127.0.0.1:0",
			"127.0.0.1:9090":   "127.0.0.1:0",
			"/etc/portalhooks": m.dir,
			"postgres://portalhooks:…@db.internal/portalhooks": database,
		},
	)
	m.provider = harness.ReplaceAll(t, harness.SettingsOf(t, "sign-in.md", "Keycloak"), map[string]string{
		"https://id.example.com/realms/it": m.issuer.URL,
	})
	key := make([]byte, 32) // as "openssl rand -base64 32" does
	_, _ = rand.Read(key)   // never fails
	m.write(t, "portalhooks.key", "k1:"+base64.StdEncoding.EncodeToString(key)+"\n")
	m.write(t, "oidc-secret", authtest.ClientSecret+"\n")
	m.certify(t)
	return m
}

func (m *manualServer) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certify writes a certificate for the manual's name, and trusts it.
func (m *manualServer) certify(t *testing.T) {
	t.Helper()
	known := httptest.NewTLSServer(http.NotFoundHandler())
	known.Close()
	pair := known.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		m.write(t, name, string(pem.EncodeToMemory(block)))
	}
	m.tls = known.Client().Transport.(*http.Transport).Clone()
	m.tls.DisableKeepAlives = true
	m.tls.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "hooks.example.com:443" {
			addr = m.addr
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}

// command returns the program with these settings in its file.
func (m *manualServer) command(t *testing.T, settings string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("portalhooks")
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "portalhooks.yaml", settings)
	// On loopback, it has to be told that this is production.
	cmd := exec.CommandContext(t.Context(), path, "--config", "portalhooks.yaml", "--production")
	cmd.Dir = m.dir
	for _, kept := range []string{"PATH", "HOME", "TMPDIR"} {
		cmd.Env = append(cmd.Env, kept+"="+os.Getenv(kept))
	}
	return cmd
}

// start starts the server as the manual says.
func (m *manualServer) start(t *testing.T) {
	t.Helper()
	var err error
	if m.Process, err = harness.StartProcess(m.command(t, m.settings+m.provider)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Kill() })
	found, err := m.WaitFor(&m.Err, regexp.MustCompile(`msg=serving address=(\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	m.addr = found[1]
}

// browser returns what keeps cookies and follows redirects as a browser does.
func (m *manualServer) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: m.tls, Jar: jar}
}

// person signs a person in, and returns the browser and the page that it shows in
// the end.
func (m *manualServer) person(t *testing.T, name string, groups, roles []string) (*http.Client, shown) {
	t.Helper()
	m.issuer.Claims = authtest.KeycloakPerson(name, groups, roles)
	b := m.browser(t)
	return b, m.call(t, b, http.MethodGet, manualURL+"/auth/sign-in", "", "")
}

// shown is what a browser shows after all redirects.
type shown struct {
	status    int
	url, text string
}

// call sends a request, with a token unless that is empty.
func (m *manualServer) call(t *testing.T, c *http.Client, method, at, token, body string) shown {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", manualURL)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("%v%s", err, m.Transcript())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return shown{resp.StatusCode, resp.Request.URL.String(), string(text)}
}

// ask sends an operation and returns the answer's text.
func (m *manualServer) ask(
	t *testing.T, c *http.Client, token, document string, variables map[string]any,
) string {
	t.Helper()
	return m.call(t, c, http.MethodPost, manualURL+"/graphql", token, harness.Query(document, variables)).text
}

// programToken gets a token from the provider as a program does.
func (m *manualServer) programToken(t *testing.T, id string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		m.issuer.URL+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, url.QueryEscape(authtest.ClientSecret))
	status, text, err := harness.Send(harness.Single, r)
	var got struct {
		Token string `json:"access_token"`
	}
	if err != nil || status != http.StatusOK || json.NewDecoder(bytes.NewReader(text)).Decode(&got) != nil {
		t.Fatalf("a token for %s: %d %s (%v)", id, status, text, err)
	}
	return got.Token
}

// alertOf returns a report of Portal's about an organization.
func alertOf(organization string) map[string]any {
	return map[string]any{"in": []any{map[string]any{
		"organizationId": organization, "sourceEventId": organization + "-1",
		"event": map[string]any{"activeAlert": map[string]any{"alert": map[string]any{
			"id": "disk", "name": "Low disk", "start": "2026-01-14T09:30:58Z",
		}}},
	}}}
}

const (
	ingestReports = `mutation ($in: [PortalEventInput!]!) {
		ingestEvents(input: $in) { results { status } userErrors { message } } }`
	listWebhooks = `query ($o: ID!) { organization(id: $o) { id webhooks { nodes { name } } } }`
	makeWebhook  = `mutation ($o: ID!, $url: String!) { createWebhook(input: {
		organizationId: $o, name: "W", eventType: ACTIVE_ALERT, targetUrl: $url, selection: {all: true} }) {
		webhook { name } userErrors { code message } } }`
)

func webhookTo(organization, target string) map[string]any {
	return map[string]any{"o": organization, "url": target}
}

// wants fails t unless the text has the part.
func wants(t *testing.T, what, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%s: %.600s, want %s", what, text, part)
	}
}
