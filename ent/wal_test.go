package ent

import (
	"database/sql"
	"testing"
	"time"

	"portalhooks/delivery"
)

// A walWatch writes to a store that keeps its log of writes very short.
type walWatch struct {
	t     *testing.T
	store *Store
	day   time.Time
}

const testPages, testLimit = 64, 256

func newWALWatch(t *testing.T) *walWatch {
	s := openStore(t, databases["SQLite"](t))
	sqliteOf(s).writer.wal.pages, sqliteOf(s).writer.wal.limit, sqliteOf(s).writer.wal.next = testPages, testLimit, testPages
	return &walWatch{t: t, store: s, day: time.Now()}
}

// write stores something and returns how many pages the log has then.
func (w *walWatch) write() (pages int64) {
	w.t.Helper()
	w.day = w.day.Add(time.Second)
	facts(w.t, w.store, 100, w.day, delivery.Queued)
	sqliteOf(w.store).writer.wal.copies.Wait() // the writer has begun it if it will
	var busy, copied int64
	err := w.store.read.QueryRowContext(w.t.Context(), lookAtLog).Scan(&busy, &pages, &copied)
	if err != nil {
		w.t.Fatal(err)
	}
	return pages
}

// Somebody who reads for long makes the log of writes grow; afterwards it is
// short again, although the writer never rests.
func TestTheLogOfWritesIsCutAfterALongRead(t *testing.T) {
	t.Parallel()
	w := newWALWatch(t)
	reader, err := w.store.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var events int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM event").Scan(&events); err != nil {
		t.Fatal(err)
	}
	for w.write() < 3*testLimit { // in vain, it tries at one limit and at two
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	longest := int64(0)
	for range 20 {
		longest = w.write()
	}
	if longest > testLimit {
		t.Errorf("the log of writes has %d pages, want at most about %d", longest, testLimit)
	}
}

// Who reads for long may have all connections for reading, and so the copy must
// wait for one. The writer waits for neither, and closing does not either.
func TestTheWriterDoesNotWaitForReaders(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: databases["SQLite"](t), Connections: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sqliteOf(s).writer.wal.pages, sqliteOf(s).writer.wal.limit, sqliteOf(s).writer.wal.next = testPages, testLimit, testPages
	events := facts(t, s, 100, time.Now(), delivery.Queued)
	var readers []*sql.Conn
	for range s.read.Stats().MaxOpenConnections {
		conn, err := s.read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, conn)
	}
	next := events[0].Event.ID + 1000
	for length := int64(0); length < 2*testLimit; {
		for i := range events {
			next++
			events[i].Event.ID, events[i].Key, events[i].Deliveries = next, next.String(), nil
		}
		ingestAll(t, s, events)
		var busy, copied int64
		if err := readers[0].QueryRowContext(t.Context(), lookAtLog).Scan(&busy, &length, &copied); err != nil {
			t.Fatal(err)
		}
	}
	sqliteOf(s).writer.Close() // although the copy still waits
	for _, conn := range readers {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	closeStore(t, s)
}

// When nobody reads, the log is copied beside the writer and begins anew long
// before it would have to be cut.
func TestTheLogOfWritesBeginsAnewByItself(t *testing.T) {
	t.Parallel()
	w := newWALWatch(t)
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
		t.Errorf("the log of writes had up to %d pages and began anew with %d, want less than %d and %d",
			longest, shortest, testLimit, testPages)
	}
}
