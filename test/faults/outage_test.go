package faults

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"portalhooks/app"
	"portalhooks/ent/enttest"
	"portalhooks/test/harness"
)

// outageLength is how long a database is away; in the long form ten times longer
// than the lease of a delivery.
func outageLength() time.Duration {
	if Long() {
		return 10 * time.Minute
	}
	return 3 * time.Second
}

// An absence is how a PostgreSQL is away, or takes no changes, for a while.
type absence struct {
	begin, end func(t *testing.T, c *enttest.Cluster, admin *sql.DB)
}

func absences() map[string]absence {
	configure := func(statement string) func(*testing.T, *enttest.Cluster, *sql.DB) {
		return func(t *testing.T, _ *enttest.Cluster, admin *sql.DB) {
			t.Helper()
			execute(t, admin, statement, "SELECT pg_reload_conf()")
		}
	}
	return map[string]absence{
		"away": {
			begin: func(t *testing.T, c *enttest.Cluster, _ *sql.DB) {
				if err := c.Stop(enttest.Fast); err != nil {
					t.Fatal(err)
				}
			},
			end: func(t *testing.T, c *enttest.Cluster, _ *sql.DB) {
				if err := c.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
		},
		"read-only": {
			begin: configure("ALTER SYSTEM SET default_transaction_read_only = on"),
			end:   configure("ALTER SYSTEM RESET default_transaction_read_only"),
		},
	}
}

func execute(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// PostgreSQL is away, or read-only as after a failover, under load. The server says
// that it is not ready, keeps every result, and repeats no call.
func TestTorturePostgresAwayForLong(t *testing.T) {
	t.Parallel()
	for name, a := range absences() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := enttest.New(t, enttest.Options{Durable: true})
			url := c.Database(t)
			// For PostgreSQL ALTER SYSTEM changes nothing in the database: it works while that
			// is read-only.
			admin, err := sql.Open("postgres", url)
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			awayForLong(t, harness.NewRig(t, url, "/"), "PostgreSQL "+name,
				func() { a.begin(t, c, admin) }, func() { a.end(t, c, admin) })
		})
	}
}

// Another program has the write lock of SQLite's file, and the server can't store
// anything until it is released. It repeats no call.
func TestTortureSQLiteLockedForLong(t *testing.T) {
	t.Parallel()
	r := harness.NewRig(t, "", "/")
	other, err := sql.Open("sqlite", filepath.Join(r.Dir, app.DataFolder, "portalhooks.db")+
		"?_pragma=busy_timeout(1000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	awayForLong(t, r, "SQLite locked by another program",
		func() { lock(t, other) }, func() { execute(t, other, "ROLLBACK") })
}

// lock takes the write lock of db, which a busy server releases for moments only.
func lock(t *testing.T, db *sql.DB) {
	t.Helper()
	var last error
	err := harness.Eventually(t.Context(), "the write lock is free", func(ctx context.Context) (bool, error) {
		_, last = db.ExecContext(ctx, "BEGIN IMMEDIATE")
		return last == nil, nil
	})
	if err != nil {
		t.Fatal(err, last)
	}
}

// awayForLong makes the database of r unable to take changes, in the middle of a
// stream of events, for the length of an outage.
func awayForLong(t *testing.T, r *harness.Rig, fault string, begin, end func()) {
	t.Helper()
	r.Watch(t)
	l := harness.NewLedger()
	p := harness.Stream(t.Context(), r.Server, l, 0)
	defer p.End()
	r.Acknowledges(t, l, 300)
	begin()
	r.Ready(t, http.StatusServiceUnavailable)
	time.Sleep(outageLength()) // the length is the fault
	end()
	recovery := r.Acknowledges(t, l, 1)
	r.Ready(t, http.StatusOK)
	r.Acknowledges(t, l, 300)
	result := Result{
		Fault: fault + " for a while", Database: kindOf(r.Database), Rounds: 1, Recovery: recovery,
		Note: fmt.Sprintf("for %s; /readyz answers 503, every result is kept", outageLength()),
	}
	result.Lost = r.Finish(t, l, 0, p.End())
	r.Saw(t)
	r.Witness.CheckIdentity(t)
	if result.Duplicated = r.Witness.Repeated(); result.Duplicated > 0 {
		t.Errorf("%d calls were repeated although the server lived", result.Duplicated)
	}
	r.Stop(t)
	result.Report(t)
}
