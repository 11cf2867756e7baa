package storetest

import (
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

var memberTests = map[string]func(*scene){
	"servers take the lowest free slots":          testJoin,
	"concurrent servers take different slots":     testJoinConcurrent,
	"a heartbeat prolongs the lease":              testHeartbeat,
	"a lost lease is told":                        testLeaseLost,
	"what the dead held is released":              testReap,
	"what an earlier run held is released":        testReapEarlierRun,
	"the living keep what they hold":              testReapLiving,
	"a lease counts while a server is in trouble": testTrouble,
	"who may come back keeps what it holds":       testMayCome,
	"who left is no member":                       testLeave,
	"the database answers and hints do no harm":   testPing,
}

func testJoin(s *scene) {
	second, third := s.join("second"), s.join("third")
	if got := []int{s.owner.Slot, second.Slot, third.Slot}; !slices.Equal(got, []int{0, 1, 2}) {
		s.t.Fatalf("slots are %v, want 0, 1, 2", got)
	}
	if err := s.store.Leave(s.t.Context(), second); err != nil {
		s.t.Fatalf("Leave: %v", err)
	}
	again := s.join("again")
	if again.Slot != 1 || again.Epoch <= second.Epoch {
		s.t.Errorf("Join gave %+v, want slot 1 in an epoch after %d", again, second.Epoch)
	}
}

func testJoinConcurrent(s *scene) {
	const n = 20
	slots := make([]int, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			owner, err := s.store.Join(s.t.Context(), "racer", longLease)
			if err != nil {
				s.t.Errorf("Join: %v", err)
			}
			slots[i] = owner.Slot
		})
	}
	wait.Wait()
	slices.Sort(slots)
	for i, slot := range slots {
		if slot != i+1 { // the scene has slot 0
			s.t.Fatalf("slots are %v, want 1 to %d", slots, n)
		}
	}
}

func testHeartbeat(s *scene) {
	if err := s.store.Heartbeat(s.t.Context(), s.owner, longLease, true); err != nil {
		s.t.Errorf("Heartbeat: %v", err)
	}
	members, err := s.store.Members(s.t.Context())
	if err != nil || len(members) != 1 {
		s.t.Fatalf("Members gave %v, %v, want one", members, err)
	}
	m := members[0]
	if m.Owner != s.owner || m.Name != "first" || m.SeenAt.Before(m.StartedAt) ||
		time.Since(m.StartedAt) > longLease {
		s.t.Errorf("the member is %+v", m)
	}
}

func testLeaseLost(s *scene) {
	ctx := s.t.Context()
	for name, owner := range map[string]delivery.Owner{
		"older epoch":  {Slot: s.owner.Slot, Epoch: s.owner.Epoch - 1},
		"unknown slot": {Slot: 500, Epoch: 1},
	} {
		if err := s.store.Heartbeat(ctx, owner, longLease, true); delivery.CodeOf(err) != delivery.NotFound {
			s.t.Errorf("%s: Heartbeat gave %v, want NOT_FOUND", name, err)
		}
	}
	beat := func(ttl time.Duration, want delivery.Code) {
		s.t.Helper()
		if err := s.store.Heartbeat(ctx, s.owner, ttl, true); delivery.CodeOf(err) != want {
			s.t.Errorf("Heartbeat gave %v, want %q", err, want)
		}
	}
	s.queued(2, s.webhook())
	s.claim(s.owner, 2, 2, longLease)
	// A suspended server resumes, unless another server has reaped its lease.
	beat(noLease, "")
	if n, err := s.store.Reap(ctx, s.owner, true); n != 0 || err != nil {
		s.t.Errorf("a server reaped itself: %d, %v", n, err)
	}
	beat(noLease, "")
	s.reap(2)
	beat(longLease, delivery.NotFound)
}

// reap fails the test unless want deliveries are released.
func (s *scene) reap(want int) {
	s.t.Helper()
	observer := delivery.Owner{Slot: delivery.MaxSlot}
	if n, err := s.store.Reap(s.t.Context(), observer, true); n != want || err != nil {
		s.t.Errorf("Reap gave %d, %v, want %d", n, err, want)
	}
}

func testReap(s *scene) {
	dead := s.join("dead")
	s.queued(5, s.webhook())
	s.claim(dead, 3, 3, longLease)
	s.reap(0)
	if err := s.store.Heartbeat(s.t.Context(), dead, noLease, true); err != nil {
		s.t.Fatal(err)
	}
	s.reap(3)
	s.reap(0)
	if got := s.claim(s.owner, 10, 10, longLease); len(got) != 5 {
		s.t.Errorf("claimed %d, want all 5", len(got))
	}
}

func testReapEarlierRun(s *scene) {
	s.queued(2, s.webhook())
	s.claim(s.owner, 2, 2, longLease)
	if err := s.store.Leave(s.t.Context(), s.owner); err != nil {
		s.t.Fatal(err)
	}
	again := s.join("again") // in the same slot, whose new lease lasts
	if again.Slot != s.owner.Slot {
		s.t.Fatalf("Join gave %+v, want slot %d", again, s.owner.Slot)
	}
	s.owner = again
	s.queued(1, s.webhook())
	s.claim(again, 1, 1, longLease)
	s.reap(2)
}

func testReapLiving(s *scene) {
	s.queued(2, s.webhook())
	s.claim(s.owner, 2, 2, longLease)
	s.reap(0)
	if got := s.claim(s.join("second"), 2, 2, longLease); len(got) > 0 {
		s.t.Errorf("claimed %v, want nothing", idsOf(got))
	}
}

// A server that can't store its results says so. As long as it lives no ended lease
// counts.
func testTrouble(s *scene) {
	troubled := s.join("troubled")
	s.queued(2, s.webhook())
	s.claim(troubled, 2, 2, noLease)
	if err := s.store.Heartbeat(s.t.Context(), troubled, longLease, false); err != nil {
		s.t.Fatal(err)
	}
	if got := s.claim(s.owner, 2, 2, longLease); len(got) > 0 {
		s.t.Errorf("claimed %v from a server that has results for them", idsOf(got))
	}
	if err := s.store.Leave(s.t.Context(), troubled); err != nil {
		s.t.Fatal(err)
	}
	if got := s.claim(s.owner, 2, 2, longLease); len(got) != 2 {
		s.t.Errorf("claimed %d of a server that has left, want both", len(got))
	}
}

// A server whose own lease has ended is dead only for a server that has seen the
// database work for long enough. Until then ended leases of deliveries don't count.
func testMayCome(s *scene) {
	late := s.join("late")
	s.queued(2, s.webhook())
	s.claim(late, 2, 2, noLease)
	if err := s.store.Heartbeat(s.t.Context(), late, noLease, true); err != nil {
		s.t.Fatal(err)
	}
	if n, err := s.store.Reap(s.t.Context(), s.owner, false); n != 0 || err != nil {
		s.t.Errorf("Reap gave %d, %v for a server that may come back, want none", n, err)
	}
	if got := s.claim(s.owner, 2, 2, longLease); len(got) > 0 {
		s.t.Errorf("claimed %v from a server that may come back", idsOf(got))
	}
	if other := s.join("other"); other.Slot == late.Slot {
		s.t.Errorf("Join gave the slot of a server that may come back, %d", late.Slot)
	}
	s.reap(2)
	if got := s.claim(s.owner, 2, 2, longLease); len(got) != 2 {
		s.t.Errorf("claimed %d of a server that was reaped, want both", len(got))
	}
}

func testLeave(s *scene) {
	for range 2 {
		if err := s.store.Leave(s.t.Context(), s.owner); err != nil {
			s.t.Errorf("Leave: %v", err)
		}
	}
	if members, err := s.store.Members(s.t.Context()); len(members) > 0 || err != nil {
		s.t.Errorf("Members gave %v, %v, want none", members, err)
	}
}

func testPing(s *scene) {
	if err := s.store.Ping(s.t.Context()); err != nil {
		s.t.Errorf("Ping: %v", err)
	}
	for range 1000 {
		s.store.Notify()
	}
	if err := s.store.Prepare(s.t.Context(), time.Now()); err != nil {
		s.t.Errorf("Prepare: %v", err)
	}
	if err := s.store.Prepare(s.t.Context(), time.Now()); err != nil {
		s.t.Errorf("Prepare again: %v", err)
	}
	if more, err := s.store.FollowClock(s.t.Context(), s.owner); more || err != nil {
		s.t.Errorf("FollowClock gave %t, %v although no clock was set", more, err)
	}
}
