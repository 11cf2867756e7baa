package ent

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portalhooks/ent/enttest"
)

func TestBadURLsSayWhatToWrite(t *testing.T) {
	for name, tt := range map[string]struct{ url, want string }{
		"empty":                    {"", "no database is given"},
		"a path alone":             {"data/portalhooks.db", "must be a URL"},
		"another database":         {"mysql://u:secret@h/d", "must be sqlite or postgres"},
		"no file":                  {"sqlite:", "names no file"},
		"a folder":                 {"sqlite:data/", "names no file"},
		"memory":                   {"sqlite::memory:", "in memory"},
		"settings of a file":       {"sqlite:a.db?mode=ro", "takes no settings"},
		"no database":              {"postgres://u:secret@h:5432", "names no database"},
		"no slashes":               {"postgres:h/d", "names no database"},
		"unescaped password":       {"postgres://u:sec%ret@h/d", "%40, %2F and %25"},
		"unknown value of setting": {"postgres://u:secret@h/d?sslmode=perhaps", "setting that can't be used"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{URL: tt.url})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Open(%q) = %v, want an error with %q", tt.url, err, tt.want)
			}
			if strings.Contains(err.Error(), "sec") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestGoodURLsAreUnderstood(t *testing.T) {
	for name, tt := range map[string]struct {
		url, path string
		kind      string
		settings  map[string]string
	}{
		"relative file": {url: "sqlite:data/a.db", path: "data/a.db", kind: sqliteName},
		"absolute file": {url: "sqlite:/var/lib/a b%.db", path: "/var/lib/a b%.db", kind: sqliteName},
		"file URL":      {url: "SQLite:///var/lib/a.db", path: "/var/lib/a.db", kind: sqliteName},
		"long scheme":   {url: "postgresql://u@h/d", kind: postgresName},
		"own settings": {
			url: "postgres://h/d?application_name=me", kind: postgresName,
			settings: map[string]string{"application_name": "me"},
		},
		"given settings": {
			url: "postgres://h/d?sslmode=disable", kind: postgresName,
			settings: map[string]string{
				"sslmode": "disable", "binary_parameters": "yes", "application_name": "portalhooks", "connect_timeout": "10",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got.kind != tt.kind || got.path != tt.path {
				t.Errorf("got %s with the file %q, want %s with %q", got.kind, got.path, tt.kind, tt.path)
			}
			if tt.kind == sqliteName {
				if !strings.Contains(got.write, "_txlock=immediate") || !strings.Contains(got.read, "_query_only=1") {
					t.Errorf("the pools are %q and %q, want one that writes and one that can't", got.write, got.read)
				}
				return
			}
			u, err := url.Parse(got.write)
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range tt.settings {
				if value := u.Query().Get(key); value != want {
					t.Errorf("%s is %q, want %q", key, value, want)
				}
			}
		})
	}
}

func TestOpenMakesThePrivateFileAndItsFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b", "100% #new?", "portalhooks.db")
	path = strings.NewReplacer("#", "", "?", "").Replace(path)
	openStore(t, "sqlite:"+path)
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
		"nobody listens":       {"postgres://u@127.0.0.1:1/d?sslmode=disable", "refused"},
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
	s := openStore(t, databases["SQLite"](t))
	if _, err := s.read.ExecContext(t.Context(), "DELETE FROM organization"); err == nil {
		t.Error("the pool that reads could write")
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := s.db.Writer().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
}
