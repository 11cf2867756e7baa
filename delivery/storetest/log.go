package storetest

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

var logTests = map[string]func(*scene){
	"an empty log has no tail":                       testEmptyLog,
	"the tail is each slot's latest entry":           testTail,
	"following from a tail brings what came after":   testFollowTail,
	"following in portions brings everything once":   testFollowPortions,
	"followers miss nothing while two servers write": testFollowConcurrent,
	"entries of another organization are not found":  testForeignEntries,
	"the horizon of a whole log is zero":             testHorizonZero,
	"the latest id of a slot is found anywhere":      testLatestID,
}

// A server that starts in a slot goes on after all ids of that slot, also after those
// that the log does not have.
func testLatestID(s *scene) {
	since := time.Now().Add(-time.Minute)
	latest := func(slot int) int64 {
		s.t.Helper()
		id, err := s.store.LatestID(s.t.Context(), slot, since)
		if err != nil {
			s.t.Fatalf("LatestID: %v", err)
		}
		return id
	}
	if got := latest(s.owner.Slot); got != 0 {
		s.t.Errorf("the latest of no ids is %d, want 0", got)
	}
	event := s.event("a")
	s.ingest(event)
	if got := latest(s.owner.Slot); got != int64(event.Event.ID) {
		s.t.Errorf("the latest id is %d, want that of the event, %d", got, event.Event.ID)
	}
	queued := s.queued(1, s.webhook())[0]
	if got := latest(s.owner.Slot); got != int64(queued.ID) {
		s.t.Errorf("the latest id is %d, want that of the delivery, %d", got, queued.ID)
	}
	entries := s.deliver(s.owner, s.ids, s.claim(s.owner, 1, 1, longLease))
	if got := latest(s.owner.Slot); got != int64(entries[0].ID) {
		s.t.Errorf("the latest id is %d, want that of the entry, %d", got, entries[0].ID)
	}
	if got := latest(s.owner.Slot + 1); got != 0 {
		s.t.Errorf("the latest id of another slot is %d, want 0", got)
	}
	since = time.Now().Add(time.Hour)
	if got := latest(s.owner.Slot); got != 0 {
		s.t.Errorf("the latest id from an hour on is %d, want 0", got)
	}
}

func testEmptyLog(s *scene) {
	tail, err := s.store.Tail(s.t.Context())
	if len(tail) > 0 || err != nil {
		s.t.Errorf("Tail gave %v, %v", tail, err)
	}
	if got := s.follow(nil, 10); len(got) > 0 {
		s.t.Errorf("Follow gave %v", got)
	}
}

func (s *scene) follow(after map[int]delivery.LogID, limit int) []delivery.LogEntry {
	s.t.Helper()
	entries, err := s.store.Follow(s.t.Context(), after, limit)
	if err != nil {
		s.t.Fatalf("Follow: %v", err)
	}
	return entries
}

// deliver settles jobs as owner, and returns the entries, whose ids come from log.
func (s *scene) deliver(owner delivery.Owner, log *delivery.IDs, jobs []delivery.Job) []delivery.LogEntry {
	entries := make([]delivery.LogEntry, 0, len(jobs))
	for _, j := range jobs {
		j.Owner = owner
		set := s.settlement(j, delivery.Delivered, 200)
		set.Entry.ID = delivery.LogID(log.Next())
		held, err := s.store.Settle(s.t.Context(), []delivery.Settlement{set})
		if err != nil || !held[0] {
			s.t.Errorf("Settle gave %v, %v", held, err)
		}
		entries = append(entries, set.Entry)
	}
	return entries
}

func testTail(s *scene) {
	second := s.join("second")
	s.queued(4, s.webhook())
	mine := s.deliver(s.owner, s.log, s.claim(s.owner, 2, 2, longLease))
	theirs := s.deliver(second, delivery.NewIDs(second.Slot), s.claim(second, 2, 2, longLease))
	tail, err := s.store.Tail(s.t.Context())
	want := map[int]delivery.LogID{s.owner.Slot: mine[1].ID, second.Slot: theirs[1].ID}
	if err != nil || !maps.Equal(tail, want) {
		s.t.Errorf("Tail gave %v, %v, want %v", tail, err, want)
	}
}

func testFollowTail(s *scene) {
	s.queued(3, s.webhook())
	s.deliver(s.owner, s.log, s.claim(s.owner, 2, 2, longLease))
	tail, err := s.store.Tail(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if got := s.follow(tail, 10); len(got) > 0 {
		s.t.Errorf("nothing was written, but Follow gave %v", got)
	}
	second := s.join("second") // its slot is not in the tail
	want := s.deliver(second, delivery.NewIDs(second.Slot), s.claim(second, 1, 1, longLease))
	if got := s.follow(tail, 10); !reflect.DeepEqual(got, want) {
		s.t.Errorf("Follow gave\n%+v, want\n%+v", got, want)
	}
}

func testFollowPortions(s *scene) {
	s.queued(25, s.webhook())
	want := s.deliver(s.owner, s.log, s.claim(s.owner, 25, 25, longLease))
	after, got := map[int]delivery.LogID{}, []delivery.LogEntry{}
	for some := s.follow(after, 4); len(some) > 0; some = s.follow(after, 4) {
		if len(some) > 4 {
			s.t.Fatalf("Follow gave %d entries, want at most 4", len(some))
		}
		for _, e := range some {
			after[delivery.IDSlot(e.ID)] = e.ID
		}
		got = append(got, some...)
	}
	if !reflect.DeepEqual(got, want) {
		s.t.Errorf("Follow gave %d entries, want %d in their order", len(got), len(want))
	}
}

func testFollowConcurrent(s *scene) {
	const each = 60
	second := s.join("second")
	s.queued(2*each, s.webhook())
	mine, theirs := s.claim(s.owner, each, each, longLease), s.claim(second, each, each, longLease)
	other := delivery.NewIDs(second.Slot)
	var want [2][]delivery.LogEntry
	var writers sync.WaitGroup
	writers.Go(func() { want[0] = s.deliver(s.owner, s.log, mine) })
	writers.Go(func() { want[1] = s.deliver(second, other, theirs) })
	ended := make(chan struct{})
	go func() { writers.Wait(); close(ended) }()

	after := map[int]delivery.LogID{}
	var got []delivery.LogEntry
	for last := false; ; {
		some := s.follow(after, 7)
		for _, e := range some {
			after[delivery.IDSlot(e.ID)] = e.ID
		}
		got = append(got, some...)
		if len(some) == 0 && last {
			break
		}
		select {
		case <-ended:
			last = true
		default:
		}
	}
	all := append(want[0], want[1]...)
	byID := func(a, b delivery.LogEntry) int { return cmp.Compare(a.ID, b.ID) }
	for slot := range after {
		other := func(e delivery.LogEntry) bool { return delivery.IDSlot(e.ID) != slot }
		seen := slices.DeleteFunc(slices.Clone(got), other)
		if !slices.IsSortedFunc(seen, byID) {
			s.t.Errorf("the entries of slot %d are not in the order of their ids", slot)
		}
	}
	slices.SortFunc(got, byID)
	slices.SortFunc(all, byID)
	if !reflect.DeepEqual(got, all) {
		s.t.Errorf("a follower saw %d entries, want %d", len(got), len(all))
	}
}

func testForeignEntries(s *scene) {
	s.queued(1, s.webhook())
	e := s.deliver(s.owner, s.log, s.claim(s.owner, 1, 1, longLease))[0]
	ctx, other := s.t.Context(), s.organization("other").ID
	logs, err := s.store.Entries(ctx, other, []delivery.DeliveryID{e.Delivery.ID})
	if err != nil || len(logs) > 0 {
		s.t.Errorf("Entries gave %v, %v", logs, err)
	}
	byID, err := s.store.EntriesByID(ctx, other, []delivery.LogID{e.ID})
	if err != nil || len(byID) > 0 {
		s.t.Errorf("EntriesByID gave %v, %v", byID, err)
	}
	deliveries, err := s.store.DeliveriesByID(ctx, other, []delivery.DeliveryID{e.Delivery.ID})
	if err != nil || len(deliveries) > 0 {
		s.t.Errorf("DeliveriesByID gave %v, %v", deliveries, err)
	}
	if byID, err = s.store.EntriesByID(ctx, 0, []delivery.LogID{e.ID}); err != nil || len(byID) != 1 {
		s.t.Errorf("for any organization EntriesByID gave %v, %v, want the entry", byID, err)
	}
}

func testHorizonZero(s *scene) {
	if at, err := s.store.Horizon(s.t.Context()); err != nil || !at.IsZero() {
		s.t.Errorf("Horizon gave %v, %v, want zero", at, err)
	}
}
