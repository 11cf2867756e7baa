package queue

import (
	"strings"
	"testing"
)

// A large backlog of several ordered webhooks is held, and PostgreSQL has counted
// it. A claim from one of them finds its first held row along the index of the
// webhook, not along the key of the table over the rows of the others, and once: not
// again for each row that it takes.
func TestAnOrderedClaimReadsItsWebhookAlone(t *testing.T) {
	t.Parallel()
	s := openQueue(t, databases["PostgreSQL"](t))
	for _, statement := range []string{
		`INSERT INTO queue (id, org, webhook, version, event, item, due_at, type, trigger, held, ordered)
			SELECT n, 7, CASE WHEN n <= 50000 THEN 3 ELSE 4 END, 5, n, 6, 0, 1, 1, TRUE, TRUE
			FROM generate_series(1, 60000) n`,
		"ANALYZE queue",
	} {
		if _, err := s.db.Writer().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	plan := strings.Join(explainPlan(t, s, flatQuery{
		query: postgresClaimOrdered, args: []any{0, 1, 1, "{4}", "{250}"},
	}), "\n")
	if !strings.Contains(plan, "using queue_held on queue f") {
		t.Errorf("the held rows are not found by the index of the webhook:\n%s", plan)
	}
	if strings.Contains(plan, "using queue_pkey on queue f") {
		t.Errorf("rows of other webhooks are read:\n%s", plan)
	}
	if strings.Count(plan, "CTE line") != 1 {
		t.Errorf("the first held row is not found once for each webhook:\n%s", plan)
	}
}
