package auth

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

// How long a session that was found is trusted without another look, how many
// are remembered, how often the use of one is written down, and how often those
// that a live connection hangs on are looked at.
const (
	sessionTrust    = 5 * time.Second
	sessionsKnown   = 10_000
	sessionTouch    = time.Minute
	liveSessionLook = 2 * time.Second
)

// liveSessions are the sessions that this process has to do with. Other
// processes end sessions in the store, which this one learns within sessionTrust.
type liveSessions struct {
	store delivery.SessionStore
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	known   map[string]knownSession
	watched map[string]*watchedSession
}

type knownSession struct {
	session delivery.Session
	checked time.Time
}

// A watchedSession is one that live connections hang on.
type watchedSession struct {
	ended    chan struct{}
	watchers int
}

func newLiveSessions(store delivery.SessionStore, log *slog.Logger, now func() time.Time) *liveSessions {
	return &liveSessions{
		store: store, log: log, now: now,
		known: make(map[string]knownSession), watched: make(map[string]*watchedSession),
	}
}

func (l *liveSessions) knows(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.known[id]
	return ok
}

// find returns the session, and notes its use; Unauthenticated when it is over.
func (l *liveSessions) find(ctx context.Context, id string) (delivery.Session, error) {
	now := l.now()
	l.mu.Lock()
	known, ok := l.known[id]
	l.mu.Unlock()
	session := known.session
	if !ok || now.Sub(known.checked) >= sessionTrust {
		found, err := l.store.SessionsByID(ctx, []string{id})
		if err != nil {
			return session, err
		}
		if len(found) == 0 {
			l.forget(id)
			return session, errSessionOver
		}
		session, ok = found[0], false
	}
	if !session.Lasts(now) {
		l.forget(id)
		return session, errSessionOver
	}
	if now.Sub(session.SeenAt) >= sessionTouch {
		if err := l.store.TouchSessions(ctx, []string{id}, now); err != nil {
			return session, err
		}
		session.SeenAt, ok = now, false
	}
	if !ok {
		l.remember(id, session, now)
	}
	return session, nil
}

func (l *liveSessions) remember(id string, session delivery.Session, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= sessionsKnown {
		clear(l.known)
	}
	l.known[id] = knownSession{session, now}
}

// forget ends what hangs on the session here.
func (l *liveSessions) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, id)
	if w, ok := l.watched[id]; ok {
		delete(l.watched, id)
		close(w.ended)
	}
}

// end ends the session everywhere.
func (l *liveSessions) end(ctx context.Context, id string) error {
	if err := l.store.EndSession(ctx, id); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	l.forget(id)
	return nil
}

// watch returns a channel that is closed when the session ends. It is watched
// until ctx ends.
func (l *liveSessions) watch(ctx context.Context, id string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.watched[id]
	if !ok {
		w = &watchedSession{ended: make(chan struct{})}
		l.watched[id] = w
	}
	w.watchers++
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if w.watchers--; w.watchers == 0 && l.watched[id] == w {
			delete(l.watched, id)
		}
	})
	return w.ended
}

// run looks at the watched sessions until ctx ends.
func (l *liveSessions) run(ctx context.Context) error {
	tick := time.NewTicker(liveSessionLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "look at the sessions of live connections", "err", err)
		}
	}
}

// look forgets the watched sessions that are over, and notes the use of the
// others: a live view is one.
func (l *liveSessions) look(ctx context.Context) error {
	l.mu.Lock()
	ids := slices.Collect(maps.Keys(l.watched))
	l.mu.Unlock()
	for part := range slices.Chunk(ids, lookAtOnce) {
		found, err := l.store.SessionsByID(ctx, part)
		if err != nil {
			return err
		}
		lasting, stale := make(map[string]bool, len(found)), []string(nil)
		now := l.now()
		for _, s := range found {
			lasting[s.ID] = s.Lasts(now)
			if lasting[s.ID] && now.Sub(s.SeenAt) >= sessionTouch {
				stale = append(stale, s.ID)
			}
		}
		for _, id := range part {
			if !lasting[id] {
				l.forget(id)
			}
		}
		if len(stale) == 0 {
			continue
		}
		if err := l.store.TouchSessions(ctx, stale, now); err != nil {
			return err
		}
	}
	return nil
}

// lookAtOnce is how many sessions are looked at with one query.
const lookAtOnce = 500
