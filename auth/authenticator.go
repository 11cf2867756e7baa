package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

// An Authenticator finds out who makes a request.
type Authenticator struct {
	Keys   *Keys
	Tokens *Tokens // nil without an identity provider
	People People  // nil where nobody can sign in

	// Strangers is asked how long a remote address has to wait before
	// credentials from there that are not known yet are looked at, or a request
	// without any: to find out that they are wrong costs time. Nobody waits if
	// nil.
	Strangers func(address string) (wait time.Duration)

	live live
}

// People are those who sign in with a browser: a [SignIn] with an identity
// provider, or the [Sessions] of development mode.
type People interface {
	// knows reports whether r carries a cookie that was good not long ago.
	knows(r *http.Request) bool
	// caller returns whom r's cookie stands for, and until when: nobody without
	// a cookie, Unauthenticated with one that is unknown or over. What is
	// remembered does not count if anew.
	caller(r *http.Request, anew bool) (delivery.Caller, time.Time, error)
}

// Request returns the caller that r's Authorization header or session cookie
// proves, and until when that holds (zero: without end). A request with
// neither is from nobody: the zero Caller. A header or cookie that proves
// nothing is Unauthenticated; one too many of these from one address is
// LimitExceeded.
func (a *Authenticator) Request(r *http.Request) (delivery.Caller, time.Time, error) {
	return a.find(r, false)
}

// find does what Request promises. When it is asked anew, for a caller whom it
// has found before, what is remembered does not count, and nobody waits.
func (a *Authenticator) find(r *http.Request, anew bool) (delivery.Caller, time.Time, error) {
	if r.Header.Get("Authorization") != "" {
		return a.bearer(r, anew)
	}
	if !anew && (a.People == nil || !a.People.knows(r)) {
		if err := a.admit(r.RemoteAddr); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
	}
	if a.People != nil {
		return a.People.caller(r, anew)
	}
	return delivery.Caller{}, time.Time{}, nil
}

// bearer returns the caller that r's Authorization header proves, "Bearer" and
// an API key or a token of the identity provider.
func (a *Authenticator) bearer(r *http.Request, anew bool) (delivery.Caller, time.Time, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return delivery.Caller{}, time.Time{}, delivery.Errorf(delivery.Unauthenticated, "",
			"The Authorization header must be \"Bearer \" and an API key or a token.")
	}
	var credentials interface {
		knows(text string) bool
		Authenticate(ctx context.Context, text string, anew bool) (delivery.Caller, time.Time, error)
	} = a.Keys
	token = strings.TrimSpace(token)
	if a.Tokens != nil && !strings.HasPrefix(token, credential.Start) {
		credentials = a.Tokens
	}
	if !anew && !credentials.knows(token) {
		if err := a.admit(r.RemoteAddr); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
	}
	return credentials.Authenticate(r.Context(), token, anew)
}

// admit refuses an address from which too many strangers have come.
func (a *Authenticator) admit(remote string) error {
	if a.Strangers == nil || a.Strangers(remote) == 0 {
		return nil
	}
	return delivery.Errorf(delivery.LimitExceeded, "",
		"Too many requests without valid credentials came from your address. Try again in a moment.")
}
