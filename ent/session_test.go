package ent

import (
	"context"
	"testing"
	"time"

	"portalhooks/delivery"
)

// The pool closes the writer's connection when a caller gave up in the middle
// of a statement. What was prepared on it ends with it, and the writer goes on
// with the next.
func TestTheWriterGoesOnAfterACallerGaveUp(t *testing.T) {
	t.Parallel()
	s := openStore(t, databases["SQLite"](t))
	day := time.Now()
	for range 3 {
		facts(t, s, 2, day, delivery.Queued)
		ctx, giveUp := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := s.db.Writer().ExecContext(ctx,
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
		giveUp()
		if err == nil {
			t.Fatal("a statement without end has ended")
		}
		day = day.Add(time.Hour)
	}
}
