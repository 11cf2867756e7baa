package sqldb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"github.com/lib/pq"

	"portalhooks/delivery/loop"
)

// Pauses of the notifier: between two notifications, and for one of them.
const (
	notifyPause   = 10 * time.Millisecond
	notifyTimeout = 5 * time.Second
)

// A notifier notifies the other servers, and hears their notifications, through
// PostgreSQL's NOTIFY. NOTIFY takes a lock that all committing transactions of
// the database share, so it is never part of one that matters: rings that come
// close together are one, in a transaction that does not wait for the disk.
//
// Its link listens. Rings may get lost: the feed polls too.
type Notifier struct {
	db      *sql.DB
	logger  *slog.Logger
	name    string // of this process, to tell its own rings
	Wake    loop.Wake
	pending loop.Wake
	stop    context.CancelFunc
	loops   sync.WaitGroup
}

// newNotifier starts a notifier that sends through db.
func NewNotifier(db *sql.DB, logger *slog.Logger) *Notifier {
	// No caller waits for a ring, so there is no context to take: it lives as
	// long as the notifier.
	ctx, stop := context.WithCancel(context.Background())
	b := &Notifier{
		db: db, logger: logger, name: rand.Text(), Wake: loop.NewWake(), pending: loop.NewWake(), stop: stop,
	}
	b.loops.Go(func() { b.run(ctx) })
	return b
}

func (b *Notifier) Close() {
	b.stop()
	b.loops.Wait()
}

// hear passes on what others ring.
func (b *Notifier) Receive(payload string) {
	if payload != b.name {
		b.Wake.Notify()
	}
}

// pull sends a notification soon.
func (b *Notifier) Notify() { b.pending.Notify() }

// ring waits for pulls and answers those of each pause with one ring.
func (b *Notifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.pending:
		}
		b.send(ctx)
		if !loop.Sleep(ctx, notifyPause) {
			return
		}
	}
}

// ringOnce takes one round trip. A ring that fails is lost, which is allowed;
// one that has begun is not interrupted by the end of the notifier.
func (b *Notifier) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyTimeout)
	defer cancel()
	_, err := b.db.ExecContext(ctx, "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY "+channel+", "+
		pq.QuoteLiteral(b.name)+"; COMMIT")
	if err != nil {
		b.logger.DebugContext(ctx, "other processes were not told of new log entries", "error", err)
	}
}
