package enttest

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// Two connections to the pooler are one to the server, which is what it is for.
func TestPoolerSharesConnections(t *testing.T) {
	database := Postgres(t)
	p := NewPooler(t, database, map[string]string{"default_pool_size": "1"})
	first, second := connect(t, p.Through(t, database)), connect(t, p.Through(t, database))
	pid := "SELECT pg_backend_pid()"
	if a, b := count(t, first, pid), count(t, second, pid); a != b {
		t.Errorf("two connections were served by %d and %d, want one process", a, b)
	}
}

func TestPoolerGoesWithItsTest(t *testing.T) {
	database := Postgres(t)
	var dir, through string
	t.Run("owner", func(t *testing.T) {
		p := NewPooler(t, database, nil)
		dir, through = p.dir, p.Through(t, database)
	})
	if err := connect(t, through).PingContext(t.Context()); err == nil {
		t.Error("the pooler outlived its test")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder: %v, want it gone", err)
	}
}
