package sqldb

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portalhooks/ent/enttest"
)

// testDatabases are where every test of a database runs.
var testDatabases = map[string]func(t testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/portalhooks.db" },
	"PostgreSQL": enttest.Postgres,
}

// openDatabase opens the database, and closes it when t ends.
func openDatabase(t testing.TB, url string) Database {
	t.Helper()
	return openWith(t, Options{URL: url})
}

func openWith(t testing.TB, o Options) Database {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	db, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func TestOpenMakesThePrivateFileAndItsFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b", "100% #new?", "portalhooks.db")
	path = strings.NewReplacer("#", "", "?", "").Replace(path)
	openDatabase(t, "sqlite:"+path)
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, want %o", p, got, want)
		}
	}
}

func TestOpenSaysWhatIsWrongWithTheDatabase(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.db")
	if err := os.WriteFile(other, []byte(strings.Repeat("not a database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(other, "a.db")
	missing, err := url.Parse(enttest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	missing.Path = "/no_such_database"
	for name, tt := range map[string]struct{ url, want string }{
		"another kind of file": {"sqlite:" + other, "name another"},
		"a file for a folder":  {"sqlite:" + blocked, "make the folder"},
		"no such database":     {missing.String(), "CREATE DATABASE"},
		"no server listens":    {"postgres://u@127.0.0.1:1/d?sslmode=disable", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s, err := Open(ctx, Options{URL: tt.url})
			if err == nil {
				t.Fatal("Open worked", s.Close())
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestReadersCannotWriteOnSQLite(t *testing.T) {
	s := openDatabase(t, testDatabases["SQLite"](t))
	if _, err := s.Reader().ExecContext(t.Context(), "CREATE TABLE written (id bigint)"); err == nil {
		t.Error("the pool that reads could write")
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := s.Writer().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
}
