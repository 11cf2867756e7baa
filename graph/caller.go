package graph

import (
	"context"
	"net"
	"net/http"
	"time"

	"portalhooks/delivery"
	"portalhooks/graph/transport"
)

// An identity is an authenticated caller and its expiry.
type identity struct {
	caller  delivery.Caller
	end     time.Time     // expiry; zero for never
	request *http.Request // has the credentials
}

type identityKey struct{}

func withIdentity(ctx context.Context, i identity) context.Context {
	i.caller.Address = hostOf(i.request.RemoteAddr)
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

// callerOf returns the caller; the zero Caller is unauthenticated.
func callerOf(ctx context.Context) delivery.Caller {
	c := identityOf(ctx).caller
	c.Request = transport.RequestID(ctx)
	return c
}

// signedIn returns UNAUTHENTICATED for unauthenticated callers. It guards fields
// that make no call to the service.
func signedIn(ctx context.Context) error {
	if callerOf(ctx).Known() {
		return nil
	}
	return delivery.Errorf(delivery.Unauthenticated, "",
		"Authentication is required. Send an API key: \"Authorization: Bearer phk_…\".")
}

// identify authenticates the sender of r and adds its identity to ctx.
func identify(ctx context.Context, authenticate Authenticator, r *http.Request) (context.Context, error) {
	caller, end, err := authenticate.Request(r)
	return withIdentity(ctx, identity{caller, end, r}), coded(err)
}

// ended returns a channel that is closed when the identity in ctx is revoked; nil
// for unauthenticated callers.
func ended(ctx context.Context, authenticate Authenticator) <-chan struct{} {
	i := identityOf(ctx)
	if !i.caller.Known() {
		return nil
	}
	return authenticate.Watch(ctx, i.request, i.caller)
}

// initConnection authorizes a WebSocket connection: with the Authorization in the
// payload of connection_init, or else with the identity from the upgrade request.
func initConnection(
	ctx context.Context, authenticate Authenticator, payload map[string]any,
) (context.Context, time.Time, error) {
	i := identityOf(ctx)
	for _, name := range []string{"Authorization", "authorization"} {
		value, ok := payload[name].(string)
		if !ok || value == "" {
			continue
		}
		r := &http.Request{Header: http.Header{"Authorization": {value}}, RemoteAddr: i.request.RemoteAddr}
		ctx, err := identify(ctx, authenticate, r.WithContext(ctx))
		return ctx, identityOf(ctx).end, err
	}
	return ctx, i.end, nil
}
