package storetest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"portalhooks/delivery"
)

var eventTests = map[string]func(*scene){
	"random pages of events are the list":          testEventPages,
	"each filter of events picks what it says":     testEventFilters,
	"events of tests are not listed":               testTestEvents,
	"a group's events come oldest first":           testEventsOfGroup,
	"keys say what is stored under them":           testStoredByKey,
	"events of another organization are not found": testForeignEvents,
	"thousands of events are found by id":          testManyEventsByID,
}

func (s *scene) events(f delivery.EventFilter, p delivery.Page) delivery.Slice[delivery.Event] {
	s.t.Helper()
	got, err := s.store.Events(s.t.Context(), s.org.ID, f, p)
	if err != nil {
		s.t.Fatalf("Events: %v", err)
	}
	return got
}

// report stores n events of alternating types, items and groups, and returns them.
func (s *scene) report(n int) []delivery.Event {
	s.t.Helper()
	news, all := make([]delivery.NewEvent, n), make([]delivery.Event, n)
	for i := range news {
		news[i] = s.event(fmt.Sprint("k", i))
		e := &news[i].Event
		e.Type = []delivery.EventType{delivery.ObjectCreated, delivery.ObjectDeleted}[i%2]
		if i%2 == 0 { // its report has an id, which makes the key
			news[i].Key, news[i].BySource = delivery.SourceKey(e.SourceEventID), true
		}
		e.Item, e.Group = delivery.ItemID(1+i%3), delivery.GroupID(fmt.Sprint("group ", i%4))
		all[i] = *e
	}
	s.ingest(news...)
	return all
}

func testEventPages(s *scene) {
	s.report(30)
	fetch := func(p delivery.Page) delivery.Slice[delivery.Event] { return s.events(delivery.EventFilter{}, p) }
	walkPages(s, fetch(delivery.Page{First: 100}), fetch, func(a, b delivery.Event) bool { return a.ID == b.ID })
}

func testEventFilters(s *scene) {
	all := s.report(24)
	middle := all[12]
	for name, c := range map[string]struct {
		filter delivery.EventFilter
		want   func(i int, e delivery.Event) bool
	}{
		"none": {delivery.EventFilter{}, func(int, delivery.Event) bool { return true }},
		"type": {
			delivery.EventFilter{Types: []delivery.EventType{delivery.ObjectDeleted}},
			func(i int, _ delivery.Event) bool { return i%2 == 1 },
		},
		"item": {delivery.EventFilter{Item: 2}, func(i int, _ delivery.Event) bool { return i%3 == 1 }},
		"group": {
			delivery.EventFilter{Group: "group 3"},
			func(i int, _ delivery.Event) bool { return i%4 == 3 },
		},
		"workspace": {
			delivery.EventFilter{WorkspaceID: "ws-k7"},
			func(i int, _ delivery.Event) bool { return i == 7 },
		},
		"source": {
			delivery.EventFilter{SourceEventID: "source of k9"},
			func(i int, _ delivery.Event) bool { return i == 9 },
		},
		"source that makes the key": {
			delivery.EventFilter{SourceEventID: "source of k8"},
			func(i int, _ delivery.Event) bool { return i == 8 },
		},
		"after": {
			delivery.EventFilter{After: middle.ReceivedAt},
			func(_ int, e delivery.Event) bool { return !e.ReceivedAt.Before(middle.ReceivedAt) },
		},
		"before": {
			delivery.EventFilter{Before: middle.ReceivedAt},
			func(_ int, e delivery.Event) bool { return e.ReceivedAt.Before(middle.ReceivedAt) },
		},
		"future": {
			delivery.EventFilter{After: time.Now().Add(time.Hour)},
			func(int, delivery.Event) bool { return false },
		},
	} {
		var want, got []delivery.EventID
		for i, e := range slices.Backward(all) {
			if c.want(i, e) {
				want = append(want, e.ID)
			}
		}
		for _, e := range s.events(c.filter, delivery.Page{First: 100}).Items {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			s.t.Errorf("%s: listed %v, want %v", name, got, want)
		}
	}
}

func testTestEvents(s *scene) {
	e := s.event("test").Event
	e.Test = true
	job := delivery.Job{Delivery: s.delivery(e, s.webhook()), Owner: s.owner}
	set := s.settlement(job, delivery.Delivered, 200)
	set.Unqueued, set.Event = true, &e
	s.settle(set)
	if got := s.events(delivery.EventFilter{}, delivery.Page{First: 10}); len(got.Items) > 0 {
		s.t.Errorf("listed %v, want nothing", got.Items)
	}
}

func testEventsOfGroup(s *scene) {
	all := s.report(24)
	ctx := s.t.Context()
	got, err := s.store.EventsOfGroup(ctx, s.org.ID, "group 1", delivery.ObjectDeleted, 3)
	sameID := func(a, b delivery.Event) bool { return a.ID == b.ID }
	if err != nil || !slices.EqualFunc(got, []delivery.Event{all[1], all[5], all[9]}, sameID) {
		s.t.Errorf("EventsOfGroup gave %v, %v, want the oldest three", got, err)
	}
	got, err = s.store.EventsOfGroup(ctx, s.org.ID, "group 1", delivery.ObjectCreated, 3)
	if len(got) > 0 || err != nil {
		s.t.Errorf("EventsOfGroup of another type gave %v, %v", got, err)
	}
	for limit, want := range map[int]int{0: 0, 3: 3, 100: 6} {
		got, err := s.store.CountOfGroup(ctx, s.org.ID, "group 1", delivery.ObjectDeleted, limit)
		if got != want || err != nil {
			s.t.Errorf("CountOfGroup up to %d gave %d, %v, want %d", limit, got, err, want)
		}
	}
	if n, err := s.store.CountOfGroup(ctx, s.org.ID, "group 1", delivery.ObjectCreated, 3); n > 0 || err != nil {
		s.t.Errorf("CountOfGroup of another type gave %d, %v", n, err)
	}
}

func testStoredByKey(s *scene) {
	first, second, third := s.event("a"), s.event("b\x00"), s.event("c")
	first.Fingerprint, second.Fingerprint = 1<<63+5, 0
	second.Deliveries = []delivery.Delivery{s.delivery(second.Event, s.webhook())}
	s.ingest(first, second, third)
	keys := []string{third.Key, first.Key, "none", second.Key, first.Key}
	for range 600 {
		keys = append(keys, "none, "+fmt.Sprint(len(keys)))
	}
	got, err := s.store.StoredByKey(s.t.Context(), s.org.ID, keys)
	if err != nil {
		s.t.Fatal(err)
	}
	want := map[string]delivery.Stored{
		first.Key:  {ID: first.Event.ID, Fingerprint: first.Fingerprint},
		second.Key: {ID: second.Event.ID, Deliveries: 1},
		third.Key:  {ID: third.Event.ID, Fingerprint: third.Fingerprint},
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("StoredByKey gave %v, want %v", got, want)
	}
	if got, err := s.store.StoredByKey(s.t.Context(), s.org.ID, nil); len(got) > 0 || err != nil {
		s.t.Errorf("StoredByKey of no key gave %v, %v", got, err)
	}
	s.org = s.organization("other")
	if got, err := s.store.StoredByKey(s.t.Context(), s.org.ID, keys); len(got) > 0 || err != nil {
		s.t.Errorf("StoredByKey of another organization gave %v, %v", got, err)
	}
}

func testForeignEvents(s *scene) {
	all := s.report(10)
	ctx, ids := s.t.Context(), []delivery.EventID{all[0].ID}
	if got, err := s.store.EventsByID(ctx, 0, ids); len(got) != 1 || err != nil {
		s.t.Errorf("EventsByID of any organization gave %v, %v", got, err)
	}
	s.org = s.organization("other")
	if got, err := s.store.EventsByID(ctx, s.org.ID, ids); len(got) > 0 || err != nil {
		s.t.Errorf("EventsByID gave %v, %v", got, err)
	}
	if got := s.events(delivery.EventFilter{}, delivery.Page{First: 10}); len(got.Items) > 0 {
		s.t.Errorf("Events gave %v", got)
	}
	got, err := s.store.EventsOfGroup(ctx, s.org.ID, "group 1", delivery.ObjectDeleted, 3)
	if len(got) > 0 || err != nil {
		s.t.Errorf("EventsOfGroup gave %v, %v", got, err)
	}
}

func testManyEventsByID(s *scene) {
	const n = 1200
	var ids []delivery.EventID
	for _, e := range s.report(n) {
		ids = append(ids, e.ID)
	}
	if got, err := s.store.EventsByID(s.t.Context(), 0, ids); len(got) != n || err != nil {
		s.t.Errorf("EventsByID gave %d, %v, want %d", len(got), err, n)
	}
}
