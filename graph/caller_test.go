package graph

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"portalhooks/delivery"
)

// A watched Authenticator records the credentials that Watch is called with.
type watched struct {
	fixedCaller
	credentials string
	ended       chan struct{}
}

func (w *watched) Watch(_ context.Context, r *http.Request, _ delivery.Caller) <-chan struct{} {
	w.credentials = r.Header.Get("Authorization")
	return w.ended
}

func TestConnectionsAreBoundToTheirCredentials(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql", nil)
	r.Header.Set("Authorization", "Bearer a")
	who := &watched{fixedCaller: fixedCaller{caller: delivery.Caller{Name: "a"}}, ended: make(chan struct{})}
	request, err := identify(t.Context(), who, r)
	if err != nil {
		t.Fatal(err)
	}
	socket, _, err := initConnection(request, who, map[string]any{"Authorization": "Bearer b"})
	if err != nil {
		t.Fatal(err)
	}
	plain, _, err := initConnection(request, who, nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, ctx := range map[string]context.Context{"Bearer a": request, "Bearer b": socket} {
		if ended(ctx, who) != who.ended || who.credentials != want {
			t.Errorf("watched: %q, want %q", who.credentials, want)
		}
	}
	if ended(plain, who); who.credentials != "Bearer a" {
		t.Errorf("watched: %q, want the credentials of the upgrade", who.credentials)
	}
	who.caller = delivery.Caller{}
	anonymous, err := identify(t.Context(), who, r)
	if err != nil || ended(anonymous, who) != nil {
		t.Errorf("an unauthenticated connection is watched (%v)", err)
	}
}

func TestCallersHaveAnAddressWithoutItsPort(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "elsewhere": "elsewhere",
	} {
		ctx := withIdentity(t.Context(), identity{request: &http.Request{RemoteAddr: remote}})
		if got := callerOf(ctx).Address; got != want {
			t.Errorf("%s: got %q, want %q", remote, got, want)
		}
	}
}
