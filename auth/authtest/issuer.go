// Package authtest is an OpenID Connect identity provider for tests: it runs in
// the test's process, lets in whoever asks, and says of them what the test wants.
// It also signs what no honest provider would.
package authtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Whom the provider knows.
const (
	ClientID     = "portalhooks"
	ClientSecret = "s3cret of the client"
)

// An Issuer is a running provider. Change its fields between requests only.
type Issuer struct {
	URL      string
	Claims   map[string]any // of whoever signs in next, over the usual ones
	Redirect string         // the only redirect URI that it takes
	Now      func() time.Time

	// Programs have tokens of their own, by client credentials: the claims over
	// the usual ones, by the client's id. Each one's secret is ClientSecret.
	Programs map[string]map[string]any

	paths paths

	mu     sync.Mutex
	key    *signingKey
	extra  []any // more of the published keys
	codes  map[string]url.Values
	nextID int
	calls  map[string]int
	down   bool
}

// paths are where a provider is asked for things, below its URL.
type paths struct{ authorize, token, keys, logout string }

// New starts a provider that ends with t.
func New(t testing.TB) *Issuer {
	t.Helper()
	return start(t, "", paths{"/authorize", "/token", "/keys", "/logout?theme=plain"})
}

// start starts a provider whose URL ends in path.
func start(t testing.TB, path string, p paths) *Issuer {
	t.Helper()
	i := &Issuer{Now: time.Now, codes: map[string]url.Values{}, calls: map[string]int{}, paths: p}
	i.Rotate(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET "+path+p.keys, i.serveKeys)
	mux.HandleFunc("GET "+path+p.authorize, i.authorize)
	mux.HandleFunc("POST "+path+p.token, i.token)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.calls[r.URL.Path]++
		down := i.down
		i.mu.Unlock()
		if down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	i.URL = server.URL + path
	return i
}

// SetDown makes the provider fail, or work again.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Calls returns how often a path was asked for, such as "/keys".
func (i *Issuer) Calls(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[path]
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + i.paths.authorize,
		"token_endpoint": i.URL + i.paths.token, "jwks_uri": i.URL + i.paths.keys,
		"end_session_endpoint":                  i.URL + i.paths.logout,
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// authorize lets the browser's person in without asking.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("redirect_uri") != i.Redirect ||
		q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "what is this", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}, "code": {i.code(q)}, "iss": {i.URL}}
	http.Redirect(w, r, i.Redirect+"?"+back.Encode(), http.StatusFound)
}

// code makes a code that can be traded once.
func (i *Issuer) code(q url.Values) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.nextID++
	code := "code-" + base64.RawURLEncoding.EncodeToString([]byte{byte(i.nextID)})
	i.codes[code] = q
	return code
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	if r.FormValue("grant_type") == "client_credentials" {
		i.programToken(w, id, secret)
		return
	}
	code := r.FormValue("code")
	i.mu.Lock()
	asked, ok := i.codes[code]
	delete(i.codes, code)
	i.mu.Unlock()
	proof := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case id != ClientID || secret != ClientSecret:
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	case !ok, r.FormValue("redirect_uri") != asked.Get("redirect_uri"),
		base64.RawURLEncoding.EncodeToString(proof[:]) != asked.Get("code_challenge"):
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := i.Usual()
	claims["nonce"] = asked.Get("nonce")
	maps.Copy(claims, i.Claims)
	answer(w, http.StatusOK, map[string]any{
		"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": i.Sign(claims),
	})
}

// programToken answers a program that asks for a token of its own.
func (i *Issuer) programToken(w http.ResponseWriter, id, secret string) {
	own, ok := i.Programs[id]
	if !ok || secret != ClientSecret {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "unauthorized_client"})
		return
	}
	claims := i.Usual()
	maps.Copy(claims, own)
	answer(w, http.StatusOK, map[string]any{
		"access_token": i.Sign(claims), "token_type": "Bearer", "expires_in": 300,
	})
}

// Usual returns the claims of a good token for ClientID.
func (i *Issuer) Usual() map[string]any {
	now := i.Now().Unix()
	return map[string]any{
		"iss": i.URL, "sub": "248289761001", "aud": ClientID, "iat": now, "exp": now + 300,
		"preferred_username": "ada",
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only when nobody is there to read it
}
