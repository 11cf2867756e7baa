package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"portalhooks/delivery"
)

// An Authenticator finds out who makes a request.
type Authenticator struct {
	Keys     *Keys
	Sessions *Sessions // nil where nobody can sign in

	// Strangers is asked how long a remote address has to wait before
	// credentials from there that are not known yet are looked at, or a request
	// without any: to find out that they are wrong costs time. Nobody waits if
	// nil.
	Strangers func(address string) (wait time.Duration)
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
	if a.Sessions != nil && a.Sessions.knows(r) {
		return a.Sessions.caller(r)
	}
	if err := a.admit(r.RemoteAddr); err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	if a.Sessions != nil {
		return a.Sessions.caller(r)
	}
	return delivery.Caller{}, time.Time{}, nil
}

// Authorization returns the caller that an Authorization header's value
// proves, such as "Bearer phk_…". It came from a remote address.
func (a *Authenticator) Authorization(
	ctx context.Context, remote, value string,
) (delivery.Caller, time.Time, error) {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return delivery.Caller{}, time.Time{}, delivery.Errorf(delivery.Unauthenticated, "",
			"The Authorization header must be \"Bearer \" and an API key.")
	}
	token = strings.TrimSpace(token)
	if !a.Keys.knows(token) {
		if err := a.admit(remote); err != nil {
			return delivery.Caller{}, time.Time{}, err
		}
	}
	return a.Keys.Authenticate(ctx, token)
}

// admit refuses an address from which too many strangers have come.
func (a *Authenticator) admit(remote string) error {
	if a.Strangers == nil || a.Strangers(remote) == 0 {
		return nil
	}
	return delivery.Errorf(delivery.LimitExceeded, "",
		"Too many requests without valid credentials came from your address. Try again in a moment.")
}
