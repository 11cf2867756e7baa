package auth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portalhooks/delivery"
)

const (
	sessionCacheTTL      = 5 * time.Second
	maxCachedSessions    = 10_000
	sessionTouchInterval = time.Minute // between two updates of a session's SeenAt
)

// A sessionCache caches the sessions of the store. A session that another server
// ends stops working here within sessionCacheTTL.
type sessionCache struct {
	store delivery.SessionStore
	now   func() time.Time

	mu  sync.Mutex
	all map[string]cachedSession
}

type cachedSession struct {
	session delivery.Session
	checked time.Time
}

func newSessionCache(store delivery.SessionStore, now func() time.Time) *sessionCache {
	return &sessionCache{store: store, now: now, all: make(map[string]cachedSession)}
}

func (k *sessionCache) has(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.all[id]
	return ok
}

// find returns the session and records its use. It returns Unauthenticated if the
// session is unknown or has ended. Revalidate bypasses the cache.
func (k *sessionCache) find(ctx context.Context, id string, revalidate bool) (delivery.Session, error) {
	now := k.now()
	k.mu.Lock()
	cached, ok := k.all[id]
	k.mu.Unlock()
	session := cached.session
	if !ok || revalidate || now.Sub(cached.checked) >= sessionCacheTTL {
		found, err := k.store.SessionsByID(ctx, []string{id})
		if err != nil {
			return session, err
		}
		if len(found) == 0 {
			k.remove(id)
			return session, errSessionExpired
		}
		session, ok = found[0], false
	}
	if !session.Lasts(now) {
		k.remove(id)
		return session, errSessionExpired
	}
	if now.Sub(session.SeenAt) >= sessionTouchInterval {
		if err := k.store.TouchSessions(ctx, []string{id}, now); err != nil {
			return session, err
		}
		session.SeenAt, ok = now, false
	}
	if !ok {
		k.add(id, session, now)
	}
	return session, nil
}

func (k *sessionCache) add(id string, session delivery.Session, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.all) >= maxCachedSessions {
		clear(k.all)
	}
	k.all[id] = cachedSession{session, now}
}

func (k *sessionCache) remove(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, id)
}

// end ends the session on all servers.
func (k *sessionCache) end(ctx context.Context, id string) error {
	if err := k.store.EndSession(ctx, id); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	k.remove(id)
	return nil
}
