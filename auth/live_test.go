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
	"portalhooks/delivery/service"
)

// somebody is People who always find the same.
type somebody struct {
	delivery.Caller
	err error
}

func (*somebody) knows(*http.Request) bool { return true }

func (s *somebody) caller(*http.Request, bool) (delivery.Caller, time.Time, error) {
	return s.Caller, time.Time{}, s.err
}

func isOver(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

func TestLiveConnectionsKeepOnlyRightsThatTheirCallerStillHas(t *testing.T) {
	t.Parallel()
	admin := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.Admin}}
	viewer := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.ViewerRole}}
	more := delivery.Caller{Name: "a", Operator: true, Grants: admin.Grants}
	for name, tt := range map[string]struct {
		now  somebody
		ends bool
	}{
		"as before":            {somebody{Caller: admin}, false},
		"with more":            {somebody{Caller: more}, false},
		"with less":            {somebody{Caller: viewer}, true},
		"nobody":               {somebody{}, true},
		"revoked":              {somebody{err: delivery.Errorf(delivery.Unauthenticated, "", "No.")}, true},
		"without any role":     {somebody{err: delivery.Errorf(delivery.Forbidden, "", "No.")}, true},
		"the database is away": {somebody{err: delivery.Errorf(delivery.Unavailable, "", "Later.")}, false},
		"a fault":              {somebody{err: errors.New("no")}, false},
	} {
		who := &somebody{Caller: admin}
		a := &Authenticator{People: who, Strangers: func(string) time.Duration { return time.Hour }}
		ended := a.Watch(t.Context(), &http.Request{}, admin)
		late := a.Watch(t.Context(), &http.Request{}, viewer)
		*who = tt.now
		err := a.look(t.Context())
		if isOver(ended) != tt.ends || isOver(late) != tt.ends {
			t.Errorf("%s: ended = %t, want %t", name, isOver(ended), tt.ends)
		}
		if knows := tt.ends || tt.now.err == nil; knows != (err == nil) {
			t.Errorf("%s: look returned %v", name, err)
		}
	}
}

// What a caller has gained while connected counts too.
func TestRightsThatWereGainedAndLost(t *testing.T) {
	t.Parallel()
	viewer := delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{7: delivery.ViewerRole}}
	who := &somebody{Caller: viewer}
	a := &Authenticator{People: who}
	ended := a.Watch(t.Context(), &http.Request{}, viewer)
	for _, operator := range []bool{true, false} {
		who.Operator = operator
		if err := a.look(t.Context()); err != nil || isOver(ended) == operator {
			t.Errorf("operator %t: ended = %t (%v)", operator, isOver(ended), err)
		}
	}
}

// A thousand connections with one key cost one look, which does not believe what
// is remembered of the key.
func TestConnectionsShareTheLookAtTheirKey(t *testing.T) {
	t.Parallel()
	store := &fakeKeys{keys: map[string]delivery.APIKey{}}
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
	reads := store.reads
	if err := a.look(t.Context()); err != nil || store.reads != reads+1 {
		t.Errorf("%d reads (%v), want 1", store.reads-reads, err)
	}
	key.RevokedAt = time.Now()
	store.keys[key.Prefix] = key
	if err := a.look(t.Context()); err != nil {
		t.Error(err)
	}
	for _, ended := range connections {
		if !isOver(ended) {
			t.Fatal("a connection outlives its key")
		}
	}
}

func TestCredentialsAreLetGoWithTheirConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{People: &somebody{}}
		first, leave := context.WithCancel(t.Context())
		second, leaveToo := context.WithCancel(t.Context())
		a.Watch(first, &http.Request{}, delivery.Caller{})
		a.Watch(second, &http.Request{}, delivery.Caller{})
		leave()
		synctest.Wait()
		if n := len(a.live.all); n != 1 {
			t.Errorf("while a connection is left, %d credentials are watched, want 1", n)
		}
		leaveToo()
		synctest.Wait()
		if n := len(a.live.all); n != 0 {
			t.Errorf("%d credentials are still watched, want none", n)
		}
	})
}

func TestCredentialsAreLookedAtEveryTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		who := shortLived{began.Add(9 * time.Second)}
		a := &Authenticator{People: who}
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

// shortLived are People who are known for a while.
type shortLived struct{ until time.Time }

func (shortLived) knows(*http.Request) bool { return true }

func (s shortLived) caller(*http.Request, bool) (delivery.Caller, time.Time, error) {
	if time.Now().Before(s.until) {
		return delivery.Caller{Name: "a"}, time.Time{}, nil
	}
	return delivery.Caller{}, time.Time{}, errSessionOver
}
