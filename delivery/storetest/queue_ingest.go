package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"portalhooks/delivery"
)

var ingestTests = map[string]func(*scene){
	"an event comes back as it was stored":             testEventRoundTrip,
	"a key is stored once":                             testKeyOnce,
	"a key twice in a batch is stored once":            testKeyTwiceInBatch,
	"keys belong to their organization":                testKeysOfOrganizations,
	"concurrent reports of a key store one event":      testConcurrentKeys,
	"an ingest that is repeated is fresh again":        testIngestRepeated,
	"a changed configuration makes an ingest stale":    testStale,
	"a large ingest is one batch":                      testLargeIngest,
	"owned deliveries are leased, others are due":      testOwned,
	"deliveries of holding webhooks are stored held":   testStoredHeld,
	"text that no database takes is stored mended":     testMendedText,
	"an empty batch is fine":                           testEmptyBatches,
	"a batch of several organizations is told apart":   testSeveralOrganizations,
	"an event from long ago or far ahead is stored":    testFarDays,
	"a canceled context stores nothing and tells that": testCanceledContext,
	"an id that a delivery has is not given again":     testRepeatedID,
	"who has lost the slot stores nothing":             testIngestAfterLoss,
}

// A repeated id, as after a clock that was set back, refuses the whole batch: it must
// not be acknowledged without its delivery.
func testRepeatedID(s *scene) {
	w := s.webhook()
	before := s.queued(1, w)[0]
	e := s.event("a", w)
	e.Deliveries[0].ID = before.ID
	in := []delivery.Ingest{{Org: s.org.ID, ConfigVersion: s.org.ConfigVersion, Events: []delivery.NewEvent{e}}}
	if got, err := s.store.Ingest(s.t.Context(), s.owner, longLease, in); err == nil {
		s.t.Errorf("Ingest gave %+v for a delivery whose id is stored already, want an error", got)
	}
	e.Deliveries[0].ID = delivery.DeliveryID(s.next(s.ids))
	if !s.ingest(e)[0].Fresh {
		s.t.Error("the event was stored without its delivery")
	}
}

// A server whose slot is another's makes no more events: both would make the same
// ids.
func testIngestAfterLoss(s *scene) {
	lost := s.join("first")
	if err := s.store.Leave(s.t.Context(), lost); err != nil {
		s.t.Fatal(err)
	}
	if again := s.join("second"); again.Slot != lost.Slot {
		s.t.Fatalf("Join gave slot %d, want %d", again.Slot, lost.Slot)
	}
	e := s.event("a", s.webhook())
	in := []delivery.Ingest{{Org: s.org.ID, ConfigVersion: s.org.ConfigVersion, Events: []delivery.NewEvent{e}}}
	got, err := s.store.Ingest(s.t.Context(), lost, longLease, in)
	if delivery.CodeOf(err) != delivery.NotFound {
		s.t.Errorf("Ingest gave %+v, %v, want NOT_FOUND", got, err)
	}
	if !s.ingest(e)[0].Fresh {
		s.t.Error("the event was stored all the same")
	}
}

func testEventRoundTrip(s *scene) {
	want := s.event("a", s.webhook())
	got := s.ingest(want)[0]
	w := delivery.Stored{ID: want.Event.ID, Fresh: true, Fingerprint: want.Fingerprint, Deliveries: 1}
	if got != w {
		s.t.Errorf("Ingest gave %+v, want %+v", got, w)
	}
	ids := []delivery.EventID{want.Event.ID, want.Event.ID, 5}
	found, err := s.store.EventsByID(s.t.Context(), s.org.ID, ids)
	if err != nil || len(found) != 1 {
		s.t.Fatalf("EventsByID gave %v, %v, want the one that exists", found, err)
	}
	if !reflect.DeepEqual(found[0], want.Event) {
		s.t.Errorf("EventsByID gave\n%+v, want\n%+v", found[0], want.Event)
	}
	d := s.get(want.Deliveries[0].ID)
	if d.NextAttemptAt.IsZero() || d.State != delivery.Queued || d.Event != want.Event.ID {
		s.t.Errorf("the delivery is %+v, want it queued and due", d)
	}
}

func testKeyOnce(s *scene) {
	first := s.event("a", s.webhook(), s.webhook())
	s.ingest(first)
	again := s.event("a", s.webhook())
	again.Fingerprint++
	want := delivery.Stored{ID: first.Event.ID, Fingerprint: first.Fingerprint, Deliveries: 2}
	if got := s.ingest(again)[0]; got != want {
		s.t.Errorf("the second report gave %+v, want the first event %+v", got, want)
	}
	if jobs := s.claim(s.owner, 10, 10, longLease); len(jobs) != 2 {
		s.t.Errorf("%d deliveries are queued, want the 2 of the first report", len(jobs))
	}
}

func testKeyTwiceInBatch(s *scene) {
	w := s.webhook()
	a, b, again := s.event("a", w), s.event("b", w), s.event("a", w)
	got := s.ingest(a, b, again)
	if !got[0].Fresh || !got[1].Fresh || got[2].Fresh || got[2].ID != a.Event.ID {
		s.t.Errorf("Ingest gave %+v, want the third to be the first", got)
	}
	if jobs := s.claim(s.owner, 10, 10, longLease); len(jobs) != 2 {
		s.t.Errorf("%d deliveries are queued, want 2", len(jobs))
	}
}

func testKeysOfOrganizations(s *scene) {
	s.ingest(s.event("a"))
	s.org = s.organization("other")
	if got := s.ingest(s.event("a"))[0]; !got.Fresh {
		s.t.Errorf("the key of another organization counted: %+v", got)
	}
}

func testConcurrentKeys(s *scene) {
	const callers = 100
	w := s.webhook()
	keys := []string{"a", "b", "c"}
	stored := make([][]delivery.Stored, callers)
	var wait sync.WaitGroup
	for i := range callers {
		batch := []delivery.NewEvent{s.event(keys[i%3], w), s.event(keys[(i+1)%3], w), s.event(keys[(i+2)%3], w)}
		wait.Go(func() {
			results, err := s.store.Ingest(s.t.Context(), s.owner, longLease,
				[]delivery.Ingest{{Org: s.org.ID, ConfigVersion: s.org.ConfigVersion, Events: batch}})
			if err != nil {
				s.t.Errorf("Ingest: %v", err)
				return
			}
			stored[i] = results[0].Events
			if i%3 > 0 { // order by key
				stored[i] = append(slices.Clone(stored[i][3-i%3:]), stored[i][:3-i%3]...)
			}
		})
	}
	wait.Wait()
	if s.t.Failed() {
		return
	}
	for k := range keys {
		fresh := 0
		for i := range callers {
			if stored[i][k].ID != stored[0][k].ID {
				s.t.Fatalf("callers were told different events for %q", keys[k])
			}
			if stored[i][k].Fresh {
				fresh++
			}
		}
		if fresh != 1 {
			s.t.Errorf("%d callers stored %q, want 1", fresh, keys[k])
		}
	}
	if jobs := s.claim(s.owner, 1000, 1000, longLease); len(jobs) != len(keys) {
		s.t.Errorf("%d deliveries are queued, want %d", len(jobs), len(keys))
	}
}

func testIngestRepeated(s *scene) {
	e := s.event("a", s.webhook())
	first, second := s.ingest(e), s.ingest(e)
	if first[0] != second[0] {
		s.t.Errorf("repeated, the ingest gave %+v, want %+v", second[0], first[0])
	}
	if jobs := s.claim(s.owner, 10, 10, longLease); len(jobs) != 1 {
		s.t.Errorf("%d deliveries are queued, want 1", len(jobs))
	}
}

func testStale(s *scene) {
	e, version := s.event("a", s.webhook()), s.org.ConfigVersion
	events := []delivery.NewEvent{e}
	for name, in := range map[string]delivery.Ingest{
		"older version":        {Org: s.org.ID, ConfigVersion: version - 1, Events: events},
		"newer version":        {Org: s.org.ID, ConfigVersion: version + 1, Events: events},
		"unknown organization": {Org: 99, Events: events},
	} {
		got, err := s.store.Ingest(s.t.Context(), s.owner, longLease, []delivery.Ingest{in})
		if err != nil || len(got) != 1 || !got[0].Stale {
			s.t.Errorf("%s: Ingest gave %+v, %v, want it stale", name, got, err)
		}
	}
	found, err := s.store.EventsByID(s.t.Context(), 0, []delivery.EventID{e.Event.ID})
	if err != nil || len(found) > 0 {
		s.t.Errorf("a stale ingest stored %+v, %v", found, err)
	}
	if !s.ingest(e)[0].Fresh {
		s.t.Error("a stale ingest kept the key")
	}
}

func testLargeIngest(s *scene) {
	const n, listening = 20_001, 1000 // one operation on many workspaces; a webhook matches some of them
	w := s.webhook()
	events := make([]delivery.NewEvent, n)
	for i := range events {
		events[i] = s.event(fmt.Sprint(i))
		if i < listening {
			events[i] = s.event(fmt.Sprint(i), w)
		}
	}
	for i, got := range s.ingest(events...) {
		if !got.Fresh {
			s.t.Fatalf("event %d is %+v, want it fresh", i, got)
		}
	}
	other := s.webhook()
	s.queued(1, other)
	both := []delivery.WebhookID{other, w}
	waiting, err := s.store.Pending(s.t.Context(), both, n)
	if err != nil || waiting[w] != (delivery.Backlog{Pending: listening}) || waiting[other].Pending != 1 {
		s.t.Errorf("Pending gave %v, %v, want %d and 1", waiting, err, listening)
	}
	if waiting, err = s.store.Pending(s.t.Context(), both, 50); err != nil || waiting[w].Pending != 50 {
		s.t.Errorf("Pending counted %v, %v, want to stop at 50", waiting, err)
	}
}

func testOwned(s *scene) {
	owned, due := s.event("owned", s.webhook()), s.event("due", s.webhook())
	owned.Deliveries[0].State = delivery.Sending
	s.ingest(owned, due)
	if got := s.get(owned.Deliveries[0].ID); got.State != delivery.Sending || !got.NextAttemptAt.IsZero() {
		s.t.Errorf("the owned delivery is %+v, want it being sent", got)
	}
	jobs := s.claim(s.join("second"), 10, 10, longLease)
	if want := []delivery.DeliveryID{due.Deliveries[0].ID}; !slices.Equal(idsOf(jobs), want) {
		s.t.Errorf("claimed %v, want %v", idsOf(jobs), want)
	}
	depth, err := s.store.Depth(s.t.Context())
	if want := (delivery.QueueDepth{Leased: 2}); err != nil || depth != want {
		s.t.Errorf("Depth gave %+v, %v, want %+v", depth, err, want)
	}
	job := delivery.Job{Delivery: owned.Deliveries[0], Owner: s.owner}
	held := s.settle(s.settlement(job, delivery.Delivered, 200))
	if !held[0] {
		s.t.Error("the owner could not settle what it was leased by Ingest")
	}
}

func testStoredHeld(s *scene) {
	e := s.event("a", s.webhook())
	e.Deliveries[0].State = delivery.Held
	s.ingest(e)
	if got := s.get(e.Deliveries[0].ID); got.State != delivery.Held || !got.NextAttemptAt.IsZero() {
		s.t.Errorf("the delivery is %+v, want it held", got)
	}
	if jobs := s.claim(s.owner, 10, 10, longLease); len(jobs) > 0 {
		s.t.Errorf("claimed %v, want nothing: it is held", jobs)
	}
}

func testMendedText(s *scene) {
	e := s.event("zero \x00 and \xff", s.webhook())
	e.Event.ItemName, e.Event.WorkspaceName = "zero \x00", "bad \xff"
	s.ingest(e, s.event("beside it"))
	found, err := s.store.EventsByID(s.t.Context(), s.org.ID, []delivery.EventID{e.Event.ID})
	if err != nil || len(found) != 1 {
		s.t.Fatalf("EventsByID gave %v, %v", found, err)
	}
	if got, want := found[0].ItemName+found[0].WorkspaceName, "zero \uFFFDbad \uFFFD"; got != want {
		s.t.Errorf("the text is %q, want %q", got, want)
	}
}

func testEmptyBatches(s *scene) {
	if got, err := s.store.Ingest(s.t.Context(), s.owner, longLease, nil); len(got) > 0 || err != nil {
		s.t.Errorf("Ingest of nothing gave %v, %v", got, err)
	}
	if got := s.ingest(); len(got) > 0 {
		s.t.Errorf("Ingest without events gave %v", got)
	}
	if got, err := s.store.Settle(s.t.Context(), nil); len(got) > 0 || err != nil {
		s.t.Errorf("Settle of nothing gave %v, %v", got, err)
	}
	if err := s.store.Requeue(s.t.Context(), nil, nil); err != nil {
		s.t.Errorf("Requeue of nothing: %v", err)
	}
}

func testSeveralOrganizations(s *scene) {
	mine, first := s.event("a"), s.org
	s.org = s.organization("other")
	theirs := s.event("a")
	got, err := s.store.Ingest(s.t.Context(), s.owner, longLease, []delivery.Ingest{
		{Org: first.ID, ConfigVersion: first.ConfigVersion, Events: []delivery.NewEvent{mine}},
		{Org: first.ID, ConfigVersion: first.ConfigVersion + 1, Events: []delivery.NewEvent{s.event("b")}},
		{Org: s.org.ID, ConfigVersion: s.org.ConfigVersion, Events: []delivery.NewEvent{theirs}},
	})
	if err != nil || len(got) != 3 {
		s.t.Fatalf("Ingest gave %v, %v", got, err)
	}
	if got[0].Stale || !got[1].Stale || got[2].Stale || !got[0].Events[0].Fresh || !got[2].Events[0].Fresh {
		s.t.Errorf("Ingest gave %+v, want only the second stale", got)
	}
}

func testFarDays(s *scene) {
	for _, days := range []int{-400, 400} {
		e := s.event(fmt.Sprint(days, " days"))
		e.Event.ID = delivery.IDAt[delivery.EventID](time.Now().AddDate(0, 0, days)) + 1
		if !s.ingest(e)[0].Fresh {
			s.t.Errorf("an event of %d days from now was not stored", days)
		}
	}
}

func testCanceledContext(s *scene) {
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	e := s.event("a")
	in := []delivery.Ingest{{Org: s.org.ID, ConfigVersion: s.org.ConfigVersion, Events: []delivery.NewEvent{e}}}
	if _, err := s.store.Ingest(ctx, s.owner, longLease, in); err == nil {
		s.t.Error("Ingest worked with a context that had ended")
	}
	if !s.ingest(e)[0].Fresh {
		s.t.Error("the event was stored before")
	}
}
