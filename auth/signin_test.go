package auth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

func TestPersonSignsInAndOut(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	if b.signedIn() {
		t.Fatal("a new browser is signed in")
	}
	if status, body := b.get("/auth/sign-in?return=/page%3Fa%3Db"); status != http.StatusOK ||
		body != "/page?a=b ada (248289761001)" {
		t.Fatalf("after sign-in: %d %s", status, body)
	}
	request := b.seen[0].Query()
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "scope": "openid email",
		"client_id": "portalhooks", "redirect_uri": s.url + "/auth/callback",
	} {
		if got := request.Get(name); got != want {
			t.Errorf("authorization request: %s = %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(request.Get(name)) < 43 {
			t.Errorf("authorization request: %s = %q is too short", name, request.Get(name))
		}
	}
	if b.cookie(stateCookie) != "" {
		t.Error("the attempt's cookie was not deleted")
	}
	secret := b.cookie(secureCookie)
	for _, one := range s.sessions() {
		id := one.ID
		if strings.Contains(id, secret) || len(secret) != credential.SecretLength {
			t.Errorf("the store has the id %q for the secret %q", id, secret)
		}
	}

	status, body := b.signOut()
	if status != http.StatusOK || !strings.Contains(body, "signed out") || b.signedIn() ||
		b.cookie(secureCookie) != "" {
		t.Errorf("after sign-out: %d %s", status, body)
	}
	want := s.URL + "/logout?client_id=portalhooks&amp;post_logout_redirect_uri="
	if !strings.Contains(body, want) {
		t.Errorf("the page has no link to the provider's sign-out page %s:\n%s", want, body)
	}
	b.setCookie(secureCookie, secret)
	if status, body := b.get("/page"); status != http.StatusUnauthorized {
		t.Errorf("old cookie after sign-out: %d %s", status, body)
	}
}

func TestCookiesAreHostOnlyAndHidden(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	callback := b.startSignIn()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, callback.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	names := []string{}
	for _, c := range resp.Cookies() {
		names = append(names, c.Name)
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie = %s", c)
		}
	}
	if want := []string{stateCookie, secureCookie}; !slices.Equal(names, want) {
		t.Errorf("cookies %v, want %v", names, want)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q", got)
	}
}

// Callbacks that this browser has not asked for, or that were tampered with.
func TestInvalidCallbacksAreRejected(t *testing.T) {
	for name, change := range map[string]func(b *browser, back url.Values){
		"another state":             func(_ *browser, back url.Values) { back.Set("state", strings.Repeat("x", 43)) },
		"no state":                  func(_ *browser, back url.Values) { back.Del("state") },
		"another code":              func(_ *browser, back url.Values) { back.Set("code", "made up") },
		"no code":                   func(_ *browser, back url.Values) { back.Del("code") },
		"an error":                  func(_ *browser, back url.Values) { back.Set("error", "access_denied") },
		"another issuer":            func(_ *browser, back url.Values) { back.Set("iss", "https://evil.example") },
		"another nonce":             func(b *browser, _ url.Values) { b.site.Claims["nonce"] = "of another sign-in" },
		"no nonce":                  func(b *browser, _ url.Values) { b.site.Claims["nonce"] = "" },
		"another audience":          func(b *browser, _ url.Values) { b.site.Claims["aud"] = "another" },
		"another authorized party":  func(b *browser, _ url.Values) { b.site.Claims["azp"] = "another" },
		"expired":                   func(b *browser, _ url.Values) { b.site.Claims["exp"] = 1 },
		"a token that is too long":  func(b *browser, _ url.Values) { b.site.Claims["x"] = strings.Repeat("x", idToken.length) },
		"no role":                   func(b *browser, _ url.Values) { b.site.Claims["groups"] = "another" },
		"another browser":           func(b *browser, _ url.Values) { b.client.Jar = b.site.browser(b.T).client.Jar },
		"no attempt cookie":         func(b *browser, _ url.Values) { b.setCookie(stateCookie, "") },
		"a tampered attempt cookie": func(b *browser, _ url.Values) { b.setCookie(stateCookie, flip(b.cookie(stateCookie))) },
		"too late":                  func(b *browser, _ url.Values) { b.site.now = b.site.now.Add(signInTimeout) },
		"another attempt's cookie":  func(b *browser, _ url.Values) { b.startSignIn() }, // a second tab
		"another attempt's PKCE verifier": func(b *browser, back url.Values) {
			own := b.startSignIn()
			back.Set("state", own.Query().Get("state")) // the attacker's code in the victim's attempt
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := s.browser(t)
			callback := b.startSignIn()
			q := callback.Query()
			change(b, q)
			callback.RawQuery = q.Encode()
			status, body := b.get(callback.String())
			if status < 400 || status >= 500 || !strings.Contains(body, "<h1>You are not signed in</h1>") {
				t.Errorf("response: %d %s", status, body)
			}
			if b.signedIn() || len(s.sessions()) > 0 {
				t.Errorf("sessions = %v, want none", s.sessions())
			}
			if b.cookie(stateCookie) != "" {
				t.Error("the attempt's cookie was not deleted")
			}
		})
	}
}

func flip(text string) string {
	changed := []byte(text)
	changed[len(changed)/2] ^= 1
	return string(changed)
}

func TestCallbackIsAcceptedOnce(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	callback := b.startSignIn()
	attempt := b.cookie(stateCookie)
	if status, _ := b.get(callback.String()); status != http.StatusOK || !b.signedIn() {
		t.Fatalf("first time: status = %d", status)
	}
	thief := s.browser(t)
	for name, cookie := range map[string]string{"without its cookie": "", "with its cookie": attempt} {
		thief.setCookie(stateCookie, cookie)
		if status, _ := thief.get(callback.String()); status != http.StatusBadRequest || thief.signedIn() {
			t.Errorf("second time, %s: status = %d", name, status)
		}
	}
}

// Session fixation: a sign-in never adopts a secret that was planted in the
// browser, and it ends the previous session.
func TestSignInCreatesANewSession(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	planted := strings.Repeat("A", credential.SecretLength)
	b.setCookie(secureCookie, planted)
	b.get("/auth/sign-in")
	first := b.cookie(secureCookie)
	if first == planted || !b.signedIn() {
		t.Fatalf("the session's secret is %q, the planted one", first)
	}
	b.get("/auth/sign-in")
	if second := b.cookie(secureCookie); second == first || len(s.sessions()) != 1 {
		t.Errorf("second secret = %q after %q, %d sessions; want a new secret and 1 session",
			second, first, len(s.sessions()))
	}
	thief := s.browser(t)
	for _, secret := range []string{planted, first, flip(b.cookie(secureCookie)), "", "short"} {
		thief.setCookie(secureCookie, secret)
		if thief.signedIn() {
			t.Errorf("the secret %q is accepted", secret)
		}
	}
}

func TestReturnPathStaysOnThisHost(t *testing.T) {
	for path, want := range map[string]string{
		"/":                             "/",
		"/webhooks?x=1&y=/a#b":          "/webhooks?x=1&y=/a",
		"/a%20b":                        "/a%20b",
		"":                              "/",
		"webhooks":                      "/",
		"https://evil.example":          "/",
		"//evil.example":                "/",
		"///evil.example":               "/",
		`/\evil.example`:                "/",
		`\/evil.example`:                "/",
		"/\t/evil.example":              "/",
		"/\n//evil.example":             "/",
		"javascript:alert(1)":           "/",
		"/auth/sign-in":                 "/",
		"/%zz":                          "/",
		"/%2fevil.example/ x":           "/",
		"http:/evil.example":            "/",
		"/%2f/evil.example":             "/%2f/evil.example", // a path of this host in every browser
		"/x?u=//evil.example":           "/x?u=//evil.example",
		"/" + strings.Repeat("a", 2000): "/",
	} {
		if got := returnPath(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// For any input, a browser resolves the return path to this host.
func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{
		"/a?b#c", "//evil.example", `/\evil.example`, "/\t/evil.example", "/%2f ", "/..//x",
	} {
		f.Add(seed)
	}
	here, err := url.Parse("https://hooks.example/auth/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := returnPath(path)
		// As browsers read it.
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimSpace(got))
		if !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
			t.Fatalf("%q: %q", path, got)
		}
		if u, err := here.Parse(read); err != nil || u.Host != here.Host || u.Scheme != here.Scheme {
			t.Fatalf("%q: %q resolves to %s, %v", path, got, u, err)
		}
	})
}

func TestOriginOmitsTheDefaultPort(t *testing.T) {
	for base, want := range map[string]string{
		"https://h": "https://h", "https://h:443": "https://h", "https://h:80": "https://h:80",
		"http://h:80": "http://h", "http://h:8443": "http://h:8443", "https://[::1]:443": "https://[::1]",
	} {
		if got := OriginOf(base); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

func TestSignOutRequiresTheSameOrigin(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	for name, header := range map[string]map[string]string{
		"no origin":        {},
		"another origin":   {"Origin": "https://evil.example"},
		"an opaque origin": {"Origin": "null"},
		"another port":     {"Origin": s.url + "1"},
		"another scheme":   {"Origin": strings.Replace(s.url, "https", "http", 1)},
		"same site only":   {"Origin": s.url, "Sec-Fetch-Site": "same-site"},
	} {
		status, _ := b.do(http.MethodPost, "/auth/sign-out", header)
		if status != http.StatusForbidden || !b.signedIn() {
			t.Errorf("%s: status = %d, want 403", name, status)
		}
	}
	if status, _ := b.get("/auth/sign-out"); status != http.StatusMethodNotAllowed || !b.signedIn() {
		t.Errorf("GET: status = %d, want 405", status)
	}
}

func TestSessionEnds(t *testing.T) {
	for name, tt := range map[string]struct{ use, want time.Duration }{
		"unused for an hour": {time.Hour, time.Hour},
		"used all the time":  {30 * time.Minute, 12 * time.Hour},
		"used sometimes":     {50 * time.Minute, 12*time.Hour + 30*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := s.browser(t)
			b.get("/auth/sign-in")
			began := s.now
			for s.now.Sub(began) < 24*time.Hour && b.signedIn() {
				s.now = s.now.Add(tt.use)
			}
			if got := s.now.Sub(began); got != tt.want {
				t.Errorf("used every %s: ended after %s, want %s", tt.use, got, tt.want)
			}
		})
	}
}

// A session that another server has ended stops working within the cache's TTL.
func TestSessionIsCachedBriefly(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	var before, after int
	s.store.Change(func() { before = s.store.Calls["SessionsByID"] })
	for range 3 {
		if !b.signedIn() {
			t.Fatal("the session does not work")
		}
	}
	s.store.Change(func() { after = s.store.Calls["SessionsByID"] })
	if n := after - before; n != 0 {
		t.Errorf("%d reads of the store, want none", n)
	}
	s.store.Change(func() { s.store.SessionRows = nil })
	s.now = s.now.Add(sessionCacheTTL)
	if b.signedIn() {
		t.Error("a session that another server has ended still works")
	}
}

func TestLiveConnectionsEndWithTheirSession(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	watch := func(ctx context.Context) <-chan struct{} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: secureCookie, Value: b.cookie(secureCookie)})
		c, _, err := s.auth.Request(r)
		if err != nil {
			t.Fatal(err)
		}
		return s.auth.Watch(ctx, r, c)
	}
	revalidate := func() {
		t.Helper()
		if err := s.auth.revalidate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first, second := watch(t.Context()), watch(t.Context())
	s.now = s.now.Add(50 * time.Minute)
	revalidate()
	s.now = s.now.Add(50 * time.Minute)
	revalidate()
	select {
	case <-first:
		t.Fatal("a session with a live connection has ended as unused")
	default:
	}
	// On another server.
	if err := s.store.EndSession(t.Context(), s.sessions()[0].ID); err != nil {
		t.Fatal(err)
	}
	revalidate()
	<-first
	<-second

	b.get("/auth/sign-in")
	ctx, cancel := context.WithCancel(t.Context())
	watch(ctx)
	third := watch(t.Context())
	cancel()
	b.signOut() // on this server
	revalidate()
	<-third
	if n := len(s.auth.live.all); n != 0 {
		t.Errorf("%d sessions are still watched, want none", n)
	}
}

func TestSignInWhileTheProviderIsDown(t *testing.T) {
	s := newSite(t)
	s.SetDown(true)
	b := s.browser(t)
	if status, body := b.get("/auth/sign-in"); status != http.StatusServiceUnavailable ||
		!strings.Contains(body, "reached") {
		t.Errorf("%d %s", status, body)
	}
	s.SetDown(false)
	s.now = s.now.Add(firstRefreshInterval)
	callback := b.startSignIn()
	s.SetDown(true)
	if status, _ := b.get(callback.String()); status != http.StatusServiceUnavailable || b.signedIn() {
		t.Errorf("callback: status = %d, want 503", status)
	}
}

// Who signs in without any role is refused, and the roles that are gone are told
// all the same; so are those of a token.
func TestFreshClaimsAreTold(t *testing.T) {
	s := newSite(t)
	var told []delivery.Caller
	s.signIn.o.Grants.Vouched = func(_ context.Context, c delivery.Caller) error {
		told = append(told, c)
		return nil
	}
	b := s.browser(t)
	b.get("/auth/sign-in")
	s.Claims = map[string]any{"groups": []string{"others"}}
	s.browser(t).get("/auth/sign-in")
	b.get("/page")
	person := s.URL + " 248289761001"
	if len(told) != 2 || told[0].Person != person || told[0].Grants[7] != delivery.Admin ||
		told[1].Person != person || len(told[1].Grants) != 0 {
		t.Errorf("told of %+v, want the two sign-ins", told)
	}
	s.signIn.o.Grants.Vouched = func(context.Context, delivery.Caller) error { return delivery.ErrNotFound }
	s.Claims = map[string]any{"groups": []string{"acme"}}
	refused := s.browser(t)
	refused.get("/auth/sign-in")
	if refused.signedIn() {
		t.Error("a sign-in that could not be told was accepted")
	}
}
