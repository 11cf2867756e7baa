package auth

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/auth/authtest"
	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
	"portalhooks/delivery/seal"
)

// A site is a server with browser sign-in and its identity provider.
type site struct {
	*authtest.Issuer
	url    string
	server *httptest.Server
	signIn *SignIn
	auth   *Authenticator
	store  *memstore.Faulty
	now    time.Time
}

// sessions returns the stored sessions.
func (s *site) sessions() (all []delivery.Session) {
	s.store.Change(func() { all = slices.Clone(s.store.SessionRows) })
	return all
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Issuer: authtest.New(t), now: time.Now(), store: memstore.NewFaulty()}
	s.Now = func() time.Time { return s.now }
	s.Claims = map[string]any{"groups": []string{"acme"}}
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := seal.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	provider := NewProvider(s.URL, slog.New(slog.DiscardHandler))
	provider.now = s.Now
	t.Cleanup(provider.client.CloseIdleConnections)
	s.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/auth/") {
			s.signIn.ServeHTTP(w, r)
			return
		}
		caller, _, err := s.auth.Request(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, r.URL.RequestURI()+" "+caller.Name)
	}))
	t.Cleanup(s.server.Close)
	s.url = s.server.URL
	s.Redirect = s.url + "/auth/callback"
	base, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	s.signIn = NewSignIn(SignInOptions{
		Provider: provider, Grants: NewGrants(rulesOf(t, "acme=admin@a"), fakeOrgs{"a": 7}),
		Store: s.store, Sealer: keyring, PublicURL: base,
		ClientID: authtest.ClientID, ClientSecret: authtest.ClientSecret, Scopes: []string{"email"},
	})
	s.auth = &Authenticator{Keys: NewKeys(s.store), Sessions: s.signIn}
	return s
}

// A browser is an HTTP client with a cookie jar that records redirects.
type browser struct {
	*testing.T
	site   *site
	client *http.Client
	seen   []*url.URL // targets of the redirects
	stopAt string     // path suffix of a redirect that is not followed
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{T: t, site: s, client: &http.Client{Jar: jar, Transport: s.server.Client().Transport}}
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		b.seen = append(b.seen, r.URL)
		if b.stopAt != "" && strings.HasSuffix(r.URL.Path, b.stopAt) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

// get requests a page, by its path on the site or by its URL.
func (b *browser) get(page string) (status int, body string) {
	b.Helper()
	return b.do(http.MethodGet, page, nil)
}

func (b *browser) do(method, page string, header map[string]string) (status int, body string) {
	b.Helper()
	if strings.HasPrefix(page, "/") {
		page = b.site.url + page
	}
	r, err := http.NewRequestWithContext(b.Context(), method, page, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// cookie returns the value of one of the browser's cookies, or "".
func (b *browser) cookie(name string) string {
	b.Helper()
	base, err := url.Parse(b.site.url)
	if err != nil {
		b.Fatal(err)
	}
	all := b.client.Jar.Cookies(base)
	if i := slices.IndexFunc(all, func(c *http.Cookie) bool { return c.Name == name }); i >= 0 {
		return all[i].Value
	}
	return ""
}

// setCookie sets one of the browser's cookies.
func (b *browser) setCookie(name, value string) {
	b.Helper()
	base, err := url.Parse(b.site.url)
	if err != nil {
		b.Fatal(err)
	}
	b.client.Jar.SetCookies(base, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

// signOut submits the sign-out form.
func (b *browser) signOut() (status int, body string) {
	b.Helper()
	return b.do(http.MethodPost, "/auth/sign-out", map[string]string{
		"Origin": b.site.url, "Sec-Fetch-Site": "same-origin",
	})
}

// signedIn reports whether the site authenticates the browser.
func (b *browser) signedIn() bool {
	b.Helper()
	status, body := b.get("/page")
	return status == http.StatusOK && strings.HasSuffix(body, " ada (248289761001)")
}

// startSignIn starts a sign-in and returns the callback URL that the provider
// redirects to, without following it.
func (b *browser) startSignIn() *url.URL {
	b.Helper()
	b.stopAt = "/auth/callback"
	b.get("/auth/sign-in")
	b.stopAt = ""
	callback := b.seen[len(b.seen)-1]
	if callback.Path != "/auth/callback" {
		b.Fatalf("the provider redirects to %s, want the callback", callback)
	}
	return callback
}
