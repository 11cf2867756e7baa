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
}

// Request returns the caller that r's Authorization header or session cookie
// proves, and until when that holds (zero: without end). A request with
// neither is from nobody: the zero Caller. A header or cookie that proves
// nothing is Unauthenticated.
func (a *Authenticator) Request(r *http.Request) (delivery.Caller, time.Time, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return a.Authorization(r.Context(), header)
	}
	if a.Sessions != nil {
		return a.Sessions.caller(r)
	}
	return delivery.Caller{}, time.Time{}, nil
}

// Authorization returns the caller that an Authorization header's value
// proves, such as "Bearer phk_…".
func (a *Authenticator) Authorization(ctx context.Context, value string) (delivery.Caller, time.Time, error) {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return delivery.Caller{}, time.Time{}, delivery.Errorf(delivery.Unauthenticated, "",
			"The Authorization header must be \"Bearer \" and an API key.")
	}
	return a.Keys.Authenticate(ctx, strings.TrimSpace(token))
}
