package sqldb

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"
)

// A walWatch writes to a database that keeps its write-ahead log very short.
type walWatch struct {
	t      *testing.T
	db     *SQLite
	writer *Writer
}

const testPages, testLimit = 64, 256

func newWALWatch(t *testing.T, db *SQLite) *walWatch {
	t.Helper()
	w := NewWriter(db, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(w.Close)
	create(t, db, "CREATE TABLE written (page blob)")
	w.wal.pages, w.wal.limit, w.wal.next = testPages, testLimit, testPages
	return &walWatch{t: t, db: db, writer: w}
}

// store fills a few pages.
func (w *walWatch) store() {
	w.t.Helper()
	err := w.writer.Batch(w.t.Context(), func(ctx context.Context, s *Session) error {
		for range 20 {
			if _, err := s.Exec(ctx, "INSERT INTO written VALUES (zeroblob(4000))"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// write stores something and returns how many pages the log has then.
func (w *walWatch) write() (pages int64) {
	w.t.Helper()
	w.store()
	w.writer.wal.copies.Wait() // the writer has begun it if it will
	var busy, copied int64
	err := w.db.read.QueryRowContext(w.t.Context(), measureLog).Scan(&busy, &pages, &copied)
	if err != nil {
		w.t.Fatal(err)
	}
	return pages
}

// A long read makes the write-ahead log grow; afterwards it is short again,
// although the writer never rests.
func TestTheWriteAheadLogIsTruncatedAfterALongRead(t *testing.T) {
	t.Parallel()
	w := newWALWatch(t, openDatabase(t, testDatabases["SQLite"](t)).(*SQLite))
	reader, err := w.db.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM written").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	for w.write() < 3*testLimit { // it tries at one limit and at two, without effect
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	longest := int64(0)
	for range 20 {
		longest = w.write()
	}
	if longest > testLimit {
		t.Errorf("the write-ahead log has %d pages, want at most about %d", longest, testLimit)
	}
}

// Long reads may hold all connections for reading, so that the copy must wait
// for one. The writer waits for neither, and neither does closing.
func TestTheWriterDoesNotWaitForReaders(t *testing.T) {
	t.Parallel()
	db := openWith(t, Options{URL: testDatabases["SQLite"](t), Connections: 2}).(*SQLite)
	w := newWALWatch(t, db)
	var readers []*sql.Conn
	for range db.read.Stats().MaxOpenConnections {
		conn, err := db.read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, conn)
	}
	for length := int64(0); length < 2*testLimit; {
		w.store()
		var busy, copied int64
		if err := readers[0].QueryRowContext(t.Context(), measureLog).Scan(&busy, &length, &copied); err != nil {
			t.Fatal(err)
		}
	}
	w.writer.Close() // although the copy still waits
	for _, conn := range readers {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Without reads, the log is copied beside the writer and restarts long before it
// would have to be truncated.
func TestTheWriteAheadLogRestartsByItself(t *testing.T) {
	t.Parallel()
	w := newWALWatch(t, openDatabase(t, testDatabases["SQLite"](t)).(*SQLite))
	longest, shortest, before := int64(0), int64(testLimit), int64(0)
	for range 60 {
		pages := w.write()
		longest = max(longest, pages)
		if pages < before {
			shortest = min(shortest, pages)
		}
		before = pages
	}
	if longest >= testLimit || shortest >= testPages {
		t.Errorf("the write-ahead log had up to %d pages and restarted with %d, want less than %d and %d",
			longest, shortest, testLimit, testPages)
	}
}
