package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/memstore"
	"portalhooks/delivery/service"
)

// fakeAuthenticator is a SessionAuthenticator that always returns the same caller.
type fakeAuthenticator struct {
	delivery.Caller
	err error
}

func (*fakeAuthenticator) knows(*http.Request) bool { return true }

func (s *fakeAuthenticator) caller(*http.Request, bool) (delivery.Caller, time.Time, error) {
	return s.Caller, time.Time{}, s.err
}

func isClosed(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

func TestLiveConnectionsEndWhenTheirCallerLosesARole(t *testing.T) {
	t.Parallel()
	admin := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.Admin}}
	viewer := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.ViewerRole}}
	more := delivery.Caller{Name: "a", Operator: true, Grants: admin.Grants}
	for name, tt := range map[string]struct {
		now  fakeAuthenticator
		ends bool
	}{
		"unchanged":        {fakeAuthenticator{Caller: admin}, false},
		"more roles":       {fakeAuthenticator{Caller: more}, false},
		"fewer roles":      {fakeAuthenticator{Caller: viewer}, true},
		"unauthenticated":  {fakeAuthenticator{}, true},
		"revoked":          {fakeAuthenticator{err: delivery.Errorf(delivery.Unauthenticated, "", "No.")}, true},
		"no role left":     {fakeAuthenticator{err: delivery.Errorf(delivery.Forbidden, "", "No.")}, true},
		"database down":    {fakeAuthenticator{err: delivery.Errorf(delivery.Unavailable, "", "Later.")}, false},
		"unexpected error": {fakeAuthenticator{err: errors.New("no")}, false},
	} {
		sessions := &fakeAuthenticator{Caller: admin}
		a := &Authenticator{Sessions: sessions, Throttle: func(string) time.Duration { return time.Hour }}
		ended := a.Watch(t.Context(), &http.Request{}, admin)
		late := a.Watch(t.Context(), &http.Request{}, viewer)
		*sessions = tt.now
		err := a.revalidate(t.Context())
		if isClosed(ended) != tt.ends || isClosed(late) != tt.ends {
			t.Errorf("%s: ended = %t, want %t", name, isClosed(ended), tt.ends)
		}
		if checked := tt.ends || tt.now.err == nil; checked != (err == nil) {
			t.Errorf("%s: revalidate returned %v", name, err)
		}
	}
}

// A role gained while connected counts too.
func TestConnectionEndsWhenAGainedRoleIsLost(t *testing.T) {
	t.Parallel()
	viewer := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.ViewerRole}}
	sessions := &fakeAuthenticator{Caller: viewer}
	a := &Authenticator{Sessions: sessions}
	ended := a.Watch(t.Context(), &http.Request{}, viewer)
	for _, operator := range []bool{true, false} {
		sessions.Operator = operator
		if err := a.revalidate(t.Context()); err != nil || isClosed(ended) == operator {
			t.Errorf("operator %t: ended = %t (%v)", operator, isClosed(ended), err)
		}
	}
}

// A thousand connections with the same key cost one read of the store, which
// bypasses the cache.
func TestConnectionsWithOneKeyShareItsCheck(t *testing.T) {
	t.Parallel()
	store := memstore.NewFaulty()
	key, text := issue(t, store, service.KeyInput{Role: delivery.OperatorKey, Name: "it"})
	a := &Authenticator{Keys: NewKeys(store)}
	r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + text}}}
	c, _, err := a.Request(r)
	if err != nil {
		t.Fatal(err)
	}
	connections := make([]<-chan struct{}, 1000)
	for i := range connections {
		connections[i] = a.Watch(t.Context(), r, c)
	}
	clear(store.Calls)
	if err := a.revalidate(t.Context()); err != nil || store.Calls["KeyByPrefix"] != 1 {
		t.Errorf("calls = %v (%v), want one of KeyByPrefix", store.Calls, err)
	}
	key.RevokedAt = time.Now()
	store.KeyRows[key.ID] = key
	if err := a.revalidate(t.Context()); err != nil {
		t.Error(err)
	}
	for _, ended := range connections {
		if !isClosed(ended) {
			t.Fatal("a connection outlived its key")
		}
	}
}

func TestCredentialsAreReleasedWithTheirLastConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{Sessions: &fakeAuthenticator{}}
		first, leave := context.WithCancel(t.Context())
		second, leaveToo := context.WithCancel(t.Context())
		a.Watch(first, &http.Request{}, delivery.Caller{})
		a.Watch(second, &http.Request{}, delivery.Caller{})
		leave()
		synctest.Wait()
		if n := len(a.live.all); n != 1 {
			t.Errorf("with one connection open: %d credentials watched, want 1", n)
		}
		leaveToo()
		synctest.Wait()
		if n := len(a.live.all); n != 0 {
			t.Errorf("with no connection open: %d credentials watched, want none", n)
		}
	})
}

func TestCredentialsAreRevalidatedEveryTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a := &Authenticator{Sessions: shortLived{began.Add(9 * time.Second)}}
		ended := a.Watch(t.Context(), &http.Request{}, delivery.Caller{Name: "a"})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- a.Run(ctx, slog.New(slog.DiscardHandler)) }()
		<-ended
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("the connection ended after %s, want 10s", took)
		}
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// shortLived is a SessionAuthenticator whose session ends at a fixed time.
type shortLived struct{ until time.Time }

func (shortLived) knows(*http.Request) bool { return true }

func (s shortLived) caller(*http.Request, bool) (delivery.Caller, time.Time, error) {
	if time.Now().Before(s.until) {
		return delivery.Caller{Name: "a"}, time.Time{}, nil
	}
	return delivery.Caller{}, time.Time{}, errSessionExpired
}
