package graph

import (
	"context"
	"net"
	"net/http"
	"time"

	"portalhooks/delivery"
	"portalhooks/graph/transport"
)

// An identity is who is calling and until when that holds.
type identity struct {
	caller delivery.Caller
	end    time.Time // zero: without end
	remote string    // the address that the request came from
	// again finds out once more who shows the same credentials.
	again func(ctx context.Context) (delivery.Caller, time.Time, error)

	// watch returns a channel that is closed when it ends early; nil if it can't.
	watch func(ctx context.Context) <-chan struct{}
}

// ended returns a channel that is closed when the identity in ctx ends early.
func ended(ctx context.Context) <-chan struct{} {
	if i := identityOf(ctx); i.watch != nil {
		return i.watch(ctx)
	}
	return nil
}

type identityKey struct{}

func withIdentity(ctx context.Context, i identity) context.Context {
	i.caller.Address = hostOf(i.remote)
	return context.WithValue(ctx, identityKey{}, i)
}

func identityOf(ctx context.Context) identity {
	i, _ := ctx.Value(identityKey{}).(identity)
	return i
}

// hostOf returns an address without its port.
func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// callerOf returns who is calling; the zero Caller is nobody.
func callerOf(ctx context.Context) delivery.Caller {
	c := identityOf(ctx).caller
	c.Request = transport.RequestID(ctx)
	return c
}

// recheck refuses an identity that no longer holds, or that has lost a right.
// While nobody can tell, it holds on.
func recheck(ctx context.Context) error {
	i := identityOf(ctx)
	if i.again == nil {
		return nil
	}
	c, _, err := i.again(ctx)
	switch {
	case delivery.CodeOf(err) == delivery.Unauthenticated:
		return err
	case err == nil && !c.Covers(i.caller):
		return delivery.Errorf(delivery.Unauthenticated, "",
			"You may do less than when you connected. Connect again.")
	}
	return nil
}

// signedIn refuses nobody. It is for what no call of the service guards.
func signedIn(ctx context.Context) error {
	if callerOf(ctx).Known() {
		return nil
	}
	return delivery.Errorf(delivery.Unauthenticated, "",
		"Nobody is signed in. Send an API key: \"Authorization: Bearer phk_…\".")
}

// identify finds out who sends r.
func identify(ctx context.Context, authenticate Authenticator, r *http.Request) (context.Context, error) {
	caller, end, err := authenticate.Request(r)
	again := func(ctx context.Context) (delivery.Caller, time.Time, error) {
		return authenticate.Request(r.WithContext(ctx))
	}
	watch := func(ctx context.Context) <-chan struct{} { return authenticate.Watch(ctx, r) }
	return withIdentity(ctx, identity{caller, end, r.RemoteAddr, again, watch}), coded(err)
}

// initConnection admits a WebSocket connection: by the Authorization in the
// payload of its connection_init, or as whom the upgrade's headers and cookies
// have shown.
func initConnection(
	ctx context.Context, authenticate Authenticator, payload map[string]any,
) (context.Context, time.Time, error) {
	i := identityOf(ctx)
	for _, name := range []string{"Authorization", "authorization"} {
		value, ok := payload[name].(string)
		if !ok {
			continue
		}
		caller, end, err := authenticate.Authorization(ctx, i.remote, value)
		if err != nil {
			return ctx, time.Time{}, coded(err)
		}
		again := func(ctx context.Context) (delivery.Caller, time.Time, error) {
			return authenticate.Authorization(ctx, i.remote, value)
		}
		return withIdentity(ctx, identity{caller: caller, end: end, remote: i.remote, again: again}), end, nil
	}
	return ctx, i.end, nil
}
