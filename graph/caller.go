package graph

import (
	"context"
	"time"

	"portalhooks/delivery"
)

// An identity is who is calling and until when that holds.
type identity struct {
	caller delivery.Caller
	end    time.Time // zero: without end
	remote string    // the address that the request came from

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
	return context.WithValue(ctx, identityKey{}, i)
}

func identityOf(ctx context.Context) identity {
	i, _ := ctx.Value(identityKey{}).(identity)
	return i
}

// callerOf returns who is calling; the zero Caller is nobody.
func callerOf(ctx context.Context) delivery.Caller { return identityOf(ctx).caller }

// signedIn refuses nobody. It is for what no call of the service guards.
func signedIn(ctx context.Context) error {
	if callerOf(ctx).Known() {
		return nil
	}
	return delivery.Errorf(delivery.Unauthenticated, "",
		"Nobody is signed in. Send an API key: \"Authorization: Bearer phk_…\".")
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
		return withIdentity(ctx, identity{caller: caller, end: end, remote: i.remote}), end, nil
	}
	return ctx, i.end, nil
}
