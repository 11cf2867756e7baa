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
	return a.authenticate(r, false)
}

// authenticate implements Request. Revalidate bypasses the caches and the
// throttle, for credentials that were valid before.
func (a *Authenticator) authenticate(r *http.Request, revalidate bool) (delivery.Caller, time.Time, error) {
	if r.Header.Get("Authorization") != "" {
		return a.bearer(r, revalidate)
	}
	if !revalidate && (a.Sessions == nil || !a.Sessions.knows(r)) {
		if err := a.throttle(r.RemoteAddr); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
	}
	if a.Sessions != nil {
		return a.Sessions.caller(r, revalidate)
	}
	return delivery.Caller{}, time.Time{}, nil
}

// bearer authenticates r by its Authorization header: "Bearer" and an API key or
// a token of the identity provider.
func (a *Authenticator) bearer(r *http.Request, revalidate bool) (delivery.Caller, time.Time, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return delivery.Caller{}, time.Time{}, delivery.Errorf(delivery.Unauthenticated, "",
			"The Authorization header must be \"Bearer \" followed by an API key or a token.")
	}
	var credentials interface {
		knows(text string) bool
		Authenticate(ctx context.Context, text string, revalidate bool) (delivery.Caller, time.Time, error)
	} = a.Keys
	token = strings.TrimSpace(token)
	if a.Tokens != nil && !strings.HasPrefix(token, credential.Start) {
		credentials = a.Tokens
	}
	if !revalidate && !credentials.knows(token) {
		if err := a.throttle(r.RemoteAddr); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
	}
	return credentials.Authenticate(r.Context(), token, revalidate)
}

// throttle rejects an address that has sent too many requests without valid
// credentials.
func (a *Authenticator) throttle(remote string) error {
	if a.Throttle == nil || a.Throttle(remote) == 0 {
		return nil
	}
	return delivery.Errorf(delivery.LimitExceeded, "",
		"Too many requests without valid credentials came from your address. Try again in a moment.")
}
