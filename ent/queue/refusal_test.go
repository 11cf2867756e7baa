package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

// results claims what is due and returns what settles it as delivered.
func results(t *testing.T, s *testQueue, owner delivery.Owner) []delivery.Settlement {
	t.Helper()
	all := delivery.ClaimRequest{Owner: owner, N: 100, PerWebhook: 100, Lease: time.Hour}
	jobs, err := s.Claim(t.Context(), all)
	if err != nil || len(jobs) == 0 {
		t.Fatalf("Claim gave %d, %v", len(jobs), err)
	}
	ids := delivery.NewIDs(owner.Slot)
	batch := make([]delivery.Settlement, len(jobs))
	for i, j := range jobs {
		d := j.Delivery
		d.Attempts, d.State, d.FinishedAt = 1, delivery.Delivered, time.Now()
		batch[i] = delivery.Settlement{Owner: owner, Entry: delivery.LogEntry{
			ID: delivery.LogID(ids.Next()), At: time.Now(), Delivery: d,
			Attempt: &delivery.Attempt{
				Number: 1, StartedAt: time.Now(), Outcome: egress.Success, HTTPStatus: 200,
				Timing: delivery.Timing{DNS: -1, Connect: -1, TLS: -1, FirstByte: -1, Body: -1},
			},
		}}
	}
	return batch
}

// wantRefused checks that a database that takes no changes says so, and is told from
// one that refuses what it was given.
func wantRefused(t *testing.T, s *testQueue, err error, says string) {
	t.Helper()
	if delivery.CodeOf(err) != delivery.Unavailable || errors.Is(err, delivery.ErrUnstorable) {
		t.Errorf("Settle gave %v, want UNAVAILABLE: the results are not at fault", err)
	}
	err = s.Ping(t.Context())
	if delivery.CodeOf(err) != delivery.Unavailable || !strings.Contains(err.Error(), says) {
		t.Errorf("Ping gave %v, want that it says %q", err, says)
	}
}

func change(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// After a failover the database is a replica for a while. Results and heartbeats wait
// until there is a primary again.
func TestAReplicaTakesNoChanges(t *testing.T) {
	t.Parallel()
	c := enttest.New(t, enttest.Options{})
	s := openQueue(t, c.Database(t))
	owner, err := s.Join(t.Context(), "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	facts(t, s, 3, time.Now(), delivery.Queued)
	batch := results(t, s, owner)
	if err := errors.Join(c.Stop(enttest.Fast), c.StandBy(), c.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	_, err = s.Settle(t.Context(), batch)
	wantRefused(t, s, err, "read-only")
	if err := s.Heartbeat(t.Context(), owner, time.Hour, true); !strings.Contains(fmt.Sprint(err), "read-only") {
		t.Errorf("Heartbeat gave %v, want that the database is read-only", err)
	}
	change(t, s.db.Writer(), "SELECT pg_promote()")
	until(t, "the database takes changes", func() bool { return s.Ping(t.Context()) == nil })
	wantStored(t, s, batch)
	if err := s.Heartbeat(t.Context(), owner, time.Hour, true); err != nil {
		t.Errorf("Heartbeat: %v", err)
	}
}

func wantStored(t *testing.T, s *testQueue, batch []delivery.Settlement) {
	t.Helper()
	held, err := s.Settle(t.Context(), batch)
	if err != nil || len(held) != len(batch) || slices.Contains(held, false) {
		t.Errorf("Settle gave %v, %v, want all stored", held, err)
	}
}

// A failover leaves a server with sessions that stay read-only. When the address leads
// to a primary again, none of them is used.
func TestReadOnlySessionsAreLeftForThePrimary(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	s := openQueue(t, url)
	owner, err := s.Join(t.Context(), "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	facts(t, s, 3, time.Now(), delivery.Queued)
	batch := results(t, s, owner)
	admin, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	admin.SetMaxOpenConns(1) // a session from before the failover
	change(t, admin, `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
	END $$`, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	_, err = s.Settle(t.Context(), batch)
	wantRefused(t, s, err, "read-only")
	change(t, admin, `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database());
	END $$`)
	wantStored(t, s, batch)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping gave %v at the primary", err)
	}
}

// The tablespace of the log is full, and the others are not: heartbeats are stored.
func TestAFullTablespaceIsNotTheFaultOfResults(t *testing.T) {
	t.Parallel()
	s := openQueue(t, enttest.Postgres(t))
	owner, err := s.Join(t.Context(), "first", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	facts(t, s, 3, time.Now(), delivery.Queued)
	batch := results(t, s, owner)
	change(t, s.db.Writer(), raising("53100"))
	_, err = s.Settle(t.Context(), batch)
	beat(t, s, owner)
	wantRefused(t, s, err, "disk")
	change(t, s.db.Writer(), "DROP TRIGGER refuse ON log")
	if held, err := s.Settle(t.Context(), batch); err != nil || !held[2] {
		t.Errorf("Settle gave %v, %v with space on the disk again", held, err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping gave %v with space on the disk again", err)
	}
}

// raising makes each new entry of the log fail with an SQLSTATE.
func raising(state string) string {
	return `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '` + state + `'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION refuse()`
}

// A database that refuses what a result contains says so, and is ready all the same.
func TestAResultAtFaultIsToldFromADatabaseAtFault(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		owner, err := s.Join(t.Context(), "first", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		facts(t, s, 2, time.Now(), delivery.Queued)
		batch := results(t, s, owner)
		refuse := raising("22P02")
		if isSQLite(s) {
			refuse = "CREATE TRIGGER refuse BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'refused'); END"
		}
		err = s.Queue.db.change(t.Context(), func(ctx context.Context, q sqldb.Querier) error {
			_, err := q.ExecContext(ctx, refuse)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Settle(t.Context(), batch); !errors.Is(err, delivery.ErrUnstorable) {
			t.Errorf("Settle gave %v, want that the batch can't be stored", err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("Ping gave %v, although only a result is at fault", err)
		}
	})
}
