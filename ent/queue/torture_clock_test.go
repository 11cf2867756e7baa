package queue

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/sqldb"
	"portalhooks/test/faults"
)

// jump makes the queue believe that its database's clock was set by some time:
// what was written before carries the time of the other clock.
func jump(t *testing.T, s *testQueue, by time.Duration) {
	t.Helper()
	for _, statement := range []string{
		"UPDATE queue SET due_at = due_at - $1 WHERE due_at > 0",
		"UPDATE instance SET until = until - $1, seen_at = seen_at - $1, started_at = started_at - $1",
	} {
		err := s.Queue.db.change(t.Context(), func(ctx context.Context, q sqldb.Querier) error {
			_, err := q.ExecContext(ctx, statement, by.Microseconds())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if low := s.low; low != nil { // its times are the clock's too
		for class := range low.at {
			low.at[class] -= by.Microseconds()
		}
	}
	remember(s, by)
}

// remember makes a queue remember the clock from before a jump.
func remember(s *testQueue, by time.Duration) {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	if s.clock.last.database != 0 {
		s.clock.last.database -= by.Microseconds()
	}
}

// The database's clock is set back by hours and days while deliveries wait, are
// leased and are to be retried. After the next heartbeat, which is two seconds
// later at the most, all is as it was: nothing waits for the clock to catch up,
// and what is leased or paused stays so for as long as it was to.
func TestTortureClockSetBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		for _, by := range []time.Duration{-time.Minute, -time.Hour, -6 * time.Hour, -100 * 24 * time.Hour} {
			owner, err := s.Join(t.Context(), "first", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			other, err := s.Join(t.Context(), "second", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			beat(t, s, owner)
			waiting, leased, paused := threeKinds(t, s, owner)
			jump(t, s, by)
			if got := claimed(t, s, owner); len(got) > 0 {
				t.Errorf("%s: claimed %v: the test proves nothing", by, got)
			}
			beat(t, s, owner)
			follow(t, s, owner)
			remember(s, by)
			beat(t, s, other) // it sees the jump as well, and leaves the work to the first
			follow(t, s, other)
			if got := claimed(t, s, owner); !slices.Equal(got, waiting) {
				t.Errorf("%s: claimed %d after a heartbeat, want the %d that were due", by, len(got), len(waiting))
			}
			for _, id := range slices.Concat(leased, paused) {
				if left := dueIn(t, s, id); left < 50*time.Second || left > 70*time.Second {
					t.Errorf("%s: %s is due in %s, want about a minute", by, id, left)
				}
			}
			faults.Result{
				Fault: "the database's clock is set back by " + (-by).String(), Database: databaseOf(s),
				Rounds: len(waiting) + len(leased) + len(paused), Recovery: 2 * time.Second,
				Note: "what was due is due, leases and pauses keep their length, by the next heartbeat",
			}.Report(t)
			empty(t, s, owner, other)
		}
	})
}

// A long queue moves with the clock in portions, beside the heartbeats. A portion
// may be moved again, as after a commit whose answer got lost, without harm.
func TestTheQueueFollowsTheClockInPortions(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		const by = time.Hour
		owner, err := s.Join(t.Context(), "first", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		beat(t, s, owner)
		all := ids(facts(t, s, 2*movePortion+1, time.Now(), delivery.Queued))
		jump(t, s, -by)
		before := dueIn(t, s, all[0])
		beat(t, s, owner)
		if got := dueIn(t, s, all[0]); got < before-time.Minute {
			t.Errorf("a heartbeat has moved a delivery from %s to %s", before, got)
		}
		for _, last := range []int{movePortion, 2 * movePortion, len(all)} {
			more, err := s.FollowClock(t.Context(), owner)
			if want := last < len(all); more != want || err != nil {
				t.Errorf("FollowClock gave %t, %v, want %t", more, err, want)
			}
			if left := dueIn(t, s, all[last-1]); left > 0 {
				t.Errorf("delivery %d is due in %s, want it moved", last, left)
			}
			if last < len(all) {
				if left := dueIn(t, s, all[last]); left <= 0 {
					t.Errorf("delivery %d is due: one portion has more than %d", last+1, movePortion)
				}
			}
		}
		row := [3]int64{int64(all[0]), time.Now().Add(by).UnixMicro(), time.Now().UnixMicro()}
		setDue(t, s, all[0], row[1])
		for try, want := range []int{1, 0} {
			n, err := s.moveRows(t.Context(), [][3]int64{row}, move{by: by / 2})
			if n != want || err != nil {
				t.Errorf("run %d of a portion moved %d, %v, want %d", try+1, n, err, want)
			}
		}
		if left := dueIn(t, s, all[0]); left < 29*time.Minute || left > 31*time.Minute {
			t.Errorf("a delivery that was moved twice is due in %s, want half an hour", left)
		}
	})
}

// The clock is set ahead while the queue still follows it back: the rest stays.
func TestTheQueueStopsToFollowAClockThatIsSetAhead(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(passed, database time.Duration) reading {
		return reading{start.Add(database).UnixMicro(), start.Add(passed), start.Add(passed)}
	}
	k := clock{}
	k.note(at(0, 0))
	k.note(at(2*time.Second, 2*time.Second-time.Hour))
	m, ok := k.nextMove()
	if !ok || m.by != time.Hour {
		t.Fatalf("the move is %+v, %t, want one by an hour", m, ok)
	}
	m.after = 7
	if !k.advance(m, false) {
		t.Error("a move that is not done has nothing more")
	}
	k.note(at(4*time.Second, 4*time.Second))
	if k.advance(m, false) {
		t.Error("the queue follows a clock that is right again")
	}
}

func follow(t *testing.T, s *testQueue, owner delivery.Owner) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.FollowClock(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
	}
}

func setDue(t *testing.T, s *testQueue, id delivery.DeliveryID, due int64) {
	t.Helper()
	err := s.Queue.db.change(t.Context(), func(ctx context.Context, q sqldb.Querier) error {
		_, err := q.ExecContext(ctx, "UPDATE queue SET due_at = $1 WHERE id = $2", due, int64(id))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The database's clock jumps ahead and so ends the leases of all deliveries. Two
// servers live: neither takes what the other holds, before or after they have read
// the clock.
func TestTortureClockSetAheadSeveralServers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		first, err := s.Join(t.Context(), "first", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Join(t.Context(), "second", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		beat(t, s, first)
		waiting, leased, _ := threeKinds(t, s, first)
		claimed(t, s, second) // what waits
		jump(t, s, 6*time.Hour)
		for _, step := range []func(){
			func() {}, func() { beat(t, s, second) }, func() { remember(s, 6*time.Hour); beat(t, s, first) },
		} {
			step()
			for _, id := range claimed(t, s, second) {
				if slices.Contains(leased, id) || slices.Contains(waiting, id) {
					t.Errorf("%s, which a living server holds, was claimed", id)
				}
			}
		}
		faults.Result{
			Fault: "the database's clock is set ahead by 6h0m0s, two servers", Database: databaseOf(s),
			Rounds: len(leased), Note: "each keeps what it holds",
		}.Report(t)
	})
}

// The database's clock jumps ahead. Every lease has ended by it, but a living
// server keeps its slot, and no other server's result for its deliveries counts.
func TestTortureClockSetAhead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *testQueue) {
		for _, by := range []time.Duration{time.Hour, 6 * time.Hour, 100 * 24 * time.Hour} {
			owner, err := s.Join(t.Context(), "first", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			beat(t, s, owner)
			waiting, leased, paused := threeKinds(t, s, owner)
			jump(t, s, by)
			self := delivery.Owner{Slot: owner.Slot + 1, Epoch: 1}
			for range 2 { // before and after it has read the clock itself
				if n, err := s.Reap(t.Context(), self, true); n > 0 || err != nil {
					t.Errorf("%s: Reap released %d, %v: no server is dead", by, n, err)
				}
				s.clock.note(reading{time.Now().UnixMicro(), time.Now(), time.Now()})
			}
			beat(t, s, owner)
			if members, err := s.Members(t.Context()); err != nil || len(members) != 1 {
				t.Errorf("%s: %d members, %v, want the one that lives", by, len(members), err)
			}
			want := slices.Sorted(slices.Values(slices.Concat(waiting, paused)))
			got := claimed(t, s, owner)
			if !slices.Equal(got, want) {
				t.Errorf("%s: claimed %d, want the %d that wait: their times are over", by, len(got), len(want))
			}
			if left := dueIn(t, s, leased[0]); left > 0 {
				t.Errorf("%s: a lease ends in %s: the test proves nothing", by, left)
			}
			faults.Result{
				Fault: "the database's clock is set ahead by " + by.String(), Database: databaseOf(s), Rounds: 30,
				Note: fmt.Sprintf("the living keep their slots and what they hold; %d due at once", len(got)),
			}.Report(t)
			empty(t, s, owner)
			s.clock.ahead = time.Time{} // a lease's length later it may reap again
		}
	})
}

func databaseOf(s *testQueue) string {
	if isSQLite(s) {
		return "SQLite"
	}
	return "PostgreSQL"
}

func beat(t *testing.T, s *testQueue, owner delivery.Owner) {
	t.Helper()
	if err := s.Heartbeat(t.Context(), owner, time.Hour, true); err != nil {
		t.Fatal(err)
	}
}

// threeKinds stores deliveries that are due, leased for a minute, and paused for
// a minute.
func threeKinds(
	t *testing.T, s *testQueue, owner delivery.Owner,
) (waiting, leased, paused []delivery.DeliveryID) {
	t.Helper()
	now := time.Now()
	all := ids(facts(t, s, 30, now, delivery.Queued))
	some := delivery.ClaimRequest{Owner: owner, N: 20, PerWebhook: 20, Lease: time.Minute}
	jobs, err := s.Claim(t.Context(), some)
	if err != nil || len(jobs) != 20 {
		t.Fatal(len(jobs), err)
	}
	for i, j := range jobs {
		if i < 10 {
			leased = append(leased, j.Delivery.ID)
		} else {
			paused = append(paused, j.Delivery.ID)
		}
	}
	if n, err := s.Release(t.Context(), owner, paused, time.Minute); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	for _, id := range all {
		if !slices.Contains(leased, id) && !slices.Contains(paused, id) {
			waiting = append(waiting, id)
		}
	}
	return waiting, leased, paused
}

func ids(events []delivery.NewEvent) (all []delivery.DeliveryID) {
	for _, e := range events {
		for _, d := range e.Deliveries {
			all = append(all, d.ID)
		}
	}
	return all
}

func claimed(t *testing.T, s *testQueue, owner delivery.Owner) []delivery.DeliveryID {
	t.Helper()
	every := delivery.ClaimRequest{Owner: owner, N: 500, PerWebhook: 500, Lease: time.Minute}
	jobs, err := s.Claim(t.Context(), every)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]delivery.DeliveryID, len(jobs))
	for i, j := range jobs {
		all[i] = j.Delivery.ID
	}
	return all
}

// dueIn returns how long the database makes a delivery wait.
func dueIn(t *testing.T, s *testQueue, id delivery.DeliveryID) time.Duration {
	t.Helper()
	left, err := s.numbers(t.Context(), "SELECT due_at - @now FROM queue WHERE id = $1", int64(id))
	if err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	return time.Duration(left[0]) * time.Microsecond
}

// empty leaves no delivery and no server behind.
func empty(t *testing.T, s *testQueue, owners ...delivery.Owner) {
	t.Helper()
	for _, o := range owners {
		if err := s.Leave(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	tables := []string{"queue", "event", "log"}
	if !isSQLite(s) {
		tables = append(tables, "event_key")
	}
	for _, table := range tables {
		err := s.Queue.db.change(t.Context(), func(ctx context.Context, q sqldb.Querier) error {
			_, err := q.ExecContext(ctx, "DELETE FROM "+table)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A database that is slow to answer has not been set: nothing is moved, and dead
// servers are reaped.
func TestASlowDatabaseHasTheRightTime(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(began, ended, database time.Duration) reading {
		return reading{start.Add(database).UnixMicro(), start.Add(began), start.Add(ended)}
	}
	for name, c := range map[string]struct {
		last, now reading
		behind    bool
		leapt     bool
	}{
		"as ever":               {at(0, 0, 0), at(2*time.Second, 2*time.Second, 2*time.Second), false, false},
		"slow the first time":   {at(0, 20*time.Second, 19*time.Second), at(21*time.Second, 21*time.Second, 21*time.Second), false, false},
		"slow the second time":  {at(0, 0, 0), at(time.Second, 20*time.Second, 19*time.Second), false, false},
		"slow to come back":     {at(0, 0, 0), at(time.Second, 20*time.Second, time.Second), false, false},
		"set back by a minute":  {at(0, 0, 0), at(2*time.Second, 3*time.Second, -58*time.Second), true, false},
		"set ahead by a minute": {at(0, 0, 0), at(2*time.Second, 3*time.Second, 62*time.Second), false, true},
	} {
		k := clock{}
		k.note(c.last)
		if got := k.jumpedAhead(c.now); got != c.leapt {
			t.Errorf("%s: set ahead: %t, want %t", name, got, c.leapt)
		}
		if got := k.note(c.now) > 0; got != c.behind {
			t.Errorf("%s: set back: %t, want %t", name, got, c.behind)
		}
	}
}
