package ent

import (
	"os"
	"testing"
	"time"

	"portalhooks/delivery"
)

// Somebody who reads for long makes the log of writes grow; afterwards it is
// short again, although the writer never rests.
func TestTheLogOfWritesIsCutAfterALongRead(t *testing.T) {
	t.Parallel()
	s := openStore(t, databases["SQLite"](t))
	const limit = 1 << 20
	s.writer.wal.limit = limit
	day := time.Now()
	write := func() int64 {
		t.Helper()
		day = day.Add(time.Second)
		facts(t, s, 500, day, delivery.Queued)
		file, err := os.Stat(s.writer.wal.path)
		if err != nil {
			t.Fatal(err)
		}
		return file.Size()
	}
	reader, err := s.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var events int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM event").Scan(&events); err != nil {
		t.Fatal(err)
	}
	for write() < 3*limit { // in vain, it tries at one limit and at two
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	longest := int64(0)
	for range 20 {
		longest = write()
	}
	if longest > limit {
		t.Errorf("the log of writes has %d bytes, want at most about %d", longest, limit)
	}
}
