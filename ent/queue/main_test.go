package queue

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/ent/migrate"
	"portalhooks/ent/sqldb"
)

func TestMain(m *testing.M) { os.Exit(enttest.Main(m)) }

// databases are where every test of statements runs.
var databases = map[string]func(t testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/portalhooks.db" },
	"PostgreSQL": enttest.Postgres,
}

// onBoth runs test on the queue of each database.
func onBoth(t *testing.T, test func(t *testing.T, s *testQueue)) {
	t.Helper()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openQueue(t, url(t)))
		})
	}
}

// A testQueue is a queue with the database that it is in.
type testQueue struct {
	*Queue

	db sqldb.Database
}

// openQueue opens a database with its tables and closes it when t ends.
func openQueue(t testing.TB, url string) *testQueue {
	t.Helper()
	s := open(t, sqldb.Options{URL: url})
	t.Cleanup(func() { closeQueue(t, s) })
	return s
}

func open(t testing.TB, o sqldb.Options) *testQueue {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	db, err := sqldb.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrate.Up(t.Context(), db, o.Logger); err != nil {
		t.Fatal(err)
	}
	return &testQueue{New(db, recordNothing, o.Logger), db}
}

func recordNothing(context.Context, sqldb.Querier, ...delivery.AuditEntry) error { return nil }

func closeQueue(t testing.TB, s *testQueue) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close the queue: %v", err)
	}
	if err := s.db.Close(); err != nil {
		t.Errorf("close the database: %v", err)
	}
}

// organization stores an organization, unless it is stored.
func (s *testQueue) organization(t testing.TB, id delivery.OrgID) {
	t.Helper()
	_, err := s.db.Writer().ExecContext(t.Context(), `INSERT INTO organization
		(id, external_id, name, name_key, search, created_at) VALUES ($1, $2, $2, $3, $2, 0)
		ON CONFLICT DO NOTHING`,
		int64(id), fmt.Sprint(id), []byte(fmt.Sprint(id)))
	if err != nil {
		t.Fatal(err)
	}
}

func isSQLite(s *testQueue) bool {
	_, ok := s.db.(*sqldb.SQLite)
	return ok
}

func postgres(s *testQueue) *postgresQueue { return s.Queue.db.(*postgresQueue) }
