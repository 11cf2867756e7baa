package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/lib/pq"
)

// planLife is how long a prepared statement is used. Its plan was made for the
// tables as they were then: a sequential scan suits an empty queue, which soon
// is not empty. Planning once in that time costs next to nothing.
const planLife = 2 * time.Second

// preparedConnections is how many of its connections a server keeps for prepared
// statements. Ingest and settle use one at a time each, and claims fit in
// between.
const preparedConnections = 2

// A prepared keeps statements prepared on connections of their own, so that
// PostgreSQL need not parse and plan them for each batch, which can take longer
// than to run them.
type prepared struct {
	db *sql.DB

	mu   sync.Mutex
	made map[string]*madeStatement
}

// A madeStatement is prepared on each connection that has run it.
type madeStatement struct {
	mu   sync.RWMutex // held while the statement is begun
	stmt *sql.Stmt    // nil before the first use
	at   time.Time
}

// query runs a statement. One that PostgreSQL has dropped runs unprepared.
func (p *prepared) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.mu.Lock()
	s := p.made[query]
	if s == nil {
		s = &madeStatement{}
		p.made[query] = s
	}
	p.mu.Unlock()

	s.mu.RLock()
	for !s.isFresh() {
		s.mu.RUnlock()
		if err := s.renew(ctx, p.db, query); err != nil {
			return nil, err
		}
		s.mu.RLock()
	}
	rows, err := s.stmt.QueryContext(ctx, args...)
	s.mu.RUnlock()
	if isDropped(err) {
		return p.db.QueryContext(ctx, query, args...)
	}
	return rows, err
}

func (s *madeStatement) isFresh() bool { return s.stmt != nil && time.Since(s.at) < planLife }

// renew prepares the statement unless another query has just done so.
func (s *madeStatement) renew(ctx context.Context, db *sql.DB, query string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isFresh() {
		return nil
	}
	if s.stmt != nil {
		_ = s.stmt.Close() // a connection that is broken has nothing to close
	}
	var err error
	s.stmt, err = db.PrepareContext(ctx, query)
	s.at = time.Now()
	return err
}

// close ends the connections and the statements on them. An error does not
// matter: every statement has returned its result.
func (p *prepared) close() { _ = p.db.Close() }

// isDropped reports whether PostgreSQL has not run a statement because it has
// dropped it, or because its tables have changed since.
func isDropped(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "26000" || e.Code == "0A000")
}
