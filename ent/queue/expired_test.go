package queue

import (
	"context"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
)

// A claim requeues rows whose lease has ended, but does not wait for a server
// that has one of them locked, such as a frozen one.
func TestAClaimPassesLockedRowsWhoseLeaseHasEnded(t *testing.T) {
	t.Parallel()
	s := openQueue(t, enttest.Postgres(t))
	owner, err := s.Join(t.Context(), "claims", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	facts(t, s, 2, time.Now(), delivery.Queued)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a claim that waits ends with it
	defer cancel()
	claim := func(lease time.Duration) int {
		t.Helper()
		jobs, err := s.Claim(ctx, delivery.ClaimRequest{Owner: owner, N: 8, PerWebhook: 8, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		return len(jobs)
	}
	if n := claim(0); n != 2 { // for a lease that has ended at once
		t.Fatalf("claimed %d, want both", n)
	}
	frozen, err := s.db.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := frozen.ExecContext(t.Context(),
		"UPDATE queue SET attempts = 1 WHERE id = (SELECT min(id) FROM queue)"); err != nil {
		t.Fatal(err)
	}
	if n := claim(time.Hour); n != 1 {
		t.Errorf("claimed %d while one row is locked, want the other one", n)
	}
	if err := frozen.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := claim(time.Hour); n != 1 {
		t.Errorf("claimed %d afterwards, want the one that was locked", n)
	}
}
