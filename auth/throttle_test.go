package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"portalhooks/delivery"
)

// An address from which too many strangers come can't make us check signatures
// or look for sessions; whoever is known there goes on.
func TestStrangersWait(t *testing.T) {
	d, s := newDesk(t), newSite(t)
	b := s.browser(t)
	b.get("/auth/sign-in")
	known, unknown := d.Sign(d.claims(nil)), d.Sign(d.claims(map[string]any{"jti": "2"}))
	a := &Authenticator{Keys: NewKeys(&fakeKeys{}), Tokens: d.tokens, People: s.signIn}
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
	if caller, err := ask("Bearer "+known, ""); err != nil || caller.Grants[7] != delivery.Admin {
		t.Fatalf("a token: %+v, %v", caller, err)
	}
	a.Strangers = func(string) time.Duration { return time.Second }
	for name, tt := range map[string]struct{ header, cookie string }{
		"a known token":   {"bearer " + known, ""},
		"a known session": {"", b.cookie(secureCookie)},
	} {
		if caller, err := ask(tt.header, tt.cookie); err != nil || caller.Grants[7] != delivery.Admin {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
	}
	for name, tt := range map[string]struct{ header, cookie string }{
		"an unknown token":   {"Bearer " + unknown, ""},
		"an unknown key":     {"Bearer phk_x", ""},
		"an unknown session": {"", flip(b.cookie(secureCookie))},
		"nothing":            {"", ""},
	} {
		if _, err := ask(tt.header, tt.cookie); delivery.CodeOf(err) != delivery.LimitExceeded {
			t.Errorf("%s: %v, want LimitExceeded", name, err)
		}
	}
	s.signIn.o.Strangers = a.Strangers
	if status, _ := b.get("/auth/sign-in"); status != http.StatusTooManyRequests {
		t.Errorf("signing in: %d, want 429", status)
	}
}
