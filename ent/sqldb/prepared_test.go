package sqldb

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/lib/pq"

	"portalhooks/ent/enttest"
)

func openPostgresTest(t *testing.T) *Postgres {
	t.Helper()
	return openDatabase(t, enttest.Postgres(t)).(*Postgres)
}

// A plan that was made for an empty table is not used for long: the tables grow
// without telling.
func TestStatementsArePreparedAgain(t *testing.T) {
	t.Parallel()
	db := openPostgresTest(t)
	run := func() *sql.Stmt {
		t.Helper()
		rows, err := db.Query(t.Context(), "SELECT $1::bigint", 7)
		got, err := Collect(rows, err, ScanInt64)
		if err != nil || len(got) != 1 || got[0] != 7 {
			t.Fatalf("the statement gave %v, %v, want 7", got, err)
		}
		return db.prepared.made["SELECT $1::bigint"].stmt
	}
	first := run()
	if run() != first {
		t.Error("a statement was prepared twice within a moment")
	}
	db.prepared.made["SELECT $1::bigint"].at = time.Now().Add(-planLife)
	if run() == first {
		t.Error("a statement is used after its time")
	}
}

// What PostgreSQL has dropped runs unprepared, and is prepared again later.
func TestADroppedStatementIsRun(t *testing.T) {
	t.Parallel()
	db := openPostgresTest(t)
	db.prepared.db.SetMaxOpenConns(1)
	for range 2 {
		rows, err := db.Query(t.Context(), "SELECT $1::bigint", 7)
		if got, err := Collect(rows, err, ScanInt64); err != nil || got[0] != 7 {
			t.Fatalf("the statement gave %v, %v, want 7", got, err)
		}
		if _, err := db.prepared.db.ExecContext(t.Context(), "DEALLOCATE ALL"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArraysAreTheSameInBothForms(t *testing.T) {
	t.Parallel()
	db := openPostgresTest(t)
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
		err := db.Writer().QueryRowContext(t.Context(), query, Array(slice), pq.Array(slice)).Scan(&same)
		if err != nil || !same {
			t.Errorf("%s: the same is %t, %v", kind, same, err)
		}
	}
	if _, err := (array{7}).BinaryValue(); err == nil {
		t.Error("a number is taken for an array")
	}
}
