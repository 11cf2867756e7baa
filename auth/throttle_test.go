package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
	"portalhooks/delivery/service"
)

// An address that is over the limit cannot cause signature checks or session
// look-ups; cached credentials from that address still work.
func TestThrottleRejectsUncachedCredentials(t *testing.T) {
	d, s := newDeployment(t), newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	cached, uncached := d.Sign(d.claims(nil)), d.Sign(d.claims(map[string]any{"jti": "2"}))
	a := &Authenticator{Keys: NewKeys(memstore.New()), Tokens: d.tokens, Sessions: s.signIn}
	ask := func(header, cookie string) (delivery.Caller, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: secureCookie, Value: cookie})
		}
		caller, _, err := a.Request(r)
		return caller, err
	}
	if caller, err := ask("Bearer "+cached, ""); err != nil || caller.Grants[7] != delivery.Admin {
		t.Fatalf("without a limit: %+v, %v", caller, err)
	}
	a.Throttle = func(string) time.Duration { return time.Second }
	for name, tt := range map[string]struct{ header, cookie string }{
		"cached token":   {"bearer " + cached, ""},
		"cached session": {"", b.cookie(secureCookie)},
	} {
		if caller, err := ask(tt.header, tt.cookie); err != nil || caller.Grants[7] != delivery.Admin {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
	}
	for name, tt := range map[string]struct{ header, cookie string }{
		"uncached token":  {"Bearer " + uncached, ""},
		"unknown key":     {"Bearer phk_x", ""},
		"unknown session": {"", flip(b.cookie(secureCookie))},
		"no credentials":  {"", ""},
	} {
		if _, err := ask(tt.header, tt.cookie); delivery.CodeOf(err) != delivery.LimitExceeded {
			t.Errorf("%s: %v, want LimitExceeded", name, err)
		}
	}
	s.signIn.o.Throttle = a.Throttle
	if status, _ := b.get("/auth/sign-in"); status != http.StatusTooManyRequests {
		t.Errorf("sign-in: status = %d, want 429", status)
	}
}

// A key that was valid once and is refused counts as one that never was: it is not
// looked up again and again.
func TestRefusedKeysAreForgotten(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	made, err := service.NewKeys(store, delivery.NewIDs(1)).Create(t.Context(), delivery.AtTerminalOf("test"),
		service.KeyInput{Role: delivery.PortalKey, Name: "portal"})
	if err != nil {
		t.Fatal(err)
	}
	keys := NewKeys(store)
	if _, _, err := keys.Authenticate(t.Context(), made.Text, false); err != nil || !keys.knows(made.Text) {
		t.Fatalf("a valid key: %v, known %t", err, keys.knows(made.Text))
	}
	keys.now = func() time.Time { return time.Now().Add(time.Hour) }
	if _, err := service.NewKeys(store, delivery.NewIDs(1)).Revoke(
		t.Context(), delivery.AtTerminalOf("test"), made.Key.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = keys.Authenticate(t.Context(), made.Text, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated || keys.knows(made.Text) {
		t.Errorf("revoked: %v, known %t, want it forgotten", err, keys.knows(made.Text))
	}
}

// So does a token that has expired.
func TestRefusedTokensAreForgotten(t *testing.T) {
	d := newDeployment(t)
	token := d.Sign(d.claims(nil))
	if _, _, err := d.tokens.Authenticate(t.Context(), token, false); err != nil || !d.tokens.knows(token) {
		t.Fatalf("a valid token: %v", err)
	}
	d.tokens.provider.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	_, _, err := d.tokens.Authenticate(t.Context(), token, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated || d.tokens.knows(token) {
		t.Errorf("expired: %v, known %t, want it forgotten", err, d.tokens.knows(token))
	}
}
