package app

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"portalhooks/delivery/service"
)

// readyTimeout bounds the question whether the database answers; readyFor is how
// long its answer is used, however often it is asked for.
const (
	readyTimeout = 2 * time.Second
	readyFor     = 500 * time.Millisecond
)

// A readiness tells load balancers whether to send requests to this server.
type readiness struct {
	ping func(context.Context) error // asks the database
	log  *slog.Logger

	mu    sync.Mutex // held while the database is asked
	err   error
	until time.Time // when err is out of date
}

// ServeHTTP implements [http.Handler].
func (s *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.check(r.Context()); err != nil {
		plain(w, http.StatusServiceUnavailable, service.DatabaseFault(err))
		return
	}
	plain(w, http.StatusOK, "ready")
}

// check returns why the server is not ready. Requests that arrive together share
// one question to the database.
func (s *readiness) check(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.until) {
		return s.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	if s.err = s.ping(ctx); s.err != nil {
		s.log.WarnContext(ctx, "not ready", "err", s.err)
	}
	s.until = time.Now().Add(readyFor)
	return s.err
}
