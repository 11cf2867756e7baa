package ent

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// errClosed is returned for changes that come after the store was closed.
var errClosed = errors.New("the store is closed")

// maxTogether is how many changes one transaction takes at most.
const maxTogether = 64

// A writer changes a SQLite database. Commits are what costs time there, so
// whatever waits when a transaction begins becomes part of it; a change that
// fails is undone alone.
type writer struct {
	db       *sql.DB
	queries  []string // prepared once, before the first transaction
	prepared map[string]*sql.Stmt
	waiting  chan *pendingChange
	stop     chan struct{}
	stopOnce sync.Once
	stopped  chan struct{}
}

// A pendingChange waits for its turn. The writer closes done after it has set err.
type pendingChange struct {
	ctx  context.Context
	run  func(ctx context.Context, q querier) error
	err  error
	done chan struct{}
}

// newWriter starts a writer that runs queries faster than other ones.
func newWriter(db *sql.DB, queries []string) *writer {
	w := &writer{
		db:      db,
		queries: queries,
		waiting: make(chan *pendingChange, maxTogether),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// close ends the writer after the transaction that it is at.
func (w *writer) close() error {
	w.stopOnce.Do(func() { close(w.stop) })
	<-w.stopped
	return nil
}

// do runs change in a transaction and returns when that has been committed.
// Change is not interrupted by ctx once it has begun: it gets a context that
// does not end.
func (w *writer) do(ctx context.Context, change func(ctx context.Context, q querier) error) error {
	p := &pendingChange{ctx: ctx, run: change, done: make(chan struct{})}
	select {
	case <-w.stopped: // also when there is room among those that wait
		return errClosed
	default:
	}
	select {
	case w.waiting <- p:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
		return errClosed
	}
	select {
	case <-p.done:
		return p.err
	case <-w.stopped:
	}
	select {
	case <-p.done: // by the last transaction
		return p.err
	default:
		return errClosed
	}
}

func (w *writer) loop() {
	defer close(w.stopped)
	for {
		select {
		case <-w.stop:
			return
		case p := <-w.waiting:
			w.store(w.together(p))
		}
	}
}

// together adds to first what waits besides it.
func (w *writer) together(first *pendingChange) []*pendingChange {
	batch := []*pendingChange{first}
	for len(batch) < maxTogether {
		select {
		case p := <-w.waiting:
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// store runs a batch and tells every change its result.
func (w *writer) store(batch []*pendingChange) {
	// One that takes its time must not be torn by the end of another's context.
	ctx := context.WithoutCancel(batch[0].ctx)
	err := retry(ctx, func() error { return w.commit(ctx, batch) })
	for _, p := range batch {
		if err != nil {
			p.err = err
		}
		close(p.done)
	}
}

// commit runs the changes in one transaction. Its error concerns all; that of
// one alone is left in the change.
func (w *writer) commit(ctx context.Context, batch []*pendingChange) error {
	if err := w.prepare(ctx); err != nil {
		return err
	}
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	q := &preparedTx{Tx: tx, prepared: w.prepared, bound: make(map[string]*sql.Stmt, len(w.prepared))}
	for _, p := range batch {
		if err := p.in(ctx, q, len(batch) > 1); err != nil {
			_ = tx.Rollback() // the reason is told already
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		// A commit that the full disk stopped can leave its transaction open, and
		// the only connection with it.
		_, _ = w.db.ExecContext(ctx, "ROLLBACK")
		return err
	}
	return nil
}

// in runs one change; with others around it, under a savepoint. An error of the
// change itself is kept in p.err; one that is returned ends the transaction.
func (p *pendingChange) in(ctx context.Context, q querier, shared bool) error {
	if p.err = p.ctx.Err(); p.err != nil {
		return nil
	}
	if !shared {
		p.err = p.run(ctx, q)
		return p.err
	}
	if _, err := q.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	if p.err = p.run(ctx, q); p.err != nil {
		// A full disk, among others, has ended the whole transaction already.
		if _, err := q.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
			return p.err
		}
	}
	_, err := q.ExecContext(ctx, "RELEASE one")
	return err
}

// prepare compiles the statements of the hot path. It can't do so earlier: the
// tables may have been made a moment ago.
func (w *writer) prepare(ctx context.Context) error {
	if w.prepared != nil {
		return nil
	}
	prepared := make(map[string]*sql.Stmt, len(w.queries))
	for _, query := range w.queries {
		s, err := w.db.PrepareContext(ctx, query) //nolint:sqlclosecheck // kept as long as the database is open
		if err != nil {
			for _, s := range prepared {
				_ = s.Close() // it was never used
			}
			return fmt.Errorf("prepare: %w", err)
		}
		prepared[query] = s
	}
	w.prepared = prepared
	return nil
}

// A preparedTx is a transaction that knows the prepared statements.
type preparedTx struct {
	*sql.Tx
	prepared map[string]*sql.Stmt
	bound    map[string]*sql.Stmt
}

func (t *preparedTx) statement(ctx context.Context, query string) *sql.Stmt {
	if s := t.bound[query]; s != nil {
		return s
	}
	s := t.prepared[query]
	if s != nil {
		s = t.StmtContext(ctx, s)
		t.bound[query] = s
	}
	return s
}

func (t *preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := t.statement(ctx, query); s != nil { //nolint:sqlclosecheck // it ends with the transaction
		return s.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

func (t *preparedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.statement(ctx, query); s != nil { //nolint:sqlclosecheck // it ends with the transaction
		return s.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}
