package storetest

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

var countTests = map[string]func(*scene){
	"what is settled is counted by state and outcome":      testCounted,
	"a settlement that is repeated counts once":            testCountedOnce,
	"a settlement behind its fence does not count":         testCountedFenced,
	"a test does not count":                                testCountedTest,
	"a canceled delivery counts with its latest outcome":   testCountedCanceled,
	"counts are narrowed by webhook, type, state and more": testCountsNarrowed,
	"counts are cut into stretches":                        testCountedStretches,
	"durations are told by the powers of two":              testCountedDurations,
	"counts of different servers add up":                   testCountedTogether,
	"another organization has counts of its own":           testCountedApart,
	"old counts are discarded, portion by portion":         testDiscardCounts,
}

// day queries the 24 hours around now as one stretch.
func day() delivery.CountQuery {
	hour := time.Now().UTC().Truncate(time.Hour)
	return delivery.CountQuery{
		From: hour.Add(-12 * time.Hour), To: hour.Add(12 * time.Hour), Step: 24 * time.Hour,
	}
}

func (s *scene) counts(q delivery.CountQuery) []delivery.Count {
	s.t.Helper()
	all, err := s.store.Counts(s.t.Context(), s.org.ID, q)
	if err != nil {
		s.t.Fatalf("Tallies: %v", err)
	}
	slices.SortFunc(all, func(a, b delivery.Count) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Webhook, b.Webhook), cmp.Compare(a.State, b.State),
			cmp.Compare(a.Outcome, b.Outcome))
	})
	return all
}

// wantEntries compares how many entries are counted for each state.
func (s *scene) wantEntries(what string, q delivery.CountQuery, want map[delivery.State]int64) {
	s.t.Helper()
	got := map[delivery.State]int64{}
	for _, t := range s.counts(q) {
		got[t.State] += t.Entries
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("%s: counted %v, want %v", what, got, want)
	}
}

func testCounted(s *scene) {
	s.settle(s.settlement(s.job(), delivery.Delivered, 200), s.settlement(s.job(), delivery.Delivered, 204))
	s.settle(s.settlement(s.job(), delivery.Delivered, 200), s.settlement(s.job(), delivery.Failed, 404))
	s.settle(s.settlement(s.job(), delivery.Retrying, 503))
	q := day()
	one := func(state delivery.State, outcome delivery.Outcome, n int64) delivery.Count {
		t := delivery.Count{At: q.From, State: state, Outcome: outcome, Entries: n, Attempts: n}
		t.Durations[1] = n // each took a millisecond and a half
		return t
	}
	want := []delivery.Count{
		one(delivery.Delivered, egress.Success, 3), one(delivery.Failed, egress.HTTPError, 1),
		one(delivery.Retrying, egress.HTTPError, 1),
	}
	if got := s.counts(q); !reflect.DeepEqual(got, want) {
		s.t.Errorf("counted\n%+v, want\n%+v", got, want)
	}
}

func testCountedOnce(s *scene) {
	set := s.settlement(s.job(), delivery.Delivered, 200)
	for range 3 {
		s.settle(set)
	}
	s.wantEntries("repeated", day(), map[delivery.State]int64{delivery.Delivered: 1})
}

func testCountedFenced(s *scene) {
	late := s.settlement(s.job(), delivery.Delivered, 200)
	late.Owner.Epoch++
	s.settle(late, s.settlement(s.job(), delivery.Failed, 500))
	s.wantEntries("fenced", day(), map[delivery.State]int64{delivery.Failed: 1})
}

func testCountedTest(s *scene) {
	e := s.event("test", s.webhook())
	d := e.Deliveries[0]
	d.Trigger = delivery.ByTest
	set := s.settlement(delivery.Job{Delivery: d, Event: e.Event, Owner: s.owner}, delivery.Delivered, 200)
	set.Unqueued, set.Event = true, &e.Event
	s.settle(set)
	s.wantEntries("of a test", day(), map[delivery.State]int64{})
}

func testCountedCanceled(s *scene) {
	fresh := s.settlement(s.job(), delivery.Canceled, 0)
	fresh.Entry.Attempt, fresh.Entry.Delivery.Attempts = nil, 0
	s.settle(fresh)
	s.settle(s.settlement(s.job(), delivery.Retrying, 503))
	attempted := s.settlement(s.claim(s.owner, 1, 1, longLease)[0], delivery.Canceled, 0)
	attempted.Entry.Attempt, attempted.Entry.Delivery.Attempts = nil, 1
	s.settle(attempted)
	q := day()
	q.States = []delivery.State{delivery.Canceled}
	want := []delivery.Count{
		{At: q.From, State: delivery.Canceled, Entries: 1},
		{At: q.From, State: delivery.Canceled, Outcome: egress.HTTPError, Entries: 1},
	}
	if got := s.counts(q); !reflect.DeepEqual(got, want) {
		s.t.Errorf("counted\n%+v, want\n%+v", got, want)
	}
}

func testCountsNarrowed(s *scene) {
	a, b := s.settlement(s.job(), delivery.Delivered, 200), s.settlement(s.job(), delivery.Failed, 500)
	s.settle(a, b)
	hook := a.Entry.Delivery.Webhook
	for what, c := range map[string]struct {
		narrow func(q *delivery.CountQuery)
		want   map[delivery.State]int64
	}{
		"one webhook": {
			func(q *delivery.CountQuery) { q.Webhooks = []delivery.WebhookID{hook} },
			map[delivery.State]int64{delivery.Delivered: 1},
		},
		"a webhook that has none": {
			func(q *delivery.CountQuery) { q.Webhooks = []delivery.WebhookID{1} }, map[delivery.State]int64{},
		},
		"their type": {
			func(q *delivery.CountQuery) { q.Types = []delivery.EventType{delivery.OperationInWorkspace} },
			map[delivery.State]int64{delivery.Delivered: 1, delivery.Failed: 1},
		},
		"another type": {
			func(q *delivery.CountQuery) { q.Types = []delivery.EventType{delivery.ActiveAlert} },
			map[delivery.State]int64{},
		},
		"a state": {
			func(q *delivery.CountQuery) { q.States = []delivery.State{delivery.Failed} },
			map[delivery.State]int64{delivery.Failed: 1},
		},
		"an outcome": {
			func(q *delivery.CountQuery) { q.Outcomes = []delivery.Outcome{egress.Success, egress.Timeout} },
			map[delivery.State]int64{delivery.Delivered: 1},
		},
		"an earlier time": {
			func(q *delivery.CountQuery) { q.To = time.Now().Add(-2 * time.Hour).Truncate(time.Hour) },
			map[delivery.State]int64{},
		},
	} {
		q := day()
		c.narrow(&q)
		s.wantEntries(what, q, c.want)
	}
	q := day()
	q.ByWebhook = true
	got := map[delivery.WebhookID]delivery.State{}
	for _, t := range s.counts(q) {
		got[t.Webhook] = t.State
	}
	want := map[delivery.WebhookID]delivery.State{
		hook: delivery.Delivered, b.Entry.Delivery.Webhook: delivery.Failed,
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("by webhook counted %v, want %v", got, want)
	}
}

func testCountedStretches(s *scene) {
	from := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Duration{
		0, 59 * time.Minute, 5*time.Hour + 59*time.Minute, 6 * time.Hour, 24 * time.Hour,
	} {
		set := s.settlement(s.job(), delivery.Delivered, 200)
		set.Entry.At = from.Add(at)
		s.settle(set)
	}
	got := map[time.Duration]int64{}
	for _, t := range s.counts(delivery.CountQuery{
		From: from, To: from.AddDate(0, 0, 1), Step: 6 * time.Hour,
	}) {
		got[t.At.Sub(from)] = t.Entries
	}
	if want := (map[time.Duration]int64{0: 3, 6 * time.Hour: 1}); !maps.Equal(got, want) {
		s.t.Errorf("counted %v, want %v", got, want)
	}
}

func testCountedDurations(s *scene) {
	var want delivery.Durations
	for _, d := range []time.Duration{
		0, 999 * time.Microsecond, time.Millisecond, 2*time.Millisecond - time.Microsecond, 2 * time.Millisecond,
		time.Second, 32767 * time.Millisecond, 32768 * time.Millisecond, time.Hour,
	} {
		set := s.settlement(s.job(), delivery.Delivered, 200)
		set.Entry.Attempt.Duration = d
		s.settle(set)
		want[delivery.PlaceOf(d)]++
	}
	got := s.counts(day())
	if len(got) != 1 || got[0].Durations != want {
		s.t.Errorf("counted %+v, want the durations %v", got, want)
	}
}

func testCountedTogether(s *scene) {
	s.settle(s.settlement(s.job(), delivery.Delivered, 200))
	other := s.join("second")
	ids := delivery.NewIDs(other.Slot)
	w := s.webhook()
	s.queued(1, w)
	set := s.settlement(s.claim(other, 1, 1, longLease)[0], delivery.Delivered, 200)
	set.Entry.ID = delivery.LogID(ids.Next())
	s.settle(set)
	got := s.counts(day())
	if len(got) != 1 || got[0].Entries != 2 {
		s.t.Errorf("counted %+v, want one count of 2", got)
	}
}

func testCountedApart(s *scene) {
	s.settle(s.settlement(s.job(), delivery.Delivered, 200))
	s.org = s.organization("other")
	s.wantEntries("of another organization", day(), map[delivery.State]int64{})
}

func testDiscardCounts(s *scene) {
	now := time.Now().UTC()
	var batch []delivery.Settlement
	for i := range 30 {
		set := s.settlement(s.job(), delivery.Delivered, 200)
		set.Entry.At = now.Add(-time.Duration(i) * time.Hour)
		batch = append(batch, set)
	}
	s.settle(batch...)
	before := now.Add(-10 * time.Hour).Truncate(time.Hour)
	for more, rounds := true, 0; more; rounds++ {
		var err error
		if more, err = s.store.DiscardCounts(s.t.Context(), before); err != nil || rounds > 100 {
			s.t.Fatalf("DiscardTallies: %v after %d rounds", err, rounds)
		}
	}
	s.wantEntries("what is left", delivery.CountQuery{From: now.AddDate(0, 0, -3), To: now.AddDate(0, 0, 1)},
		map[delivery.State]int64{delivery.Delivered: 11})
}
