package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/ent"
)

// A key in a database that the command made would open nothing.
func TestKeysAreMadeInADatabaseThatIsThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "portalhooks.db")
	flag := databaseFlag{Database: "sqlite:" + file}
	use := func(*ent.Store) error {
		t.Error("the database was used")
		return nil
	}
	err := flag.withTables(t.Context(), use)
	if err == nil || !strings.Contains(err.Error(), "portalhooks migrate up") {
		t.Errorf("without a database: %v, want what to do", err)
	}
	if _, err := os.Stat(filepath.Dir(file)); !os.IsNotExist(err) {
		t.Errorf("the command made a folder: %v", err)
	}
	if err := withStore(t.Context(), flag.Database, func(*ent.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := flag.withTables(t.Context(), use); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without tables: %v, want the name of the database", err)
	}
}

// The name of a database is printed without what opens it.
func TestTheNameOfADatabaseHasNoPassword(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:data/portalhooks.db":                       "sqlite:data/portalhooks.db",
		"postgres://ada:hidden@db:5432/hooks?sslmode=none": "postgres://db:5432/hooks",
		"postgresql://ada:hid%zz@db/hooks":                 "PostgreSQL",
	} {
		if got := nameOf(url); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
