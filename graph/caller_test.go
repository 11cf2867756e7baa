package graph

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"portalhooks/delivery"
)

// changing is an Authenticator whose answer changes.
type changing struct {
	caller delivery.Caller
	err    error
}

func (c *changing) Request(*http.Request) (delivery.Caller, time.Time, error) {
	return c.caller, time.Time{}, c.err
}

func (c *changing) Authorization(context.Context, string, string) (delivery.Caller, time.Time, error) {
	return c.caller, time.Time{}, c.err
}

func (*changing) Watch(context.Context, *http.Request) <-chan struct{} { return nil }

func TestOpenConnectionsKeepOnlyRightsThatTheirCallerStillHas(t *testing.T) {
	t.Parallel()
	admin := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.Admin}}
	viewer := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.ViewerRole}}
	more := delivery.Caller{Name: "a", Operator: true, Grants: admin.Grants}
	for name, tt := range map[string]struct {
		now  changing
		ends bool
	}{
		"as before":            {changing{caller: admin}, false},
		"with more":            {changing{caller: more}, false},
		"with less":            {changing{caller: viewer}, true},
		"revoked":              {changing{err: delivery.Errorf(delivery.Unauthenticated, "", "No.")}, true},
		"the database is away": {changing{err: delivery.Errorf(delivery.Unavailable, "", "Later.")}, false},
		"too many ask":         {changing{err: delivery.Errorf(delivery.LimitExceeded, "", "Later.")}, false},
		"a fault":              {changing{err: errors.New("no")}, false},
	} {
		who := &changing{caller: admin}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql", nil)
		request, err := identify(t.Context(), who, r)
		if err != nil {
			t.Fatal(err)
		}
		socket, _, err := initConnection(request, who, map[string]any{"Authorization": "Bearer x"})
		if err != nil {
			t.Fatal(err)
		}
		*who = tt.now
		for _, ctx := range []context.Context{request, socket} {
			if got := recheck(ctx); (got != nil) != tt.ends {
				t.Errorf("%s: got %v, want the connection to end: %t", name, got, tt.ends)
			}
		}
	}
}

func TestCallersHaveAnAddressWithoutItsPort(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "elsewhere": "elsewhere",
	} {
		ctx := withIdentity(t.Context(), identity{remote: remote})
		if got := callerOf(ctx).Address; got != want {
			t.Errorf("%s: got %q, want %q", remote, got, want)
		}
	}
}
