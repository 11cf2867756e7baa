package migrate

import (
	"crypto/sha256"
	"database/sql"
	"log/slog"
	"os"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/ent/queue"
	"portalhooks/ent/sqldb"
)

func TestMain(m *testing.M) { os.Exit(enttest.Main(m)) }

var databases = map[string]func(t testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/portalhooks.db" },
	"PostgreSQL": enttest.Postgres,
}

// openQueue opens a database without tables, and a queue in it.
func openQueue(t *testing.T, url string) (sqldb.Database, *queue.Queue) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(db, nil, slog.Default()) // which records nothing: no delivery is queued again
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, q
}

// What was stored by an older program, under hashes, is still known by its key.
func TestTheKeysOfAFilledDatabaseSurviveTheirMoves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from  int64 // the version that the rows are made for
		again bool  // whether it also goes back there
	}{"SQLite": {3, true}, "PostgreSQL": {12, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, q := openQueue(t, databases[name](t))
			p, err := targetOf(db).provider(db, slog.Default())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(t.Context(), c.from); err != nil {
				t.Fatal(err)
			}
			if err := q.Prepare(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			first := storeUnderHashes(t, db)
			known(t, db, q, first)
			if !c.again {
				return
			}
			if _, err := p.DownTo(t.Context(), c.from); err != nil {
				t.Fatal(err)
			}
			known(t, db, q, first)
		})
	}
}

// storedFacts are facts with the keys that package delivery makes for them.
var storedFacts = []struct {
	kind                         delivery.EventType
	number                       int64 // of the kind in the tables
	source, workspace, variables string
	key                          string
}{
	{
		delivery.ActiveAlert,
		1,
		"64b0c3a9e1f2d3c4b5a69788",
		"",
		`{}`,
		delivery.SourceKey("64b0c3a9e1f2d3c4b5a69788"),
	},
	{delivery.ObjectCreated, 3, "64B0", "", `{}`, delivery.SourceKey("64B0")},
	{delivery.ObjectDeleted, 5, "64b", "", `{}`, delivery.SourceKey("64b")},
	{delivery.ObjectModified, 4, "né 'te\\", "", `{}`, delivery.SourceKey("né 'te\\")},
	{delivery.OperationExecuted, 6, "s", "", `{"operation_id":"64b0c3a9"}`, "ox\x04\x64\xb0\xc3\xa9"},
	{delivery.OperationInWorkspace, 7, "s", "00ff", `{"operation_id":"op-1"}`, "wtop-1\x00x\x02\x00\xff"},
	{
		delivery.ExecutedMicroservice, 2, "s", "ws-1", `{"microservice_id":"0a","operation_id":"op-1"}`,
		"mtop-1\x00x\x01\x0atws-1\x00",
	},
}

// storeUnderHashes stores storedFacts as an older program did, and returns the
// id of the first; the others follow.
func storeUnderHashes(t *testing.T, db sqldb.Database) (first delivery.EventID) {
	t.Helper()
	first = delivery.EventID(delivery.NewIDs(1).Next())
	for i, f := range storedFacts {
		id, hash := int64(first)+int64(i), sha256.Sum256([]byte(f.key))
		for _, c := range []struct {
			statement string
			args      []any
		}{
			{
				`INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test, item_name, group_id,
				source_id, workspace_id, variables) VALUES ($1, 7, 5, 0, 0, 0, $2, FALSE, '', '', $3, $4, $5)`,
				[]any{id, f.number, f.source, sql.NullString{String: f.workspace, Valid: f.workspace != ""}, f.variables},
			},
			{
				`INSERT INTO event_key (org, key, event, fingerprint, deliveries) VALUES (7, $1, $2, $3, 2)`,
				[]any{hash[:16], id, -i},
			},
		} {
			if _, err := db.Writer().ExecContext(t.Context(), c.statement, c.args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	return first
}

// known migrates, and fails if storedFacts are not known, or not found.
func known(t *testing.T, db sqldb.Database, q *queue.Queue, first delivery.EventID) {
	t.Helper()
	if _, err := Up(t.Context(), db, slog.Default()); err != nil {
		t.Fatal(err)
	}
	_, err := db.Writer().ExecContext(t.Context(), `INSERT INTO organization
		(id, external_id, name, name_key, search, created_at) VALUES (7, 'a', 'a', 'a', 'a', 0)
		ON CONFLICT DO NOTHING`)
	if err != nil {
		t.Fatal(err)
	}
	again := make([]delivery.NewEvent, len(storedFacts))
	for i, f := range storedFacts {
		e := delivery.Event{ID: delivery.EventID(1e6 + i), Org: 7, Type: f.kind}
		again[i] = delivery.NewEvent{Event: e, Key: f.key}
	}
	results, err := q.Ingest(t.Context(), delivery.Owner{Epoch: 1}, time.Hour, []delivery.Ingest{
		{Org: 7, Events: again},
	})
	if err != nil || results[0].Stale {
		t.Fatal(results, err)
	}
	for i, got := range results[0].Events {
		want := delivery.Stored{ID: first + delivery.EventID(i), Fingerprint: uint64(-int64(i)), Deliveries: 2}
		if got != want {
			t.Errorf("the fact %+v is %+v, want %+v", storedFacts[i], got, want)
		}
	}
	for i, f := range storedFacts {
		filter := delivery.EventFilter{SourceEventID: f.source}
		page, err := q.Events(t.Context(), 7, filter, delivery.Page{First: 9})
		if err != nil {
			t.Fatal(err)
		}
		if f.source != "s" && (len(page.Items) != 1 || page.Items[0].ID != first+delivery.EventID(i)) {
			t.Errorf("the source %q has %v", f.source, page.Items)
		}
	}
}
