package auth

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"portalhooks/delivery"
)

// revalidateInterval is the pause between two checks of the credentials of live
// connections; revalidateTimeout bounds the check of one of them.
const (
	revalidateInterval = 2 * time.Second
	revalidateTimeout  = 5 * time.Second
)

// liveCredentials are the credentials of live connections. Connections that
// present the same credentials share one check.
type liveCredentials struct {
	mu  sync.Mutex
	all map[string]*liveCredential // by header
}

type liveCredential struct {
	request     *http.Request // carries the credentials and nothing else
	caller      delivery.Caller
	ended       chan struct{}
	connections int
}

// Watch returns a channel that is closed when the credentials of r no longer
// authenticate c, the caller that Request returned for r: the key was revoked,
// the session has ended, or a role was removed. The credentials are checked
// until ctx ends, while Run runs.
func (a *Authenticator) Watch(ctx context.Context, r *http.Request, c delivery.Caller) <-chan struct{} {
	header := "Authorization"
	if r.Header.Get(header) == "" {
		header = "Cookie"
	}
	id := header + ": " + strings.Join(r.Header.Values(header), "\n")
	l := &a.live
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[id]
	if one == nil {
		bare := &http.Request{Header: http.Header{header: r.Header.Values(header)}, RemoteAddr: r.RemoteAddr}
		one = &liveCredential{request: bare, ended: make(chan struct{})}
		if l.all == nil {
			l.all = make(map[string]*liveCredential)
		}
		l.all[id] = one
	}
	if c.Covers(one.caller) {
		one.caller = c
	}
	one.connections++
	context.AfterFunc(ctx, func() { l.release(id, one) })
	return one.ended
}

// release drops the credentials when their last connection has closed.
func (l *liveCredentials) release(id string, one *liveCredential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.connections--; one.connections == 0 && l.all[id] == one {
		delete(l.all, id)
	}
}

// Run periodically checks the credentials of live connections until ctx ends.
func (a *Authenticator) Run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(revalidateInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.revalidate(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "revalidate the credentials of live connections", "err", err)
		}
	}
}

// revalidate ends the connections whose credentials are no longer valid.
// Credentials that cannot be checked stay valid; revalidate then returns one of
// the errors.
func (a *Authenticator) revalidate(ctx context.Context) (unchecked error) {
	a.live.mu.Lock()
	all := maps.Clone(a.live.all)
	a.live.mu.Unlock()
	for id, one := range all {
		now, err := a.reauthenticate(ctx, one.request)
		switch code := delivery.CodeOf(err); {
		case code == delivery.Unauthenticated, code == delivery.Forbidden:
			now = delivery.Caller{} // no permissions
		case err != nil:
			unchecked = err
			continue
		}
		a.live.update(id, one, now)
	}
	return unchecked
}

// reauthenticate returns the caller of r's credentials without using a cache.
func (a *Authenticator) reauthenticate(ctx context.Context, r *http.Request) (delivery.Caller, error) {
	ctx, cancel := context.WithTimeout(ctx, revalidateTimeout)
	defer cancel()
	c, _, err := a.authenticate(r.WithContext(ctx), true)
	return c, err
}

// update records the current caller of the credentials, or ends their
// connections if that caller has lost a permission.
func (l *liveCredentials) update(id string, one *liveCredential, now delivery.Caller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Known() && now.Covers(one.caller) {
		one.caller = now
		return
	}
	close(one.ended)
	if l.all[id] == one {
		delete(l.all, id)
	}
}
