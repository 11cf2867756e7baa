package faults

import (
	"database/sql"
	"fmt"
	"net/http"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/test/harness"
)

// An absence is how a PostgreSQL is away, or takes no changes, for a while.
type absence struct {
	begin, end func(t *testing.T, c *enttest.Cluster, admin *sql.DB)
}

func absences() map[string]absence {
	configure := func(statement string) func(*testing.T, *enttest.Cluster, *sql.DB) {
		return func(t *testing.T, _ *enttest.Cluster, admin *sql.DB) {
			t.Helper()
			for _, s := range []string{statement, "SELECT pg_reload_conf()"} {
				if _, err := admin.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
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

// PostgreSQL is away, or read-only as after a failover, under load, in the long form
// for longer than the lease of a delivery. The server says that it is not ready,
// keeps every result, and repeats no call.
func TestTorturePostgresAwayForLong(t *testing.T) {
	t.Parallel()
	for name, a := range absences() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a.test(t, name)
		})
	}
}

func (a absence) test(t *testing.T, name string) {
	long := time.Duration(Rounds(3, 10+int(delivery.JobLease/time.Second))) * time.Second
	c := enttest.New(t, enttest.Options{Durable: true})
	url := c.Database(t)
	r := harness.NewRig(t, url, "/")
	// For PostgreSQL ALTER SYSTEM changes nothing in the database: it works while that
	// is read-only.
	admin, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	r.Watch(t)
	l := harness.NewLedger()
	p := harness.Stream(t.Context(), r.Server, l, 0)
	defer p.End()
	r.Acknowledges(t, l, 300)
	a.begin(t, c, admin)
	r.Ready(t, http.StatusServiceUnavailable)
	time.Sleep(long) // the length is the fault
	a.end(t, c, admin)
	recovery := r.Acknowledges(t, l, 1)
	r.Ready(t, http.StatusOK)
	r.Acknowledges(t, l, 300)
	result := Result{
		Fault: "PostgreSQL " + name + " for a while", Database: "postgres", Rounds: 1, Recovery: recovery,
		Note: fmt.Sprintf("for %s; /readyz answers 503, every result is kept", long),
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
