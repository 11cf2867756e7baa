package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// SQLite writes to a write-ahead log first. A checkpoint copies the log into the
// database's file when it has walPages, or that many that were not copied, so
// that a page that changes often is copied once. The cache holds what a batch
// changes, so that it is written once.
const (
	walPages   = 8000
	cacheBytes = 32 << 20

	// SQLite restarts the log at a moment when all of it is copied and no reader
	// uses it, which under load may not come by itself. When the log has walLimit
	// pages the writer waits for that moment, but not for long readers.
	walLimit    = 4 * walPages
	walPatience = 100 // milliseconds
)

// writerPragmas are those of the connection that writes. The walKeeper makes the
// checkpoints; a long file is truncated when the log restarts.
func writerPragmas() string {
	return fmt.Sprintf("&_pragma=cache_size(-%d)&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit(%d)",
		cacheBytes>>10, walLimit*4096)
}

// A walKeeper keeps the write-ahead log short. It copies the bulk of the log
// beside the writer, which copies what has come meanwhile: that is little, and
// lets the log restart.
type walKeeper struct {
	read   *sql.DB
	logger *slog.Logger

	pages, limit int64 // the length of the log from which on it is copied, and truncated
	next         int64 // the length from which on the writer copies the rest
	tried        int64 // the length at which truncating it last failed

	copying atomic.Bool
	copies  sync.WaitGroup
	stop    context.CancelFunc // ends the copy that runs
}

func newWalKeeper(read *sql.DB, logger *slog.Logger) *walKeeper {
	return &walKeeper{
		read: read, logger: logger, pages: walPages, limit: walLimit, next: walPages, stop: func() {},
	}
}

// close ends the copy that runs. The rest is copied when the file is closed, or
// opened again.
func (k *walKeeper) close() {
	k.stop()
	k.copies.Wait()
}

const (
	measureLog  = "PRAGMA wal_checkpoint(NOOP)"
	copyLog     = "PRAGMA wal_checkpoint(PASSIVE)"
	truncateLog = "PRAGMA wal_checkpoint(TRUNCATE)"
)

// keep comes after each transaction.
func (k *walKeeper) keep(ctx context.Context, conn *sql.Conn) error {
	length, copied := int64(0), int64(0)
	err := conn.Raw(func(c any) error {
		return c.(*Session).Numbers(ctx, measureLog, func(row []int64) { length, copied = row[1], row[2] })
	})
	if err != nil {
		return fmt.Errorf("measure the write-ahead log: %w", err)
	}
	if length < k.pages { // it has restarted
		k.next, k.tried = k.pages, 0
	}
	switch {
	case k.copying.Load(): // or it waits for a connection, while all have readers
	case length >= k.limit+k.tried: // once more for each limit that it grows by, while a reader goes on
		return k.truncate(ctx, conn, length)
	case length-copied >= k.pages:
		k.stop() // frees the context of the last copy
		copying, stop := context.WithCancel(context.WithoutCancel(ctx))
		k.stop = stop
		k.copying.Store(true)
		k.copies.Go(func() { k.copy(copying) })
	case length >= k.next:
		k.next = length + k.pages/4
		if _, err := conn.ExecContext(ctx, copyLog); err != nil {
			return fmt.Errorf("copy the rest of the write-ahead log: %w", err)
		}
	}
	return nil
}

// copy copies what is in the log now.
func (k *walKeeper) copy(ctx context.Context) {
	defer k.copying.Store(false)
	if _, err := k.read.ExecContext(ctx, copyLog); err != nil && ctx.Err() == nil {
		k.logger.WarnContext(ctx, "copy the write-ahead log", "err", err)
	}
}

// truncate empties the log, or notes that it could not because of readers.
func (k *walKeeper) truncate(ctx context.Context, conn *sql.Conn, length int64) error {
	var patience int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return fmt.Errorf("truncate the write-ahead log: %w", err)
	}
	wait := func(ms int) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", ms))
		return err
	}
	if err := wait(walPatience); err != nil {
		return fmt.Errorf("truncate the write-ahead log: %w", err)
	}
	var busy bool
	var pages, copied int64
	err := conn.QueryRowContext(ctx, truncateLog).Scan(&busy, &pages, &copied)
	if k.tried = 0; busy {
		k.tried = length
	}
	if err = errors.Join(err, wait(patience)); err != nil {
		return fmt.Errorf("truncate the write-ahead log: %w", err)
	}
	return nil
}
