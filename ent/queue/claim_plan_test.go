package queue

import (
	"database/sql"
	"strings"
	"testing"

	"portalhooks/ent/sqldb"
)

// A claim reads what it takes: SQLite finds candidates in indexes alone and
// never looks through the queue.
func TestSQLiteClaimsByIndex(t *testing.T) {
	t.Parallel()
	s := openQueue(t, databases["SQLite"](t))
	for name, c := range map[string]struct {
		query string
		args  []any
		want  string
	}{
		"claim":   {sqliteClaim, []any{0, 1, 8}, "USING COVERING INDEX queue_webhook"},
		"ordered": {sqliteClaimOrdered, []any{0, 1, 8}, "USING INDEX queue_ordered"},
		"alerts":  {dueRows, []any{800, 800, 0, 0, 0}, "USING COVERING INDEX queue_alert"},
		"others":  {dueRows, []any{800, 800, 0, 0, 0}, "USING COVERING INDEX queue_other"},
		"round":   {nextWebhooks, []any{0, 200}, "USING COVERING INDEX queue_webhook"},
		"order":   {nextWebhooks, []any{0, 200}, "USING INDEX queue_ordered"},
	} {
		rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+s.Queue.db.sql(c.query), c.args...)
		steps, err := sqldb.Collect(rows, err, func(rows *sql.Rows) (step string, err error) {
			var id, parent, unused int
			err = rows.Scan(&id, &parent, &unused, &step)
			return step, err
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plan := strings.Join(steps, "\n")
		if !strings.Contains(plan, c.want) || strings.Contains(plan, "SCAN queue") {
			t.Errorf("%s: want %q and no scan of the queue in\n%s", name, c.want, plan)
		}
	}
}
