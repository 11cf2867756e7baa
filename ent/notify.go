package ent

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

// Pauses of the bell: between two rings, and for one of them.
const (
	ringPause   = 10 * time.Millisecond
	ringTimeout = 5 * time.Second
)

// A bell rings for the other processes, and hears them ring, through
// PostgreSQL's NOTIFY. NOTIFY takes a lock that all committing transactions of
// the database share, so it is never part of one that matters: rings that come
// close together are one, in a transaction that does not wait for the disk.
//
// Its link listens. Rings may get lost: the feed polls too.
type bell struct {
	db     *sql.DB
	logger *slog.Logger
	name   string // of this process, to tell its own rings
	heard  loop.Wake
	pulled loop.Wake
	stop   context.CancelFunc
	loops  sync.WaitGroup
}

// newBell starts to ring through db when it is pulled.
func newBell(db *sql.DB, logger *slog.Logger) *bell {
	// No caller waits for a ring, so there is no context to take: it lives as
	// long as the bell.
	ctx, stop := context.WithCancel(context.Background())
	b := &bell{
		db: db, logger: logger, name: rand.Text(), heard: loop.NewWake(), pulled: loop.NewWake(), stop: stop,
	}
	b.loops.Go(func() { b.ring(ctx) })
	return b
}

func (b *bell) close() {
	b.stop()
	b.loops.Wait()
}

// hear passes on what others ring.
func (b *bell) hear(payload string) {
	if payload != b.name {
		b.heard.Notify()
	}
}

// pull makes the bell ring soon.
func (b *bell) pull() { b.pulled.Notify() }

// ring waits for pulls and answers those of each pause with one ring.
func (b *bell) ring(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.pulled:
		}
		b.ringOnce(ctx)
		if !loop.Sleep(ctx, ringPause) {
			return
		}
	}
}

// ringOnce takes one round trip. A ring that fails is lost, which is allowed;
// one that has begun is not interrupted by the end of the bell.
func (b *bell) ringOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ringTimeout)
	defer cancel()
	_, err := b.db.ExecContext(ctx, "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY "+bellChannel+", "+
		pq.QuoteLiteral(b.name)+"; COMMIT")
	if err != nil {
		b.logger.DebugContext(ctx, "other processes were not told of new log entries", "error", err)
	}
}

// Wake implements [delivery.Maintenance].
func (h *hot) Wake() <-chan struct{} {
	if h.bell == nil {
		return nil
	}
	return h.bell.heard
}

// Notify implements [delivery.Maintenance].
func (h *hot) Notify() {
	if h.bell != nil {
		h.bell.pull()
	}
}

// Ping implements [delivery.Maintenance]. A disk that takes nothing is no better
// than a database that does not answer.
func (h *hot) Ping(ctx context.Context) error {
	if h.writer != nil {
		if err := h.writer.disk(); err != nil {
			return unavailable(err)
		}
	}
	if err := h.read.PingContext(ctx); err != nil {
		return unavailable(err)
	}
	_, err := h.numbers(ctx, "SELECT 1")
	return unavailable(err)
}
