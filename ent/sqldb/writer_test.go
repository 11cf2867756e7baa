package sqldb

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"
)

// openWriter opens a SQLite database and starts a writer to it.
func openWriter(t *testing.T) (*Writer, *SQLite) {
	t.Helper()
	db := openDatabase(t, testDatabases["SQLite"](t)).(*SQLite)
	w := NewWriter(db, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(w.Close)
	return w, db
}

func create(t *testing.T, db Database, table string) {
	t.Helper()
	if _, err := db.Writer().ExecContext(t.Context(), table); err != nil {
		t.Fatal(err)
	}
}

func TestAFailedChangeIsUndoneAlone(t *testing.T) {
	t.Parallel()
	w, db := openWriter(t)
	create(t, db, "CREATE TABLE kept (id bigint)")
	fault := errors.New("fault")
	insert := func(n int, err error) *pendingChange {
		run := func(ctx context.Context, t *Tx) error {
			_, failed := t.ExecContext(ctx, "INSERT INTO kept VALUES ($1)", n)
			return errors.Join(failed, err)
		}
		return &pendingChange{ctx: t.Context(), done: make(chan struct{}), run: run}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	late := insert(4, nil)
	late.ctx = ended
	batch := []*pendingChange{insert(1, nil), insert(2, fault), insert(3, nil), late}
	w.store(batch) // the loop has nothing to do meanwhile
	for i, want := range []error{nil, fault, nil, context.Canceled} {
		if got := batch[i].err; !errors.Is(got, want) {
			t.Errorf("change %d ended with %v, want %v", i, got, want)
		}
	}
	rows, err := db.Reader().QueryContext(t.Context(), "SELECT id FROM kept ORDER BY id")
	got, err := Collect(rows, err, ScanInt64)
	if want := []int64{1, 3}; err != nil || !slices.Equal(got, want) {
		t.Errorf("stored %v, %v, want %v", got, err, want)
	}
}

// The pool closes the writer's connection when a caller gave up in the middle of
// a statement. What was prepared on it ends with it, and the writer goes on with
// the next.
func TestTheWriterGoesOnAfterACallerGaveUp(t *testing.T) {
	t.Parallel()
	w, db := openWriter(t)
	create(t, db, "CREATE TABLE kept (id bigint)")
	for n := range 3 {
		err := w.Batch(t.Context(), func(ctx context.Context, s *Session) error {
			_, err := s.Exec(ctx, "INSERT INTO kept VALUES (?)", int64(n))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, giveUp := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err = db.Writer().ExecContext(ctx,
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
		giveUp()
		if err == nil {
			t.Fatal("a statement without end has ended")
		}
	}
}
