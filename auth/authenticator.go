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
}

// People are those who sign in with a browser: a [SignIn] with an identity
// provider, or the [Sessions] of development mode.
type People interface {
	// knows reports whether r carries a cookie that was good not long ago.
	knows(r *http.Request) bool
	// caller returns whom r's cookie stands for, and until when: nobody without
	// a cookie, Unauthenticated with one that is unknown or over.
	caller(r *http.Request) (delivery.Caller, time.Time, error)
	// watch returns a channel that is closed when what caller found for r has
	// ended before its time; nil when it can't. It is let go when ctx ends.
	watch(ctx context.Context, r *http.Request) <-chan struct{}
}

// Request returns the caller that r's Authorization header or session cookie
// proves, and until when that holds (zero: without end). A request with
// neither is from nobody: the zero Caller. A header or cookie that proves
// nothing is Unauthenticated; one too many of these from one address is
// LimitExceeded.
func (a *Authenticator) Request(r *http.Request) (delivery.Caller, time.Time, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return a.Authorization(r.Context(), r.RemoteAddr, header)
	}
	if a.People != nil && a.People.knows(r) {
		return a.People.caller(r)
	}
	if err := a.admit(r.RemoteAddr); err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	if a.People != nil {
		return a.People.caller(r)
	}
	return delivery.Caller{}, time.Time{}, nil
}

// Watch returns a channel that is closed when what Request found for r has ended
// before the time that it named, because the person has signed out; nil when that
// can't be. It is let go when ctx ends.
func (a *Authenticator) Watch(ctx context.Context, r *http.Request) <-chan struct{} {
	if a.People == nil || r.Header.Get("Authorization") != "" {
		return nil
	}
	return a.People.watch(ctx, r)
}

// Authorization returns the caller that an Authorization header's value
// proves, "Bearer" and an API key or a token of the identity provider. It came from a remote address.
func (a *Authenticator) Authorization(
	ctx context.Context, remote, value string,
) (delivery.Caller, time.Time, error) {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return delivery.Caller{}, time.Time{}, delivery.Errorf(delivery.Unauthenticated, "",
			"The Authorization header must be \"Bearer \" and an API key or a token.")
	}
	var credentials interface {
		knows(text string) bool
		Authenticate(ctx context.Context, text string) (delivery.Caller, time.Time, error)
	} = a.Keys
	token = strings.TrimSpace(token)
	if a.Tokens != nil && !strings.HasPrefix(token, credential.Start) {
		credentials = a.Tokens
	}
	if !credentials.knows(token) {
		if err := a.admit(remote); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
	}
	return credentials.Authenticate(ctx, token)
}

// admit refuses an address from which too many strangers have come.
func (a *Authenticator) admit(remote string) error {
	if a.Strangers == nil || a.Strangers(remote) == 0 {
		return nil
	}
	return delivery.Errorf(delivery.LimitExceeded, "",
		"Too many requests without valid credentials came from your address. Try again in a moment.")
}
