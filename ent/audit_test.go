package ent

import (
	"testing"
	"time"

	"portalhooks/delivery"
)

// Not even a mistake in this program, or in a statement by hand, rewrites what
// was recorded.
func TestDatabaseRefusesToRewriteTheAuditLog(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		err := s.Record(t.Context(), delivery.AuditEntry{ID: 1, At: time.Now(), Action: delivery.SignedIn})
		if err != nil {
			t.Fatal(err)
		}
		statements := []string{"UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"}
		if !isSQLite(s) {
			statements = append(statements, "TRUNCATE audit")
		}
		for _, statement := range statements {
			if _, err := s.db.Writer().ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s: worked, want an error", statement)
			}
		}
		log, err := s.AuditLog(t.Context(), 0, delivery.AuditFilter{}, delivery.Page{First: 5})
		if err != nil || len(log.Items) != 1 || log.Items[0].Actor.Name != "" {
			t.Errorf("the audit log is %+v, %v, want the one entry as it was", log.Items, err)
		}
	})
}
