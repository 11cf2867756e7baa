package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
	"portalhooks/delivery/memstore"
	"portalhooks/delivery/service"
)

var start = time.Date(2026, 1, 14, 9, 0, 0, 0, time.UTC)

func issue(t *testing.T, store *memstore.Faulty, r service.KeyInput) (delivery.APIKey, string) {
	t.Helper()
	text, prefix, hash, err := credential.New()
	if err != nil {
		t.Fatal(err)
	}
	k := delivery.APIKey{
		ID: delivery.KeyID(len(store.KeyRows) + 1), Prefix: prefix, Hash: hash, Name: r.Name, Role: r.Role,
		Org: r.Org, CreatedAt: start, ExpiresAt: r.ExpiresAt, Local: r.Local,
	}
	store.KeyRows[k.ID] = k
	return k, text
}

func newKeys() (*Keys, *memstore.Faulty, *time.Time) {
	store := memstore.NewFaulty()
	now := start
	k := NewKeys(store)
	k.now = func() time.Time { return now }
	return k, store, &now
}

func TestKeyAuthenticatesItsCaller(t *testing.T) {
	keys, store, _ := newKeys()
	for role, tt := range map[delivery.KeyRole]struct {
		org   delivery.OrgID
		check func(delivery.Caller) bool
	}{
		delivery.PortalKey: {7, func(c delivery.Caller) bool {
			return c.Portal && c.Scope == 7 && !c.Operator && len(c.Grants) == 0
		}},
		delivery.OperatorKey: {0, func(c delivery.Caller) bool {
			return c.Operator && !c.Portal && len(c.Grants) == 0
		}},
		delivery.AdminKey: {7, func(c delivery.Caller) bool {
			return c.Grants[7] == delivery.Admin && len(c.Grants) == 1 && !c.Operator
		}},
		delivery.ViewerKey: {7, func(c delivery.Caller) bool {
			return c.Grants[7] == delivery.ViewerRole && !c.Portal
		}},
	} {
		_, text := issue(t, store, service.KeyInput{Role: role, Org: tt.org, Name: "it"})
		caller, _, err := keys.Authenticate(t.Context(), text, false)
		if err != nil || !tt.check(caller) || !strings.HasPrefix(caller.Name, "it (API key phk_") {
			t.Errorf("%s: caller = %+v, %v", role, caller, err)
		}
	}
}

// The keys of development mode are in the file data/local.json, without an end.
func TestLocalKeysWorkInDevelopmentModeOnly(t *testing.T) {
	keys, store, _ := newKeys()
	_, text := issue(t, store, service.KeyInput{Role: delivery.OperatorKey, Name: "local operator", Local: true})
	_, _, err := keys.Authenticate(t.Context(), text, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("in production: %v, want %s", err, delivery.Unauthenticated)
	}
	keys.Local = true
	if caller, _, err := keys.Authenticate(t.Context(), text, false); err != nil || !caller.Operator {
		t.Errorf("in development mode: %+v, %v, want an operator", caller, err)
	}
}

func TestInvalidKeysAreUnauthenticated(t *testing.T) {
	keys, store, now := newKeys()
	good, text := issue(t, store, service.KeyInput{
		Role: delivery.PortalKey, Name: "it", ExpiresAt: start.Add(time.Hour),
	})
	revoked, revokedText := issue(t, store, service.KeyInput{Role: delivery.PortalKey, Name: "it"})
	revoked.RevokedAt = start
	store.KeyRows[revoked.ID] = revoked
	other := []byte(text)
	other[len(other)-1] ^= 1

	*now = start.Add(time.Minute)
	for name, bad := range map[string]string{
		"empty":             "",
		"wrong secret":      string(other),
		"unknown prefix":    "phk_00000000" + text[len(good.Prefix):],
		"too long":          text + "A",
		"invalid character": text[:len(text)-1] + "-",
		"revoked":           revokedText,
		"prefix only":       good.Prefix,
		"a JWT":             "eyJhbGciOiJub25lIn0.e30.",
	} {
		caller, _, err := keys.Authenticate(t.Context(), bad, false)
		if delivery.CodeOf(err) != delivery.Unauthenticated || caller.Known() {
			t.Errorf("%s: caller = %+v, err = %v", name, caller, err)
		}
	}
	_, end, err := keys.Authenticate(t.Context(), text, false)
	if err != nil || !end.Equal(start.Add(time.Hour)) {
		t.Errorf("valid key: end = %v, err = %v", end, err)
	}
	*now = start.Add(time.Hour)
	_, _, err = keys.Authenticate(t.Context(), text, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("expired key in the cache: err = %v", err)
	}
}

func TestKeyIsCachedBriefly(t *testing.T) {
	keys, store, now := newKeys()
	k, text := issue(t, store, service.KeyInput{Role: delivery.PortalKey, Name: "it"})
	for range 3 {
		if _, _, err := keys.Authenticate(t.Context(), text, false); err != nil {
			t.Fatal(err)
		}
	}
	if store.Calls["KeyByPrefix"] != 1 || store.Calls["TouchKey"] != 1 {
		t.Errorf("calls = %v, want one of KeyByPrefix and one of TouchKey", store.Calls)
	}
	k.RevokedAt = *now
	store.KeyRows[k.ID] = k
	*now = now.Add(keyCacheTTL)
	_, _, err := keys.Authenticate(t.Context(), text, false)
	if delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("a key revoked %s ago: err = %v", keyCacheTTL, err)
	}
}

func TestSignInWorksOnce(t *testing.T) {
	grants := map[delivery.OrgID]delivery.Role{7: delivery.Admin}
	sessions, token, err := NewSessions(func(context.Context) (map[delivery.OrgID]delivery.Role, error) {
		return grants, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	now := start
	sessions.now = func() time.Time { return now }
	a := &Authenticator{Keys: NewKeys(memstore.New()), Sessions: sessions}

	visit := func(token string) (int, []*http.Cookie) {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/dev/sign-in?token="+token, nil)
		sessions.ServeHTTP(w, r)
		answer := w.Result()
		defer answer.Body.Close()
		return answer.StatusCode, answer.Cookies()
	}
	if got, _ := visit("wrong"); got != http.StatusForbidden {
		t.Errorf("wrong token: status = %d", got)
	}
	first, cookies := visit(token)
	if first != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("valid token: status = %d, cookies %v", first, cookies)
	}
	if got, _ := visit(token); got != http.StatusForbidden {
		t.Errorf("used token: status = %d", got)
	}
	cookie := cookies[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie = %v, want HttpOnly and SameSite=Strict", cookie)
	}

	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
	if caller, _, err := a.Request(r); err != nil || caller.Known() {
		t.Errorf("without a cookie: %+v, %v", caller, err)
	}
	r.AddCookie(cookie)
	if caller, _, err := a.Request(r); err != nil || caller.Grants[7] != delivery.Admin || !caller.Operator {
		t.Errorf("with the cookie: %+v, %v", caller, err)
	}
	now = now.Add(sessionLifetime)
	if _, _, err := a.Request(r); delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("after the session has ended: %v", err)
	}
	r.Header.Set("Authorization", "Basic eDp5")
	if _, _, err := a.Request(r); delivery.CodeOf(err) != delivery.Unauthenticated {
		t.Errorf("another scheme: %v", err)
	}
}
