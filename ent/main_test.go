package ent

import (
	"log/slog"
	"os"
	"testing"

	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

func TestMain(m *testing.M) { os.Exit(enttest.Main(m)) }

// databases are where every test of statements runs.
var databases = map[string]func(t testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/portalhooks.db" },
	"PostgreSQL": enttest.Postgres,
}

// onBoth runs test on a migrated store of each database.
func onBoth(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openStore(t, url(t)))
		})
	}
}

// openStore opens and migrates the database, and closes it when t ends.
func openStore(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: url, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func isSQLite(s *Store) bool {
	_, ok := s.db.(*sqldb.SQLite)
	return ok
}
