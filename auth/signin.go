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

// The cookies of people who sign in with a provider. Browsers take a name with
// __Host- only from this very host, over TLS.
const (
	secureCookie = "__Host-portalhooks"
	stateCookie  = "__Host-portalhooks-sign-in"
)

// Bounds of a session that an identity provider has vouched for.
const (
	signInTime        = 10 * time.Minute // from the start to the provider's answer
	sessionsPerPerson = 10
)

// A Sealer keeps text from being read or changed by those who carry it.
type Sealer interface {
	Seal(plain, aad []byte) []byte
	Open(envelope, aad []byte) ([]byte, error)
}

// SignInOptions fit a SignIn into a program.
type SignInOptions struct {
	Provider     *Provider
	Grants       *Grants
	Store        delivery.SessionStore
	Sealer       Sealer // the same for every server of the store
	ClientID     string
	ClientSecret string   // empty for a public client
	Scopes       []string // besides openid
	PublicURL    *url.URL // where browsers reach the server: a scheme and a host

	// SignedIn is told of whoever signs in, and may refuse; SignedOut of
	// whoever signs out. Nobody is told if nil.
	SignedIn, SignedOut func(context.Context, delivery.Caller) error

	// Strangers is as in Authenticator.
	Strangers func(address string) (wait time.Duration)
}

// A SignIn lets people sign in with an identity provider. The server talks to
// the provider and keeps the session in the store, so that any server that
// shares it serves it; a browser gets a cookie and never a token.
type SignIn struct {
	o       SignInOptions
	routes  *http.ServeMux
	known   *knownSessions
	origin  string // of the server's own pages
	baseURL string
}

// NewSignIn returns a SignIn. Serve it below /auth/.
func NewSignIn(o SignInOptions) *SignIn {
	base := strings.ToLower(o.PublicURL.Scheme + "://" + o.PublicURL.Host)
	s := &SignIn{
		o: o, routes: http.NewServeMux(), origin: originOf(base), baseURL: base + "/",
		known: newKnownSessions(o.Store, o.Provider.now),
	}
	s.routes.HandleFunc("GET /auth/sign-in", s.begin)
	s.routes.HandleFunc("GET /auth/callback", s.callback)
	s.routes.HandleFunc("POST /auth/sign-out", s.signOut)
	return s
}

// originOf returns what browsers send as Origin for pages of base: they leave
// the usual port out.
func originOf(base string) string {
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
	if s.o.Strangers != nil && s.o.Strangers(r.RemoteAddr) > 0 {
		w.Header().Set("Retry-After", "1")
		showNote(w, http.StatusTooManyRequests, note{Title: "Too many requests", Text: "Try again in a moment."})
		return
	}
	s.routes.ServeHTTP(w, r)
}

// begin sends the browser to the provider.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request) {
	about, err := s.o.Provider.metadata(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	a := attempt{Return: returnPath(r.URL.Query().Get("return")), Until: s.now().Add(signInTime)}
	for _, secret := range []*string{&a.State, &a.Nonce, &a.Verifier} {
		if *secret, err = credential.Random(credential.SecretLength); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	s.setCookie(w, stateCookie, s.seal(a), int(signInTime.Seconds()))
	http.Redirect(w, r, s.client(about).AuthCodeURL(a.State,
		oauth2.S256ChallengeOption(a.Verifier), oauth2.SetAuthURLParam("nonce", a.Nonce)), http.StatusFound)
}

// client describes this server to the provider.
func (s *SignIn) client(about *metadata) *oauth2.Config {
	endpoint := about.endpoint
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

// setCookie gives the browser a cookie for age seconds, for as long as it runs
// with 0, or takes it away with less.
func (s *SignIn) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// returnPath is where a browser goes after signing in: path, when it is one on
// this server, else the start. Browsers take a second slash, or a backslash, for
// the start of a host, and leave control characters out.
func returnPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || len(path) > 1024 ||
		!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	// Writing a path anew may make a slash of what stood for one.
	if path = u.RequestURI(); strings.HasPrefix(path, "//") || strings.HasPrefix(path, "/auth/") {
		return "/"
	}
	return path
}
