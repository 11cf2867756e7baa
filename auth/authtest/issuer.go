// Package authtest is an OpenID Connect identity provider for tests. It runs in
// the test's process, signs in every browser without asking, and issues the claims
// that the test chooses. It also signs tokens that no honest provider would.
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

// The provider's only client.
const (
	ClientID     = "portalhooks"
	ClientSecret = "s3cret of the client"
)

// An Issuer is a running provider. Change its fields between requests only.
type Issuer struct {
	URL      string
	Claims   map[string]any // of the next ID tokens, merged over Usual
	Redirect string         // the only accepted redirect URI
	Now      func() time.Time

	// Programs are clients that may use the client credentials grant with
	// ClientSecret: the claims of their tokens, merged over Usual, by client id.
	Programs map[string]map[string]any

	paths paths

	mu     sync.Mutex
	key    *signingKey
	extra  []any // further published keys
	codes  map[string]url.Values
	nextID int
	calls  map[string]int
	down   bool
}

// paths are the paths of a provider's endpoints, below its URL.
type paths struct{ authorize, token, keys, logout string }

// New starts a provider that is stopped when t ends.
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

// SetDown makes every request to the provider fail, or succeed again.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Calls returns the number of requests for a path, such as "/keys".
func (i *Issuer) Calls(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls[path]
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + i.paths.authorize,
		"token_endpoint": i.URL + i.paths.token, "jwks_uri": i.URL + i.paths.keys,
		"end_session_endpoint":                  i.URL + i.paths.logout,
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// authorize signs in the browser without asking.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("redirect_uri") != i.Redirect ||
		q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "invalid authorization request", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}, "code": {i.code(q)}, "iss": {i.URL}}
	http.Redirect(w, r, i.Redirect+"?"+back.Encode(), http.StatusFound)
}

// code returns an authorization code that can be exchanged once.
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
		respond(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	case !ok, r.FormValue("redirect_uri") != asked.Get("redirect_uri"),
		base64.RawURLEncoding.EncodeToString(proof[:]) != asked.Get("code_challenge"):
		respond(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := i.Usual()
	claims["nonce"] = asked.Get("nonce")
	maps.Copy(claims, i.Claims)
	respond(w, http.StatusOK, map[string]any{
		"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": i.Sign(claims),
	})
}

// programToken serves the client credentials grant.
func (i *Issuer) programToken(w http.ResponseWriter, id, secret string) {
	own, ok := i.Programs[id]
	if !ok || secret != ClientSecret {
		respond(w, http.StatusUnauthorized, map[string]any{"error": "unauthorized_client"})
		return
	}
	claims := i.Usual()
	maps.Copy(claims, own)
	respond(w, http.StatusOK, map[string]any{
		"access_token": i.Sign(claims), "token_type": "Bearer", "expires_in": 300,
	})
}

// Usual returns the claims of a valid token for ClientID.
func (i *Issuer) Usual() map[string]any {
	now := i.Now().Unix()
	return map[string]any{
		"iss": i.URL, "sub": "248289761001", "aud": ClientID, "iat": now, "exp": now + 300,
		"preferred_username": "ada",
	}
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has disconnected
}
