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

// liveLook is how often the credentials are looked at that live connections
// came with, and liveTimeout how long a look at one of them may take.
const (
	liveLook    = 2 * time.Second
	liveTimeout = 5 * time.Second
)

// live are the credentials that live connections hang on. However many came
// with the same ones, these are looked at once.
type live struct {
	mu  sync.Mutex
	all map[string]*liveCredentials // by what was shown
}

type liveCredentials struct {
	request  *http.Request // shows them, and nothing else
	caller   delivery.Caller
	ended    chan struct{}
	watchers int
}

// Watch returns a channel that is closed when what r shows no longer stands for
// c, whom Request has found for it: because the key was revoked, the person has
// signed out, or either may do less. They are watched until ctx ends, while
// Run runs.
func (a *Authenticator) Watch(ctx context.Context, r *http.Request, c delivery.Caller) <-chan struct{} {
	shown := "Authorization"
	if r.Header.Get(shown) == "" {
		shown = "Cookie"
	}
	id := shown + ": " + strings.Join(r.Header.Values(shown), "\n")
	l := &a.live
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[id]
	if one == nil {
		bare := &http.Request{Header: http.Header{shown: r.Header.Values(shown)}, RemoteAddr: r.RemoteAddr}
		one = &liveCredentials{request: bare, ended: make(chan struct{})}
		if l.all == nil {
			l.all = make(map[string]*liveCredentials)
		}
		l.all[id] = one
	}
	if c.Covers(one.caller) {
		one.caller = c
	}
	one.watchers++
	context.AfterFunc(ctx, func() { l.leave(id, one) })
	return one.ended
}

// leave lets credentials go when nothing hangs on them any more.
func (l *live) leave(id string, one *liveCredentials) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.watchers--; one.watchers == 0 && l.all[id] == one {
		delete(l.all, id)
	}
}

// Run looks at the credentials of live connections, one after the other, until
// ctx ends.
func (a *Authenticator) Run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(liveLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.look(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "look at the credentials of live connections", "err", err)
		}
	}
}

// look ends what hangs on credentials that no longer hold. It returns one of
// the reasons why it could not tell: those hold on.
func (a *Authenticator) look(ctx context.Context) (unknown error) {
	a.live.mu.Lock()
	all := maps.Clone(a.live.all)
	a.live.mu.Unlock()
	for id, one := range all {
		now, err := a.again(ctx, one.request)
		switch code := delivery.CodeOf(err); {
		case code == delivery.Unauthenticated, code == delivery.Forbidden:
			now = delivery.Caller{} // who may do nothing
		case err != nil:
			unknown = err
			continue
		}
		a.live.settle(id, one, now)
	}
	return unknown
}

// again finds out anew whom r's credentials stand for.
func (a *Authenticator) again(ctx context.Context, r *http.Request) (delivery.Caller, error) {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	c, _, err := a.find(r.WithContext(ctx), true)
	return c, err
}

// settle ends what hangs on credentials that now stand for a caller who may do
// less.
func (l *live) settle(id string, one *liveCredentials, now delivery.Caller) {
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
