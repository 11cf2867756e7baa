package cluster

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"portalhooks/ent/enttest"
	"portalhooks/test/faults"
	"portalhooks/test/harness"
)

// settable makes the clock of a PostgreSQL one that its sessions ask for by now()
// and that a row sets ahead: the function is found before that of the same name.
var settable = []string{
	"CREATE SCHEMA clock",
	"CREATE TABLE clock.setting (ahead interval NOT NULL)",
	"INSERT INTO clock.setting VALUES ('0')",
	`CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE
		AS 'SELECT pg_catalog.now() + ahead FROM clock.setting'`,
	`DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET search_path = public, clock, pg_catalog', current_database());
	END $$`,
}

const setAhead = "UPDATE clock.setting SET ahead = ahead + $1::interval"

// The clock of PostgreSQL is set back by an hour, and forth again, while three
// servers store, send and settle. Nothing is lost, and nothing is sent twice: an
// ended lease of a living server is no reason to send what it holds.
func TestTortureClockSetBackAndForth(t *testing.T) {
	t.Parallel()
	const each = 150
	url := enttest.Postgres(t)
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range settable {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	f := fleetOn(t, url, 3, "/slow")
	l, next, rounds := harness.NewLedger(), 0, faults.Rounds(1, 5)
	results := []faults.Result{
		{Fault: "PostgreSQL's clock is set back by an hour, three servers"},
		{Fault: "PostgreSQL's clock is set ahead by an hour, three servers"},
	}
	for range rounds {
		for i, by := range []string{"-1 hour", "1 hour"} {
			f.steady(t)
			before, set := f.Witness.Repeated(), time.Time{}
			senders := f.load(t, l, next, each, i, func(*harness.Server) {
				if _, err := f.db.ExecContext(t.Context(), setAhead, by); err != nil {
					t.Fatal(err)
				}
				set = time.Now()
			})
			senders()
			results[i].Lost += f.Finish(t, l, next, next+3*each)
			results[i].Recovery = max(results[i].Recovery, time.Since(set))
			results[i].Duplicated += f.Witness.Repeated() - before
			next += 3 * each
			f.noticed(t)
		}
	}
	for _, r := range results {
		if r.Duplicated > 0 {
			t.Errorf("%s: %d calls were repeated although the servers lived", r.Fault, r.Duplicated)
		}
		r.Database, r.Rounds, r.Note = "postgres", rounds, "recovery: until all that waited is delivered"
		r.Report(t)
	}
	f.Witness.CheckIdentity(t)
	f.checkLog(t, next)
	for _, s := range f.members {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// noticed waits until every server has said that the clock was set back.
func (f *fleet) noticed(t *testing.T) {
	t.Helper()
	for _, s := range f.members {
		err := harness.Eventually(t.Context(), "the server sees the clock", func(context.Context) (bool, error) {
			return strings.Contains(s.Transcript(), "clock was set back"), nil
		})
		if err != nil {
			t.Fatalf("%v%s", err, s.Transcript())
		}
	}
}
