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

// notifyPause is the least time between two notifications, notifyTimeout the
// longest for one.
const (
	notifyPause   = 10 * time.Millisecond
	notifyTimeout = 5 * time.Second
)

// A Notifier tells the other servers of new log entries through PostgreSQL's
// NOTIFY. NOTIFY takes a lock that all committing transactions of the database
// share, so it is never part of one that matters: notifications that come close
// together are one, in a transaction that does not wait for the disk.
//
// A Listener receives them. Notifications may get lost: the delivery log is
// polled too.
type Notifier struct {
	db      *sql.DB
	logger  *slog.Logger
	name    string // of this server, to recognize its own notifications
	Wake    loop.Wake
	pending loop.Wake
	stop    context.CancelFunc
	loops   sync.WaitGroup
}

// NewNotifier starts to send through db what Notify asks for.
func NewNotifier(db *sql.DB, logger *slog.Logger) *Notifier {
	// No caller waits for a notification, so there is no context to take: it
	// lives until Close.
	ctx, stop := context.WithCancel(context.Background())
	n := &Notifier{
		db: db, logger: logger, name: rand.Text(), Wake: loop.NewWake(), pending: loop.NewWake(), stop: stop,
	}
	n.loops.Go(func() { n.run(ctx) })
	return n
}

// Close waits for the notification that is being sent.
func (n *Notifier) Close() {
	n.stop()
	n.loops.Wait()
}

// Receive wakes Wake for a notification of another server.
func (n *Notifier) Receive(payload string) {
	if payload != n.name {
		n.Wake.Notify()
	}
}

// Notify sends a notification, soon.
func (n *Notifier) Notify() { n.pending.Notify() }

// run sends one notification for all that are asked for during a pause.
func (n *Notifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.pending:
		}
		n.send(ctx)
		if !loop.Sleep(ctx, notifyPause) {
			return
		}
	}
}

// send takes one round trip. A notification that fails is lost, which is
// allowed; one that has begun is not interrupted by Close.
func (n *Notifier) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyTimeout)
	defer cancel()
	_, err := n.db.ExecContext(ctx, "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY "+channel+", "+
		pq.QuoteLiteral(n.name)+"; COMMIT")
	if err != nil {
		n.logger.DebugContext(ctx, "other processes were not told of new log entries", "error", err)
	}
}
