package enttest

import (
	"database/sql"
	"testing"
)

func TestCommittedRowsOutliveACrash(t *testing.T) {
	c := New(t, Options{Durable: true})
	db := connect(t, c.Database(t))
	run(t, db, "CREATE TABLE kept (n int)")
	run(t, db, "INSERT INTO kept VALUES (1), (2)")

	if err := c.Stop(Immediate); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("a stopped server answers")
	}
	if c.Pid() != 0 {
		t.Errorf("a stopped server has the process id %d", c.Pid())
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := count(t, db, "SELECT count(*) FROM kept"); got != 2 {
		t.Errorf("%d rows after the crash, want 2", got)
	}
}

func TestAReplicaTakesNoChangesUntilItIsPromoted(t *testing.T) {
	c := New(t, Options{})
	db := connect(t, c.Database(t))
	if err := c.Stop(Fast); err != nil {
		t.Fatal(err)
	}
	if err := c.StandBy(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE kept (n int)"); err == nil {
		t.Error("a replica takes changes")
	}
	run(t, db, "SELECT pg_promote()")
	run(t, db, "CREATE TABLE kept (n int)")
}

func TestStartAndStopMayBeRepeated(t *testing.T) {
	c := New(t, Options{Settings: map[string]string{"application_name": "repeated"}})
	db := connect(t, c.Database(t))

	if err := c.Start(t.Context()); err != nil {
		t.Fatalf("start a running server: %v", err)
	}
	for range 2 {
		if err := c.Stop(Fast); err != nil {
			t.Fatalf("stop: %v", err)
		}
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatalf("start a stopped server: %v", err)
	}
	if got := setting(t, db, "application_name"); got != "repeated" {
		t.Errorf("application_name = %q: a setting of the options is lost", got)
	}
}

func TestServerThatDiedIsStartedAgain(t *testing.T) {
	c := New(t, Options{})
	db := connect(t, c.Database(t))
	if err := c.server.end(9, stopTimeout); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("after the start: %v", err)
	}
}

func TestFsyncIsOnlyOnWhenDurable(t *testing.T) {
	t.Setenv("TEST_POSTGRES_URL", "")
	for want, url := range map[string]string{"off": Postgres(t), "on": PostgresDurable(t)} {
		if got := setting(t, connect(t, url), "fsync"); got != want {
			t.Errorf("fsync = %s, want %s", got, want)
		}
	}
}

func setting(t *testing.T, db *sql.DB, name string) string {
	t.Helper()
	var value string
	if err := db.QueryRowContext(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func connect(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func run(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, db *sql.DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
