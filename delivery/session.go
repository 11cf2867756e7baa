package delivery

import (
	"context"
	"time"
)

// SessionIdle is how long a session lasts without being used.
const SessionIdle = time.Hour

// A Session is a person who is signed in to the console, as the identity
// provider has vouched for.
type Session struct {
	ID        string // a hash of the secret that the browser holds
	Person    string // identifies the person permanently: the provider and its id of the person
	Name      string // how the person appears
	CreatedAt time.Time
	EndsAt    time.Time // however much it is used
	SeenAt    time.Time // when it was last used, to a minute or so

	// Claims are the values that the provider told of the person, by claim: what
	// the person may do follows from them at each use.
	Claims map[string][]string
}

// Lasts reports whether the session has not ended by now.
func (s Session) Lasts(now time.Time) bool {
	return now.Before(s.EndsAt) && now.Before(s.SeenAt.Add(SessionIdle))
}

// A SessionStore keeps sessions, for every server that shares the store.
type SessionStore interface {
	// CreateSession stores s, and ends the oldest of the same Person beyond keep.
	CreateSession(ctx context.Context, s Session, keep int) error
	// SessionsByID returns the sessions that exist, in no order, including expired
	// ones: the caller decides.
	SessionsByID(ctx context.Context, ids []string) ([]Session, error)
	// TouchSessions moves SeenAt of the sessions that exist forward, never back.
	TouchSessions(ctx context.Context, ids []string, at time.Time) error
	// EndSession removes the session. Ending twice is fine.
	EndSession(ctx context.Context, id string) error
	// DiscardSessions removes sessions that were not used since before t, at
	// most one bounded portion of them, and reports whether more may be left.
	DiscardSessions(ctx context.Context, t time.Time) (more bool, err error)
}
