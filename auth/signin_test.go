package auth

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery/credential"
)

func TestPersonSignsInAndOut(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	if b.isIn() {
		t.Fatal("somebody is signed in from the start")
	}
	if status, body := b.get("/auth/sign-in?return=/page%3Fa%3Db"); status != http.StatusOK ||
		body != "/page?a=b ada (248289761001)" {
		t.Fatalf("after signing in: %d %s", status, body)
	}
	asked := b.seen[0].Query()
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "scope": "openid email",
		"client_id": "portalhooks", "redirect_uri": s.url + "/auth/callback",
	} {
		if got := asked.Get(name); got != want {
			t.Errorf("the provider was asked with %s=%q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(asked.Get(name)) < 43 {
			t.Errorf("the provider was asked with %s=%q: too short", name, asked.Get(name))
		}
	}
	if b.cookie(stateCookie) != "" {
		t.Error("the cookie of the attempt is still there")
	}
	secret := b.cookie(secureCookie)
	for id := range s.sessions.all {
		if strings.Contains(id, secret) || len(secret) != credential.SecretLength {
			t.Errorf("the store has %q of the secret %q", id, secret)
		}
	}

	status, body := b.signOut()
	if status != http.StatusOK || !strings.Contains(body, "signed out") || b.isIn() ||
		b.cookie(secureCookie) != "" {
		t.Errorf("after signing out: %d %s", status, body)
	}
	want := s.URL + "/logout?client_id=portalhooks&amp;post_logout_redirect_uri="
	if !strings.Contains(body, want) {
		t.Errorf("the page does not lead to the provider's own sign-out %s:\n%s", want, body)
	}
	b.setCookie(secureCookie, secret)
	if status, body := b.get("/page"); status != http.StatusUnauthorized {
		t.Errorf("the cookie after signing out: %d %s", status, body)
	}
}

func TestCookiesAreForThisHostAndNoScript(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	back := b.begun()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, back.String(), nil)
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
			t.Errorf("the cookie %s", c)
		}
	}
	if want := []string{stateCookie, secureCookie}; !slices.Equal(names, want) {
		t.Errorf("cookies %v, want %v", names, want)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q", got)
	}
}

// Answers that this browser has not asked for, or that were changed on the way.
func TestAnswersThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(b *browser, back url.Values){
		"another state":        func(_ *browser, back url.Values) { back.Set("state", strings.Repeat("x", 43)) },
		"no state":             func(_ *browser, back url.Values) { back.Del("state") },
		"another code":         func(_ *browser, back url.Values) { back.Set("code", "made up") },
		"no code":              func(_ *browser, back url.Values) { back.Del("code") },
		"an error":             func(_ *browser, back url.Values) { back.Set("error", "access_denied") },
		"another issuer":       func(_ *browser, back url.Values) { back.Set("iss", "https://evil.example") },
		"another nonce":        func(b *browser, _ url.Values) { b.site.Claims["nonce"] = "of another sign-in" },
		"no nonce":             func(b *browser, _ url.Values) { b.site.Claims["nonce"] = "" },
		"for another client":   func(b *browser, _ url.Values) { b.site.Claims["aud"] = "another" },
		"issued to another":    func(b *browser, _ url.Values) { b.site.Claims["azp"] = "another" },
		"expired":              func(b *browser, _ url.Values) { b.site.Claims["exp"] = 1 },
		"an endless token":     func(b *browser, _ url.Values) { b.site.Claims["x"] = strings.Repeat("x", idToken.length) },
		"no grant":             func(b *browser, _ url.Values) { b.site.Claims["groups"] = "another" },
		"another browser":      func(b *browser, _ url.Values) { b.client.Jar = b.site.browser(b.T).client.Jar },
		"no cookie":            func(b *browser, _ url.Values) { b.setCookie(stateCookie, "") },
		"a changed cookie":     func(b *browser, _ url.Values) { b.setCookie(stateCookie, flip(b.cookie(stateCookie))) },
		"too late":             func(b *browser, _ url.Values) { b.site.now = b.site.now.Add(signInTime) },
		"cookie of an attempt": func(b *browser, _ url.Values) { b.begun() }, // the second tab's
		"PKCE of another attempt": func(b *browser, back url.Values) {
			mine := b.begun()
			back.Set("state", mine.Query().Get("state")) // the attacker's code in the victim's attempt
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := s.browser(t)
			back := b.begun()
			q := back.Query()
			change(b, q)
			back.RawQuery = q.Encode()
			status, body := b.get(back.String())
			if status < 400 || status >= 500 || !strings.Contains(body, "<h1>You are not signed in</h1>") {
				t.Errorf("the answer: %d %s", status, body)
			}
			if b.isIn() || len(s.sessions.all) > 0 {
				t.Errorf("there is a session: %v", s.sessions.all)
			}
			if b.cookie(stateCookie) != "" {
				t.Error("the attempt can be tried again")
			}
		})
	}
}

func flip(text string) string {
	changed := []byte(text)
	changed[len(changed)/2] ^= 1
	return string(changed)
}

func TestAnswerCountsOnce(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	back := b.begun()
	attempt := b.cookie(stateCookie)
	if status, _ := b.get(back.String()); status != http.StatusOK || !b.isIn() {
		t.Fatalf("the answer: %d", status)
	}
	thief := s.browser(t)
	for name, cookie := range map[string]string{"without its cookie": "", "with its cookie": attempt} {
		thief.setCookie(stateCookie, cookie)
		if status, _ := thief.get(back.String()); status != http.StatusBadRequest || thief.isIn() {
			t.Errorf("the same answer again, %s: %d", name, status)
		}
	}
}

// A cookie that somebody else has put into the browser is not the one that
// signing in gives value to, and the session that was there ends.
func TestSigningInMakesANewSession(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	planted := strings.Repeat("A", credential.SecretLength)
	b.setCookie(secureCookie, planted)
	b.get("/auth/sign-in")
	first := b.cookie(secureCookie)
	if first == planted || !b.isIn() {
		t.Fatalf("the session's secret is %q", first)
	}
	b.get("/auth/sign-in")
	if second := b.cookie(secureCookie); second == first || len(s.sessions.all) != 1 {
		t.Errorf("the second secret is %q after %q, of %d sessions", second, first, len(s.sessions.all))
	}
	thief := s.browser(t)
	for _, secret := range []string{planted, first, flip(b.cookie(secureCookie)), "", "short"} {
		thief.setCookie(secureCookie, secret)
		if thief.isIn() {
			t.Errorf("the secret %q opens the session", secret)
		}
	}
}

func TestReturnPathStaysHere(t *testing.T) {
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
		"/%2f/evil.example":             "/%2f/evil.example", // a path here, for every browser
		"/x?u=//evil.example":           "/x?u=//evil.example",
		"/" + strings.Repeat("a", 2000): "/",
	} {
		if got := returnPath(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// Whatever is asked for, a browser that goes to the return path stays here.
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
			t.Fatalf("%q: %q leads to %s, %v", path, got, u, err)
		}
	})
}

func TestOriginIsWhatBrowsersSend(t *testing.T) {
	for base, want := range map[string]string{
		"https://h": "https://h", "https://h:443": "https://h", "https://h:80": "https://h:80",
		"http://h:80": "http://h", "http://h:8443": "http://h:8443", "https://[::1]:443": "https://[::1]",
	} {
		if got := originOf(base); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

func TestSignOutNeedsOurOwnPage(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	for name, header := range map[string]map[string]string{
		"no origin":        {},
		"another origin":   {"Origin": "https://evil.example"},
		"a hidden origin":  {"Origin": "null"},
		"another port":     {"Origin": s.url + "1"},
		"another scheme":   {"Origin": strings.Replace(s.url, "https", "http", 1)},
		"from another one": {"Origin": s.url, "Sec-Fetch-Site": "same-site"},
	} {
		status, _ := b.do(http.MethodPost, "/auth/sign-out", header)
		if status != http.StatusForbidden || !b.isIn() {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _ := b.get("/auth/sign-out"); status != http.StatusMethodNotAllowed || !b.isIn() {
		t.Errorf("a link: %d", status)
	}
}

func TestSessionEnds(t *testing.T) {
	for name, tt := range map[string]struct{ use, want time.Duration }{
		"unused for an hour": {time.Hour, time.Hour},
		"used all the time":  {30 * time.Minute, 12 * time.Hour},
		"used now and then":  {50 * time.Minute, 12*time.Hour + 30*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := s.browser(t)
			b.get("/auth/sign-in")
			began := s.now
			for s.now.Sub(began) < 24*time.Hour && b.isIn() {
				s.now = s.now.Add(tt.use)
			}
			if got := s.now.Sub(began); got != tt.want {
				t.Errorf("used every %s, it was over after %s, want %s", tt.use, got, tt.want)
			}
		})
	}
}

// Another server that ends a session is believed here soon.
func TestSessionIsTrustedForAShortTime(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	read := s.sessions.read
	for range 3 {
		if !b.isIn() {
			t.Fatal("the session does not work")
		}
	}
	if n := s.sessions.read - read; n != 0 {
		t.Errorf("the store was asked %d times, want none", n)
	}
	clear(s.sessions.all)
	s.now = s.now.Add(sessionTrust)
	if b.isIn() {
		t.Error("a session that was ended elsewhere still works")
	}
}

func TestEndOfASessionIsTold(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	watch := func(ctx context.Context) <-chan struct{} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: secureCookie, Value: b.cookie(secureCookie)})
		c, _, err := s.people.Request(r)
		if err != nil {
			t.Fatal(err)
		}
		return s.people.Watch(ctx, r, c)
	}
	look := func() {
		t.Helper()
		if err := s.people.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first, second := watch(t.Context()), watch(t.Context())
	s.now = s.now.Add(50 * time.Minute)
	look()
	s.now = s.now.Add(50 * time.Minute)
	look()
	select {
	case <-first:
		t.Fatal("a session with a live view has ended for want of use")
	default:
	}
	// As another server does it.
	if err := s.sessions.EndSession(t.Context(), slices.Collect(maps.Keys(s.sessions.all))[0]); err != nil {
		t.Fatal(err)
	}
	look()
	<-first
	<-second

	b.get("/auth/sign-in")
	ctx, cancel := context.WithCancel(t.Context())
	watch(ctx)
	third := watch(t.Context())
	cancel()
	b.signOut() // here
	look()
	<-third
	if n := len(s.people.live.all); n != 0 {
		t.Errorf("%d sessions are still watched", n)
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
	s.now = s.now.Add(firstPause)
	back := b.begun()
	s.SetDown(true)
	if status, _ := b.get(back.String()); status != http.StatusServiceUnavailable || b.isIn() {
		t.Errorf("on the way back: %d", status)
	}
}
