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

// SQLite writes to a log first, which is copied into the database's file when
// it has walPages, or as many as were written since. A page that changed often
// is then copied once. The cache holds what a batch changes, so that it is
// written once.
const (
	walPages   = 8000
	cacheBytes = 32 << 20

	// SQLite restarts the log at a moment when all is copied and no reader uses
	// from it, which under load may not come by itself. When the log is so long
	// the writer waits for that moment, but not for readers that take their time.
	walLimit    = 4 * walPages
	walPatience = 100 // milliseconds
)

// writerPragmas are those of the connection that writes. The walKeeper copies
// the log; a file that became long is cut when the log restarts.
func writerPragmas() string {
	return fmt.Sprintf("&_pragma=cache_size(-%d)&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit(%d)",
		cacheBytes>>10, walLimit*4096)
}

// A walKeeper keeps the log of writes short. What takes long, the copying, it
// does beside the writer, which copies what has come meanwhile: that is little,
// and with it the log can restart.
type walKeeper struct {
	read   *sql.DB
	logger *slog.Logger

	pages, limit int64 // of the log: from which on it is copied, and cut
	next         int64 // from which on the writer copies the rest
	tried        int64 // how long the log was when cutting it last failed

	copying atomic.Bool
	copies  sync.WaitGroup
	stop    context.CancelFunc // ends the copy that is being made
}

func newWalKeeper(read *sql.DB, logger *slog.Logger) *walKeeper {
	return &walKeeper{
		read: read, logger: logger, pages: walPages, limit: walLimit, next: walPages, stop: func() {},
	}
}

// close ends the copy that is being made. What is not copied then is when the
// file is closed, or opened again.
func (k *walKeeper) close() {
	k.stop()
	k.copies.Wait()
}

const (
	lookAtLog = "PRAGMA wal_checkpoint(NOOP)"
	copyLog   = "PRAGMA wal_checkpoint(PASSIVE)"
	cutLog    = "PRAGMA wal_checkpoint(TRUNCATE)"
)

// keep comes after a transaction.
func (k *walKeeper) keep(ctx context.Context, conn *sql.Conn) error {
	length, copied := int64(0), int64(0)
	err := conn.Raw(func(c any) error {
		return c.(*Session).Numbers(ctx, lookAtLog, func(row []int64) { length, copied = row[1], row[2] })
	})
	if err != nil {
		return fmt.Errorf("measure the log of writes: %w", err)
	}
	if length < k.pages { // it has restarted
		k.next, k.tried = k.pages, 0
	}
	switch {
	case k.copying.Load(): // or it waits for a connection, while all are read from
	case length >= k.limit+k.tried: // one more try for each limit that it grows by, while a reader uses it
		return k.cut(ctx, conn, length)
	case length-copied >= k.pages:
		k.stop() // frees what the last copy had
		copying, stop := context.WithCancel(context.WithoutCancel(ctx))
		k.stop = stop
		k.copying.Store(true)
		k.copies.Go(func() { k.copy(copying) })
	case length >= k.next:
		k.next = length + k.pages/4
		if _, err := conn.ExecContext(ctx, copyLog); err != nil {
			return fmt.Errorf("copy the rest of the log of writes: %w", err)
		}
	}
	return nil
}

// copy copies what is in the log now.
func (k *walKeeper) copy(ctx context.Context) {
	defer k.copying.Store(false)
	if _, err := k.read.ExecContext(ctx, copyLog); err != nil && ctx.Err() == nil {
		k.logger.WarnContext(ctx, "copy the log of writes", "err", err)
	}
}

// cut empties the log, or notes that it could not because of readers.
func (k *walKeeper) cut(ctx context.Context, conn *sql.Conn, length int64) error {
	var patience int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return fmt.Errorf("cut the log of writes: %w", err)
	}
	wait := func(ms int) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", ms))
		return err
	}
	if err := wait(walPatience); err != nil {
		return fmt.Errorf("cut the log of writes: %w", err)
	}
	var busy bool
	var pages, copied int64
	err := conn.QueryRowContext(ctx, cutLog).Scan(&busy, &pages, &copied)
	if k.tried = 0; busy {
		k.tried = length
	}
	if err = errors.Join(err, wait(patience)); err != nil {
		return fmt.Errorf("cut the log of writes: %w", err)
	}
	return nil
}
