package queue

import (
	"database/sql"
	"regexp"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

// A prepared statement is planned before its arguments are known, whatever they
// will be: it must find the rows of the queue by their keys, and must not join
// a batch to itself row by row.
func TestPlansForAnyArgumentsUseTheIndexes(t *testing.T) {
	t.Parallel()
	s := openQueue(t, enttest.Postgres(t))
	facts(t, s, 3000, time.Now(), delivery.Queued)
	for name, query := range map[string]string{
		"ingest": postgresIngest, "settle": postgresSettle, "claim": postgresClaim, "oldest": dueRows,
		"round": nextWebhooks, "events": postgresEvents,
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
func genericPlan(t *testing.T, s *testQueue, query string) string {
	t.Helper()
	c, err := s.db.Writer().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.ExecContext(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
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
	plan, err := sqldb.Collect(rows, err, func(rows *sql.Rows) (line string, err error) {
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
