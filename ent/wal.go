package ent

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
)

// SQLite writes to a log first and copies that into the database's file when it
// has walPages. A page that changed often is then copied once. The cache holds
// what a batch changes, so that it is written once.
const (
	walPages   = 8000
	cacheBytes = 32 << 20

	// SQLite begins the log anew at a moment when nobody reads from it, which
	// under load may not come by itself. When the log is so long the writer
	// waits for that moment, but not for readers that take their time.
	walLimit    = 4 * walPages * 4096
	walPatience = 100 // milliseconds
)

// writerPragmas are those of the connection that writes.
func writerPragmas() string {
	return fmt.Sprintf("&_pragma=cache_size(-%d)&_pragma=wal_autocheckpoint(%d)", cacheBytes>>10, walPages)
}

// A walKeeper keeps the log of writes short.
type walKeeper struct {
	path  string // of the log
	limit int64  // from which length on it is to be cut
	tried int64  // how long it was when that was last in vain
}

// keep cuts the log if it is too long. It comes after a transaction.
func (k *walKeeper) keep(ctx context.Context, conn *sql.Conn) error {
	file, err := os.Stat(k.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("measure the log of writes: %w", err)
	}
	// One more try for each limit that it grows by, while somebody reads on.
	if size := file.Size(); size < k.limit+k.tried {
		return nil
	}
	busy, err := k.cut(ctx, conn)
	if k.tried = 0; busy {
		k.tried = file.Size()
	}
	if err != nil {
		return fmt.Errorf("cut the log of writes: %w", err)
	}
	return nil
}

// cut empties the log, or reports that it could not because of readers.
func (k *walKeeper) cut(ctx context.Context, conn *sql.Conn) (busy bool, err error) {
	var patience int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return false, err
	}
	wait := func(ms int) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", ms))
		return err
	}
	if err := wait(walPatience); err != nil {
		return false, err
	}
	var pages, copied int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &copied)
	return busy, errors.Join(err, wait(patience))
}
