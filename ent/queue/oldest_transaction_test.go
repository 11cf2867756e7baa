package queue

import (
	"database/sql"
	"testing"
	"time"
)

// A transaction of another client is seen for as long as it is open.
func TestTheOldestTransactionIsSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		age, err := s.OldestTransaction(t.Context())
		if err != nil || age < 0 {
			t.Fatalf("OldestTransaction gave %s, %v", age, err)
		}
		if isSQLite(s) {
			return
		}
		tx, err := s.db.Writer().BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		until(t, "the transaction has its age", func() bool {
			age, err = s.OldestTransaction(t.Context())
			return err == nil && age >= time.Since(began) && time.Since(began) > 50*time.Millisecond
		})
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		until(t, "the transaction is over", func() bool {
			age, err = s.OldestTransaction(t.Context())
			return err == nil && age < 50*time.Millisecond
		})
	})
}
