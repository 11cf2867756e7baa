package auth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

// The cookies of a sign-in with a provider. Browsers accept the __Host- prefix
// only from the host itself, over TLS.
const (
	secureCookie = "__Host-portalhooks"
	stateCookie  = "__Host-portalhooks-sign-in"
)

const (
	signInTimeout        = 10 * time.Minute // from the redirect to the provider until the callback
	maxSessionsPerPerson = 10
)

// A Sealer encrypts and authenticates text that a browser carries.
type Sealer interface {
	Seal(plain, aad []byte) []byte
	Open(envelope, aad []byte) ([]byte, error)
}

// SignInOptions configure a SignIn.
type SignInOptions struct {
	Provider     *Provider
	Grants       *Grants
	Store        delivery.SessionStore
	Sealer       Sealer // with the same keys on every server of the store
	ClientID     string
	ClientSecret string   // empty for a public client
	Scopes       []string // in addition to openid
	PublicURL    *url.URL // scheme and host at which browsers reach the server

	// SignedIn is called for every sign-in and SignedOut for every sign-out; an
	// error rejects it. Optional.
	SignedIn, SignedOut func(context.Context, delivery.Caller) error

	// Throttle is like Authenticator.Throttle.
	Throttle func(address string) (wait time.Duration)
}

// A SignIn signs people in with an identity provider by the authorization code
// flow. Sessions are in the store, so that every server that shares it accepts
// them. A browser gets a session cookie and never a token.
type SignIn struct {
	o        SignInOptions
	routes   *http.ServeMux
	sessions *sessionCache
	origin   string // of this server's own pages
	baseURL  string
}

// NewSignIn returns a SignIn. Serve it below /auth/.
func NewSignIn(o SignInOptions) *SignIn {
	base := strings.ToLower(o.PublicURL.Scheme + "://" + o.PublicURL.Host)
	s := &SignIn{
		o: o, routes: http.NewServeMux(), origin: OriginOf(base), baseURL: base + "/",
		sessions: newSessionCache(o.Store, o.Provider.now),
	}
	s.routes.HandleFunc("GET /auth/sign-in", s.begin)
	s.routes.HandleFunc("GET /auth/callback", s.callback)
	s.routes.HandleFunc("POST /auth/sign-out", s.signOut)
	return s
}

// OriginOf returns the Origin header of pages at base, which omits the default
// port.
func OriginOf(base string) string {
	if rest, ok := strings.CutSuffix(base, ":443"); ok && strings.HasPrefix(base, "https:") {
		return rest
	}
	if rest, ok := strings.CutSuffix(base, ":80"); ok && strings.HasPrefix(base, "http:") {
		return rest
	}
	return base
}

// ServeHTTP serves /auth/sign-in, /auth/callback and /auth/sign-out.
func (s *SignIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if s.o.Throttle != nil && s.o.Throttle(r.RemoteAddr) > 0 {
		w.Header().Set("Retry-After", "1")
		writeNotice(w, http.StatusTooManyRequests,
			notice{Title: "Too many requests", Text: "Try again in a moment."})
		return
	}
	s.routes.ServeHTTP(w, r)
}

// begin redirects the browser to the provider.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request) {
	meta, err := s.o.Provider.discovered(r.Context())
	if err != nil {
		s.reject(w, r, err)
		return
	}
	a := attempt{Return: returnPath(r.URL.Query().Get("return")), Until: s.now().Add(signInTimeout)}
	for _, secret := range []*string{&a.State, &a.Nonce, &a.Verifier} {
		if *secret, err = credential.Random(credential.SecretLength); err != nil {
			s.reject(w, r, err)
			return
		}
	}
	s.setCookie(w, stateCookie, s.seal(a), int(signInTimeout.Seconds()))
	http.Redirect(w, r, s.client(meta).AuthCodeURL(a.State,
		oauth2.S256ChallengeOption(a.Verifier), oauth2.SetAuthURLParam("nonce", a.Nonce)), http.StatusFound)
}

// client returns this server's OAuth 2.0 client configuration.
func (s *SignIn) client(meta *metadata) *oauth2.Config {
	endpoint := meta.endpoint
	if s.o.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: s.o.ClientID, ClientSecret: s.o.ClientSecret, Endpoint: endpoint,
		RedirectURL: s.baseURL + "auth/callback",
		Scopes:      slices.Concat([]string{"openid"}, s.o.Scopes),
	}
}

func (s *SignIn) now() time.Time { return s.o.Provider.now() }

// setCookie sets a cookie for age seconds, for the browser session if age is 0,
// or deletes it if age is negative.
func (s *SignIn) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// returnPath returns the path to redirect to after a sign-in: path if it is on
// this server, else "/". Browsers read a second slash, or a backslash, as the
// start of a host, and ignore control characters.
func returnPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || len(path) > 1024 ||
		!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	// Formatting the URL may decode an escaped slash.
	if path = u.RequestURI(); strings.HasPrefix(path, "//") || strings.HasPrefix(path, "/auth/") {
		return "/"
	}
	return path
}
