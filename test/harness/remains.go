package harness

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/app"
	"portalhooks/delivery"
)

// Remains are what a server that died left in its database.
type Remains struct {
	stored    map[string]bool // elements of the events
	Unsettled map[string]bool // deliveries in the queue
	repeats   map[string]int  // calls that were repeated until then, by delivery
}

// Examine reads the database of a server that has died, before another one
// repairs anything, or a PostgreSQL that came back. It fails t when something that was acknowledged is not in
// it, or when the file is damaged.
func (r *Rig) Examine(t *testing.T, l *Ledger) Remains {
	t.Helper()
	acked := l.Copy() // before the database is read, for there may be more soon
	db := r.openDatabase(t)
	defer db.Close()
	if r.Database == "" {
		if got := valuesIn(t, db, "PRAGMA integrity_check", asIs); len(got) != 1 || !got["ok"] {
			t.Errorf("the database is damaged: %v", got)
		}
	}
	found := Remains{
		stored: valuesIn(t, db, "SELECT source_id FROM event", asIs),
		Unsettled: valuesIn(t, db, "SELECT id FROM queue", func(id int64) string {
			return delivery.DeliveryID(id).String()
		}),
		repeats: r.Witness.repeats(),
	}
	for element := range acked {
		if !found.stored[element] {
			t.Errorf("%s was acknowledged and is not stored", element)
		}
	}
	return found
}

// openDatabase opens the database; of SQLite a copy, so that the server itself
// finds what a crash has left.
func (r *Rig) openDatabase(t *testing.T) *sql.DB {
	t.Helper()
	driver, name := "postgres", r.Database
	if name == "" {
		copied := t.TempDir()
		from := filepath.Join(r.Dir, app.DataFolder)
		for _, file := range []string{"portalhooks.db", "portalhooks.db-wal"} {
			text, err := fs.ReadFile(os.DirFS(from), file)
			if os.IsNotExist(err) && strings.HasSuffix(file, "-wal") {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(copied, file), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		driver, name = "sqlite", "file:"+filepath.Join(copied, "portalhooks.db")
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func asIs(text string) string { return text }

// valuesIn returns the values of a query's only column.
func valuesIn[T any](t *testing.T, db *sql.DB, query string, text func(T) string) map[string]bool {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]bool{}
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		all[text(one)] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// CheckRepeats fails t unless only what was not settled at the crash was sent
// again after it. It returns how many calls that were.
func (r *Rig) CheckRepeats(t *testing.T, left Remains) (again int) {
	t.Helper()
	for id, times := range r.Witness.repeats() {
		more := times - left.repeats[id]
		again += more
		if more > 0 && !left.Unsettled[id] {
			t.Errorf("%s was settled before the crash and was sent again", id)
		}
	}
	return again
}
