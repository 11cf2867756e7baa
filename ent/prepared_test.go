package ent

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
)

// A prepared statement is planned before its arguments are known, whatever they
// will be: it must find the rows of the queue by their keys, and must not join
// a batch to itself row by row.
func TestPlansForAnyArgumentsUseTheIndexes(t *testing.T) {
	t.Parallel()
	s := openStore(t, enttest.Postgres(t))
	facts(t, s, 3000, time.Now(), delivery.Queued)
	for name, query := range map[string]string{
		"ingest": postgresIngest, "settle": postgresSettle, "claim": postgresClaim, "oldest": oldestDue,
		"round": roundTrip, "events": postgresEvents,
	} {
		plan := genericPlan(t, s, query)
		if strings.Contains(plan, "Seq Scan on queue") {
			t.Errorf("%s reads the whole queue:\n%s", name, plan)
		}
		if name == "ingest" && strings.Count(plan, "Hash Cond") < 2 {
			t.Errorf("%s compares each row of a batch with each:\n%s", name, plan)
		}
	}
}

// genericPlan explains a statement as it is run once prepared.
func genericPlan(t *testing.T, s *Store, query string) string {
	t.Helper()
	c, err := postgres(s).prepared.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	query = s.Queue.db.sql(query)
	names := map[string]bool{}
	for _, name := range regexp.MustCompile(`\$\d+`).FindAllString(query, -1) {
		names[name] = true
	}
	nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(names)), ", ")
	if _, err := c.ExecContext(t.Context(), "PREPARE explained AS "+query); err != nil {
		t.Fatal(err)
	}
	rows, err := c.QueryContext(t.Context(), "EXPLAIN EXECUTE explained("+nulls+")")
	plan, err := Collect(rows, err, func(rows *sql.Rows) (line string, err error) {
		err = rows.Scan(&line)
		return line, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), "DEALLOCATE explained"); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// A plan that was made for an empty table is not used for long: the tables grow
// without telling.
func TestStatementsArePreparedAnew(t *testing.T) {
	t.Parallel()
	s := openStore(t, enttest.Postgres(t))
	run := func() *sql.Stmt {
		t.Helper()
		rows, err := s.Queue.db.query(t.Context(), "SELECT $1::bigint", 7)
		got, err := Collect(rows, err, ScanInt64)
		if err != nil || len(got) != 1 || got[0] != 7 {
			t.Fatalf("the statement gave %v, %v, want 7", got, err)
		}
		return postgres(s).prepared.made["SELECT $1::bigint"].stmt
	}
	first := run()
	if run() != first {
		t.Error("a statement was prepared twice within a moment")
	}
	postgres(s).prepared.made["SELECT $1::bigint"].at = time.Now().Add(-planLife)
	if run() == first {
		t.Error("a statement is used after its time")
	}
}

// What the server has dropped is run as it is, and then prepared again.
func TestAForgottenStatementIsRun(t *testing.T) {
	t.Parallel()
	s := openStore(t, enttest.Postgres(t))
	postgres(s).prepared.db.SetMaxOpenConns(1)
	for range 2 {
		rows, err := s.Queue.db.query(t.Context(), "SELECT $1::bigint", 7)
		if got, err := Collect(rows, err, ScanInt64); err != nil || got[0] != 7 {
			t.Fatalf("the statement gave %v, %v, want 7", got, err)
		}
		if _, err := postgres(s).prepared.db.ExecContext(t.Context(), "DEALLOCATE ALL"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArraysAreTheSameInBothForms(t *testing.T) {
	t.Parallel()
	s := openStore(t, enttest.Postgres(t))
	texts := []string{"", "NULL", `a "quoted" \ text, {with} all`, "ü\n"}
	numbers := []int64{0, -1, 1 << 62}
	truths := []bool{true, false}
	bytes := [][]byte{{}, {0, 255}}
	none := []int64{}
	for kind, slice := range map[string]any{
		"text[]": &texts, "bigint[]": &numbers, "boolean[]": &truths, "bytea[]": &bytes, "bigint[] ": &none,
	} {
		var same bool
		query := fmt.Sprintf("SELECT $1::%s IS NOT DISTINCT FROM $2::%[1]s", kind)
		err := s.db.Writer().QueryRowContext(t.Context(), query, Array{slice}, pq.Array(slice)).Scan(&same)
		if err != nil || !same {
			t.Errorf("%s: the same is %t, %v", kind, same, err)
		}
	}
	if _, err := (Array{7}).BinaryValue(); err == nil {
		t.Error("a number is taken for an array")
	}
}
