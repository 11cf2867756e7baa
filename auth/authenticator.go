package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

// An Authenticator identifies the caller of a request.
type Authenticator struct {
	Keys     *Keys
	Tokens   *Tokens              // nil without an identity provider
	Sessions SessionAuthenticator // nil when browser sign-in is disabled

	// Throttle returns how long a request from address must wait when it has no
	// credentials, or credentials that are not cached: verifying those is
	// expensive. A request that must wait is rejected. Nil disables the limit.
	Throttle func(address string) (wait time.Duration)

	live liveCredentials
}

// A SessionAuthenticator authenticates requests by session cookie: a [SignIn] with
// an identity provider, or the [Sessions] of development mode.
type SessionAuthenticator interface {
	// knows reports whether r carries the cookie of a cached session. The
	// session may have ended since.
	knows(r *http.Request) bool
	// caller returns the caller of r's session cookie and when the session ends:
	// the zero Caller without a cookie, Unauthenticated if the session is unknown
	// or has ended. Revalidate bypasses the cache.
	caller(r *http.Request, revalidate bool) (delivery.Caller, time.Time, error)
}

// Request returns the caller that r's Authorization header or session cookie
// identifies and when the credentials expire (zero: never). A request with
// neither has the zero Caller. Invalid credentials are Unauthenticated; too many
// requests without valid ones from one address are LimitExceeded.
func (a *Authenticator) Request(r *http.Request) (delivery.Caller, time.Time, error) {
	if err := a.Pace(r); err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	return a.Identify(r)
}

// Identify is Request for a request that Pace has let pass.
func (a *Authenticator) Identify(r *http.Request) (delivery.Caller, time.Time, error) {
	return a.authenticate(r, false)
}

// authenticate implements Identify. Revalidate bypasses the caches, for
// credentials that were valid before.
func (a *Authenticator) authenticate(r *http.Request, revalidate bool) (delivery.Caller, time.Time, error) {
	if r.Header.Get("Authorization") != "" {
		text, ok := bearer(r)
		if !ok {
			return delivery.Caller{}, time.Time{}, delivery.Errorf(delivery.Unauthenticated, "",
				"The Authorization header must be \"Bearer \" followed by an API key or a token.")
		}
		return a.verifier(text).Authenticate(r.Context(), text, revalidate)
	}
	if a.Sessions != nil {
		return a.Sessions.caller(r, revalidate)
	}
	return delivery.Caller{}, time.Time{}, nil
}

// bearer returns the API key or the token in r's Authorization header.
func bearer(r *http.Request) (text string, ok bool) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(text), strings.EqualFold(scheme, "Bearer")
}

// A verifier verifies one kind of bearer credentials.
type verifier interface {
	// knows reports whether the credentials are cached as valid.
	knows(text string) bool
	Authenticate(ctx context.Context, text string, revalidate bool) (delivery.Caller, time.Time, error)
}

// verifier returns what verifies text: the API keys, or the identity provider.
func (a *Authenticator) verifier(text string) verifier {
	if a.Tokens != nil && !strings.HasPrefix(text, credential.Start) {
		return a.Tokens
	}
	return a.Keys
}

// knows reports whether r has credentials that are cached as valid.
func (a *Authenticator) knows(r *http.Request) bool {
	if r.Header.Get("Authorization") == "" {
		return a.Sessions != nil && a.Sessions.knows(r)
	}
	text, ok := bearer(r)
	return ok && a.verifier(text).knows(text)
}

// Pace rejects r if its credentials are not known to be valid and its address has
// sent too many requests of that kind. Every request that the server answers
// counts, whatever it is for.
func (a *Authenticator) Pace(r *http.Request) error {
	if a.Throttle == nil || a.knows(r) || a.Throttle(r.RemoteAddr) == 0 {
		return nil
	}
	return delivery.Errorf(delivery.LimitExceeded, "",
		"Too many requests without valid credentials came from your address. Try again in a moment.")
}
