package auth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portalhooks/delivery"
)

// How long a session that was found is trusted without another look, how many
// are remembered, and how often the use of one is written down.
const (
	sessionTrust  = 5 * time.Second
	sessionsKnown = 10_000
	sessionTouch  = time.Minute
)

// knownSessions are those that this process has found in the store. Other
// processes end sessions there, which this one learns within sessionTrust.
type knownSessions struct {
	store delivery.SessionStore
	now   func() time.Time

	mu  sync.Mutex
	all map[string]knownSession
}

type knownSession struct {
	session delivery.Session
	checked time.Time
}

func newKnownSessions(store delivery.SessionStore, now func() time.Time) *knownSessions {
	return &knownSessions{store: store, now: now, all: make(map[string]knownSession)}
}

func (k *knownSessions) has(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.all[id]
	return ok
}

// find returns the session, and notes its use; Unauthenticated when it is over.
// What is remembered does not count if anew.
func (k *knownSessions) find(ctx context.Context, id string, anew bool) (delivery.Session, error) {
	now := k.now()
	k.mu.Lock()
	known, ok := k.all[id]
	k.mu.Unlock()
	session := known.session
	if !ok || anew || now.Sub(known.checked) >= sessionTrust {
		found, err := k.store.SessionsByID(ctx, []string{id})
		if err != nil {
			return session, err
		}
		if len(found) == 0 {
			k.forget(id)
			return session, errSessionOver
		}
		session, ok = found[0], false
	}
	if !session.Lasts(now) {
		k.forget(id)
		return session, errSessionOver
	}
	if now.Sub(session.SeenAt) >= sessionTouch {
		if err := k.store.TouchSessions(ctx, []string{id}, now); err != nil {
			return session, err
		}
		session.SeenAt, ok = now, false
	}
	if !ok {
		k.remember(id, session, now)
	}
	return session, nil
}

func (k *knownSessions) remember(id string, session delivery.Session, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.all) >= sessionsKnown {
		clear(k.all)
	}
	k.all[id] = knownSession{session, now}
}

func (k *knownSessions) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, id)
}

// end ends the session everywhere.
func (k *knownSessions) end(ctx context.Context, id string) error {
	if err := k.store.EndSession(ctx, id); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	k.forget(id)
	return nil
}
