package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"portalhooks/delivery/loop"
)

// errClosed is returned for changes that come after Close.
var errClosed = errors.New("the store is closed")

// maxTogether is how many changes one transaction takes at most.
const maxTogether = 64

// A Writer changes a SQLite database. A commit costs more time than its changes,
// so it is a group commit: changes that wait when a transaction begins become
// part of it. A change that fails is undone alone.
type Writer struct {
	db      *sql.DB
	wal     *walKeeper // of the goroutine that commits
	logger  *slog.Logger
	changes *loop.Batcher[*pendingChange]
	stop    context.CancelFunc
	health  Health
}

// A pendingChange waits for its transaction. The writer closes done after it has
// set err.
type pendingChange struct {
	ctx  context.Context
	run  func(ctx context.Context, t *Tx) error
	err  error
	done chan struct{}
}

// NewWriter starts a writer to db.
func NewWriter(db *SQLite, logger *slog.Logger) *Writer {
	// Changes have contexts of their own: the writer lives until Close.
	ctx, stop := context.WithCancel(context.Background())
	w := &Writer{
		db:      db.write,
		wal:     newWalKeeper(db.read, logger),
		logger:  logger,
		changes: loop.NewBatcher(loop.BatcherOptions[*pendingChange]{Queue: maxTogether, Max: maxTogether}),
		stop:    stop,
	}
	go w.changes.Run(ctx, w.store)
	return w
}

// Close ends the writer after the transaction that it is at.
func (w *Writer) Close() {
	w.stop()
	<-w.changes.Ended()
	w.wal.close()
}

// Change runs change in a transaction and returns when that has been committed.
// Change is not interrupted by ctx once it has begun: it gets a context that
// does not end. Failures that pass are UNAVAILABLE.
func (w *Writer) Change(ctx context.Context, change func(ctx context.Context, q Querier) error) error {
	return Unavailable(w.do(ctx, func(ctx context.Context, t *Tx) error { return change(ctx, t) }))
}

// Batch does the same for statements that many rows go through: they run on the
// connection itself. Its errors are those of the database.
func (w *Writer) Batch(ctx context.Context, change func(ctx context.Context, s *Session) error) error {
	return w.do(ctx, func(ctx context.Context, t *Tx) error {
		return t.raw(func(s *Session) error { return change(ctx, s) })
	})
}

func (w *Writer) do(ctx context.Context, change func(ctx context.Context, t *Tx) error) error {
	p := &pendingChange{ctx: ctx, run: change, done: make(chan struct{})}
	if err := w.changes.Put(ctx, p); errors.Is(err, loop.ErrStopped) {
		return errClosed
	} else if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-w.changes.Ended():
	}
	select {
	case <-p.done: // by the last transaction
		return p.err
	default:
		return errClosed
	}
}

// store runs a batch and tells every change its result.
func (w *Writer) store(batch []*pendingChange) {
	// A slow change must not be interrupted by the end of another one's context.
	ctx := context.WithoutCancel(batch[0].ctx)
	err := Retry(ctx, func() error {
		err := w.commit(ctx, batch)
		w.note(err, batch) // each try, for they take long while the file is locked
		return err
	})
	for _, p := range batch {
		if err != nil {
			p.err = err
		}
		close(p.done)
	}
}

// note remembers whether the file took the last batch. Each server writes at least
// its heartbeats every few seconds, so this is never old.
func (w *Writer) note(err error, batch []*pendingChange) {
	for _, p := range batch {
		if failed := cmp.Or(err, p.err); refusedBecause(failed) != "" {
			err = failed
		}
	}
	w.health.Note("change", err)
}

// Refusal returns why the file took nothing the last time, or nil.
func (w *Writer) Refusal() error { return w.health.Refusal() }

// commit runs the changes in one transaction. Its error concerns all; the error
// of one change is left in it.
func (w *Writer) commit(ctx context.Context, batch []*pendingChange) (err error) {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	t := &Tx{Tx: tx, conn: conn}
	for _, p := range batch {
		if err := p.in(ctx, t, len(batch) > 1); err != nil {
			_ = tx.Rollback() // its reason is returned
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		// A commit that the full disk stopped can leave its transaction open on
		// the only connection.
		_, _ = conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
	if err := w.wal.keep(ctx, conn); err != nil { // the changes are stored
		w.logger.WarnContext(ctx, "keep the write-ahead log short", "err", err)
	}
	return nil
}

// in runs one change; with others around it, under a savepoint. An error of the
// change itself is kept in p.err; one that is returned ends the transaction.
func (p *pendingChange) in(ctx context.Context, t *Tx, shared bool) error {
	if p.err = p.ctx.Err(); p.err != nil {
		return nil
	}
	if !shared {
		p.err = p.run(ctx, t)
		return p.err
	}
	if err := t.exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	if p.err = p.run(ctx, t); p.err != nil {
		// A full disk, for one, has ended the whole transaction already.
		if err := t.exec(ctx, "ROLLBACK TO one"); err != nil {
			return p.err
		}
	}
	return t.exec(ctx, "RELEASE one")
}

// A Tx is a transaction of the writer.
type Tx struct {
	*sql.Tx
	conn *sql.Conn
}

// raw runs statements that many rows go through, below database/sql.
func (t *Tx) raw(run func(s *Session) error) error {
	return t.conn.Raw(func(conn any) error { return run(conn.(*Session)) })
}

func (t *Tx) exec(ctx context.Context, query string) error {
	return t.raw(func(s *Session) error {
		_, err := s.Exec(ctx, query)
		return err
	})
}
