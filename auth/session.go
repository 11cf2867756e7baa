package auth

import (
	"context"
	"crypto/subtle"
	"net/http"
	"sync"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/credential"
)

const (
	sessionCookie   = "portalhooks_session"
	sessionLifetime = 12 * time.Hour
	maxSessions     = 100
	developer       = "developer" // name of the caller
)

// Sessions are the sessions of development mode. They are kept in memory and end
// with the process. Serve them on a loopback address only: the one-time token
// makes its holder an admin of every organization.
type Sessions struct {
	// SignedIn is called for every sign-in; an error rejects it. Optional.
	SignedIn func(context.Context, delivery.Caller) error

	// grants returns the roles of the developer. It is called on every request, to
	// include organizations registered since.
	grants func(context.Context) (map[delivery.OrgID]delivery.Role, error)
	now    func() time.Time

	mu       sync.Mutex
	token    string               // the one-time token; empty once used
	sessions map[string]time.Time // cookie value to the session's end
}

// NewSessions returns Sessions and their one-time token.
func NewSessions(
	grants func(context.Context) (map[delivery.OrgID]delivery.Role, error),
) (*Sessions, string, error) {
	token, err := credential.Random(credential.SecretLength)
	if err != nil {
		return nil, "", err
	}
	s := &Sessions{grants: grants, now: time.Now, token: token, sessions: make(map[string]time.Time)}
	return s, token, nil
}

// ServeHTTP exchanges the one-time token in ?token=… for a session cookie and
// redirects to the console.
func (s *Sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "Open this URL in a browser.", http.StatusMethodNotAllowed)
		return
	}
	id, ok, err := s.signIn(r.URL.Query().Get("token"))
	if err != nil {
		http.Error(w, "The server could not create a session. Try again.", http.StatusInternalServerError)
		return
	}
	if !ok {
		http.Error(w, "This sign-in URL has already been used or belongs to another server. "+
			"Restart the server to get a new one.", http.StatusForbidden)
		return
	}
	if err := s.announce(r); err != nil {
		http.Error(w, "The server could not record the sign-in. Restart it.", http.StatusInternalServerError)
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure: development mode has no TLS
		Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: int(sessionLifetime.Seconds()),
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// announce calls SignedIn for the sign-in with r.
func (s *Sessions) announce(r *http.Request) error {
	grants, err := s.grants(r.Context())
	if err != nil {
		return err
	}
	return announce(r, delivery.Caller{Name: developer, Operator: true, Grants: grants}, s.SignedIn)
}

func (s *Sessions) signIn(token string) (id string, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == "" || subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 {
		return "", false, nil
	}
	if id, err = credential.Random(credential.SecretLength); err != nil {
		return "", false, err
	}
	s.token = ""
	if len(s.sessions) >= maxSessions {
		clear(s.sessions)
	}
	s.sessions[id] = s.now().Add(sessionLifetime)
	return id, true, nil
}

// knows reports whether r carries the cookie of a session.
func (s *Sessions) knows(r *http.Request) bool {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.sessions[cookie.Value]
	return ok
}

// caller returns the developer if r carries the cookie of a session that has not
// ended, and Unauthenticated if it has.
func (s *Sessions) caller(r *http.Request, _ bool) (delivery.Caller, time.Time, error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return delivery.Caller{}, time.Time{}, nil //nolint:nilerr // no cookie is not an error
	}
	s.mu.Lock()
	end, ok := s.sessions[cookie.Value]
	s.mu.Unlock()
	if !ok || !s.now().Before(end) {
		return delivery.Caller{}, time.Time{}, delivery.Errorf(delivery.Unauthenticated, "",
			"Your session has ended. Sign in again with the URL that the server prints when it starts.")
	}
	grants, err := s.grants(r.Context())
	if err != nil {
		return delivery.Caller{}, time.Time{}, err
	}
	return delivery.Caller{Name: developer, Operator: true, Grants: grants}, end, nil
}
