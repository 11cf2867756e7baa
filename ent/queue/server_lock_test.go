package queue

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/enttest"
	"portalhooks/ent/sqldb"
)

// longLease outlasts any test.
const longLease = time.Hour

// until waits for what must come true, however long the machine takes.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("this never came true: %s", what)
		}
	}
}

// joined opens a queue in the database and returns it with its owner, once the
// other servers can see that it lives.
func joined(t *testing.T, o sqldb.Options) (*testQueue, delivery.Owner) {
	t.Helper()
	s := open(t, o)
	t.Cleanup(func() { closeQueue(t, s) })
	owner, err := s.Join(t.Context(), "test", longLease)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the lock is announced", func() bool { return isLocked(t, s, owner) })
	return s, owner
}

func isLocked(t *testing.T, s *testQueue, o delivery.Owner) bool {
	t.Helper()
	n, err := s.numbers(t.Context(), "SELECT locked FROM instance WHERE slot = $1", o.Slot)
	if err != nil {
		t.Fatal(err)
	}
	return n[0] == o.Epoch
}

// lease stores n deliveries that are leased to owner.
func lease(t *testing.T, s *testQueue, owner delivery.Owner, n int) {
	t.Helper()
	facts(t, s, n, time.Now(), delivery.Queued)
	_, err := s.db.Writer().ExecContext(t.Context(),
		"UPDATE queue SET owner_slot = $1, owner_epoch = $2, due_at = $3",
		owner.Slot, owner.Epoch, sqldb.Micros(time.Now().Add(longLease)))
	if err != nil {
		t.Fatal(err)
	}
}

// ours are the advisory locks of one database.
const ours = "locktype = 'advisory' AND " +
	"database = (SELECT oid FROM pg_database WHERE datname = current_database())"

// holders returns the backends that hold the lock of an owner.
func holders(t *testing.T, s *testQueue, o delivery.Owner) []int64 {
	t.Helper()
	query := "SELECT pid::bigint FROM pg_locks WHERE granted AND objid = $1 AND " + ours
	pids, err := s.numbers(t.Context(), query, o.Slot<<20|int(o.Epoch))
	if err != nil {
		t.Fatal(err)
	}
	return pids
}

// The connections of a server end when it dies. Its lease lasts for another
// hour, and its deliveries are released all the same.
func TestADeadServerIsReapedBeforeItsLeaseEnds(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	s, _ := joined(t, sqldb.Options{URL: url})
	dead, owner := joined(t, sqldb.Options{URL: url})
	lease(t, s, owner, 3)
	if n, err := s.Reap(t.Context(), observer, true); n != 0 || err != nil {
		t.Fatalf("Reap gave %d, %v while all live, want nothing", n, err)
	}
	postgres(dead).listener.Close() // as death would
	released := 0
	until(t, "the dead server's deliveries are released", func() bool {
		n, err := s.Reap(t.Context(), observer, true)
		if err != nil {
			t.Fatal(err)
		}
		released += n
		return released > 0
	})
	if released != 3 {
		t.Errorf("%d deliveries were released, want 3", released)
	}
	members, err := s.Members(t.Context())
	if err != nil || len(members) != 1 {
		t.Errorf("the members are %v, %v, want the living one", members, err)
	}
	if err := dead.Heartbeat(t.Context(), owner, longLease, true); delivery.CodeOf(err) != delivery.NotFound {
		t.Errorf("the dead server's heartbeat gave %v, want NOT_FOUND: it must find out", err)
	}
}

// A server that has only lost its connection takes its lock again before another
// may take it for dead.
func TestALostListenConnectionIsNoDeath(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	s, _ := joined(t, sqldb.Options{URL: url})
	other, owner := joined(t, sqldb.Options{URL: url})
	lease(t, s, owner, 3)
	until(t, "the first may reap", postgres(s).listener.Steady)
	for range 3 {
		before := holders(t, s, owner)
		if len(before) != 1 {
			t.Fatalf("the lock is held by %v, want one connection", before)
		}
		_, err := s.db.Writer().ExecContext(t.Context(), "SELECT pg_terminate_backend($1)", before[0])
		if err != nil {
			t.Fatal(err)
		}
		until(t, "the lock is held again", func() bool {
			if n, err := s.Reap(t.Context(), observer, true); n != 0 || err != nil {
				t.Fatalf("Reap gave %d, %v, want none to be reaped", n, err)
			}
			now := holders(t, s, owner)
			return len(now) == 1 && now[0] != before[0]
		})
	}
	if err := other.Heartbeat(t.Context(), owner, longLease, true); err != nil {
		t.Errorf("Heartbeat: %v", err)
	}
}

// A server that can't take its lock retracts it, and is protected by its lease.
func TestWithoutALockTheLeaseCounts(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	s, _ := joined(t, sqldb.Options{URL: url})
	other, owner := joined(t, sqldb.Options{URL: url})
	lease(t, s, owner, 3)
	until(t, "the first may reap", postgres(s).listener.Steady)

	// Another client has the lock when the connection is made again.
	thief, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	taken := make(chan error, 1)
	held, err := thief.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := held.ExecContext(t.Context(),
			"SELECT pg_advisory_lock("+sqldb.LockOf(owner.Slot, owner.Epoch)+")")
		taken <- err
	}()
	until(t, "the thief waits", func() bool {
		n, err := s.numbers(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND "+ours)
		return err == nil && n[0] == 1
	})
	_, err = s.db.Writer().ExecContext(t.Context(), "SELECT pg_terminate_backend($1)", holders(t, s, owner)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	until(t, "the lock is retracted", func() bool { return !isLocked(t, s, owner) })
	if err := thief.Close(); err != nil {
		t.Fatal(err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the lock is taken again", func() bool {
		if n, err := s.Reap(t.Context(), observer, true); n != 0 || err != nil {
			t.Fatalf("Reap gave %d, %v, want none to be reaped", n, err)
		}
		return isLocked(t, s, owner) && len(holders(t, s, owner)) == 1
	})
	if err := other.Heartbeat(t.Context(), owner, longLease, true); err != nil {
		t.Errorf("Heartbeat: %v", err)
	}
}

// After a restart of the database every listen connection is gone. The servers
// that are back first don't take the others for dead.
func TestNoServerIsReapedAfterARestartOfTheDatabase(t *testing.T) {
	t.Parallel()
	cluster := enttest.New(t, enttest.Options{Durable: true})
	url := cluster.Database(t)
	s, _ := joined(t, sqldb.Options{URL: url})
	other, owner := joined(t, sqldb.Options{URL: url})
	lease(t, s, owner, 3)
	until(t, "the first may reap", postgres(s).listener.Steady)
	if err := cluster.Stop(enttest.Immediate); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the first may reap again", func() bool {
		_, err := s.Reap(t.Context(), observer, true)
		return err == nil && postgres(s).listener.Steady()
	})
	for range 3 {
		if n, err := s.Reap(t.Context(), observer, true); n != 0 || err != nil {
			t.Fatalf("Reap gave %d, %v, want none to be reaped", n, err)
		}
	}
	if err := other.Heartbeat(t.Context(), owner, longLease, true); err != nil {
		t.Errorf("Heartbeat: %v", err)
	}
}

// Leaving releases the lock, and the next server in the slot has its own.
func TestLeavingGivesTheLockUp(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	s, first := joined(t, sqldb.Options{URL: url})
	if err := s.Leave(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	until(t, "the lock is free", func() bool { return len(holders(t, s, first)) == 0 })
	again, second := joined(t, sqldb.Options{URL: url})
	if second.Slot != first.Slot || second.Epoch == first.Epoch {
		t.Fatalf("the slot was taken as %+v after %+v", second, first)
	}
	if got := holders(t, again, second); len(got) != 1 {
		t.Errorf("the new lock is held by %v, want one connection", got)
	}
}

// Through a pooler, with a direct way beside it, everything works as without.
func TestADirectWayBesideThePooler(t *testing.T) {
	t.Parallel()
	database := enttest.Postgres(t)
	o := sqldb.Options{URL: enttest.NewPooler(t, database, nil).Through(t, database), Direct: database}
	s, _ := joined(t, o)
	dead, owner := joined(t, o)
	if !s.db.(*sqldb.Postgres).Pooled {
		t.Fatal("the pooler was not found")
	}
	until(t, "a notification is received", func() bool {
		dead.Notify()
		select {
		case <-s.Wake():
			return true
		default:
			return false
		}
	})
	lease(t, s, owner, 2)
	postgres(dead).listener.Close()
	until(t, "the dead server's deliveries are released", func() bool {
		n, err := s.Reap(t.Context(), observer, true)
		if err != nil {
			t.Fatal(err)
		}
		return n == 2
	})
}
