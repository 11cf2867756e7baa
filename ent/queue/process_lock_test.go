package queue

import (
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
)

// A server that dies releases its lock, as a queue does that is closed. So the
// next server has the dead one's slot and deliveries at once, but none of a
// living one.
func TestTheNextServerOfAFileTakesOverFromTheDeadAtOnce(t *testing.T) {
	t.Parallel()
	url := databases["SQLite"](t)
	join := func(s *testQueue, slot int) delivery.Owner {
		t.Helper()
		owner, err := s.Join(t.Context(), "server", time.Hour)
		if err != nil || owner.Slot != slot {
			t.Fatalf("Join gave %+v, %v, want slot %d", owner, err, slot)
		}
		return owner
	}
	first := open(t, sqldb.Options{URL: url})
	join(first, 0)
	second := open(t, sqldb.Options{URL: url})
	dying := join(second, 1)
	facts(t, second, 3, time.Now(), delivery.Queued)
	jobs, err := second.Claim(t.Context(), delivery.ClaimRequest{
		Owner: dying, N: 3, PerWebhook: 3, Lease: time.Hour,
	})
	if err != nil || len(jobs) != 3 {
		t.Fatal(jobs, err)
	}
	closeQueue(t, second)
	beside := open(t, sqldb.Options{URL: url})
	join(beside, 2) // the first lives, so the lock does not tell which is dead
	closeQueue(t, beside)
	closeQueue(t, first)

	last := open(t, sqldb.Options{URL: url})
	defer closeQueue(t, last)
	alone := join(last, 0)
	join(last, 1) // it doesn't take itself for dead
	if members, err := last.Members(t.Context()); err != nil || len(members) != 2 {
		t.Errorf("Members gave %v, %v, want only the last server's", members, err)
	}
	if released, err := last.Reap(t.Context(), alone, true); err != nil || released != 3 {
		t.Errorf("Reap released %d, %v, want the 3 of the dead server", released, err)
	}
}
