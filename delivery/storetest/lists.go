package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

var listTests = map[string]func(*scene){
	"a list of deliveries has pending and finished ones":   testListBoth,
	"random pages of deliveries are the list":              testDeliveryPages,
	"windows of deliveries are the list":                   testDeliveryWindows,
	"each filter of deliveries picks what it says":         testDeliveryFilters,
	"text is found in any case and nothing in it is magic": testTextFilter,
	"cursors of another list are refused":                  testCursorsOfLists,
	"deliveries of another organization are not listed":    testForeignDeliveries,
}

// list returns all deliveries that pass f, page by page.
func (s *scene) list(f delivery.DeliveryFilter) []delivery.Delivery {
	s.t.Helper()
	var all []delivery.Delivery
	for p := (delivery.Page{First: 50}); ; {
		got, err := s.store.Deliveries(s.t.Context(), s.org.ID, f, p)
		if err != nil {
			s.t.Fatalf("Deliveries: %v", err)
		}
		all = append(all, got.Items...)
		if !got.HasNext {
			return all
		}
		p.After = got.Cursors[len(got.Cursors)-1]
	}
}

// populate stores deliveries of two webhooks and two types, in every state.
func (s *scene) populate() []delivery.Delivery {
	s.t.Helper()
	webhooks := []delivery.WebhookID{s.webhook(), s.webhook()}
	types := []delivery.EventType{delivery.ActiveAlert, delivery.ObjectCreated}
	var all []delivery.Delivery
	for i := range 24 {
		e := s.event(fmt.Sprint("k", i), webhooks[i%2])
		e.Event.Type, e.Event.Item = types[i/2%2], delivery.ItemID(1+i%3)
		e.Event.ItemName = []string{"Restart", "Ärger 100%", "Wake_on[LAN]"}[i%3]
		e.Event.Group = delivery.GroupID(fmt.Sprint("group ", i%4))
		d := &e.Deliveries[0]
		d.Type, d.Item = e.Event.Type, e.Event.Item
		s.ingest(e)
		all = append(all, *d)
	}
	jobs := s.claim(s.owner, 100, 100, longLease)
	for i, j := range jobs[:20] {
		switch i % 5 {
		case 0:
			s.settle(s.settlement(j, delivery.Delivered, 200))
		case 1:
			s.settle(s.settlement(j, delivery.Failed, 404))
		case 2:
			s.settle(s.settlement(j, delivery.Retrying, 503))
		case 3:
			hold := s.settlement(j, delivery.Held, 0)
			hold.Entry.Attempt = nil
			s.settle(hold)
		}
	}
	var free []delivery.DeliveryID
	for _, j := range jobs[22:] {
		free = append(free, j.Delivery.ID)
	}
	if _, err := s.store.Release(s.t.Context(), s.owner, free, 0); err != nil {
		s.t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

func testListBoth(s *scene) {
	want := s.populate()
	got := s.list(delivery.DeliveryFilter{})
	if !slices.EqualFunc(got, want, func(a, b delivery.Delivery) bool { return a.ID == b.ID }) {
		s.t.Errorf("Deliveries lists %d, want %d, newest first", len(got), len(want))
	}
	states := map[delivery.State]int{}
	for _, d := range got {
		states[d.State]++
		if found := s.get(d.ID); found != d {
			s.t.Errorf("DeliveriesByID gave %+v, Deliveries %+v", found, d)
		}
	}
	for _, state := range []delivery.State{
		delivery.Queued, delivery.Sending, delivery.Retrying, delivery.Held, delivery.Delivered, delivery.Failed,
	} {
		if states[state] == 0 {
			s.t.Errorf("no delivery is %s", state)
		}
	}
}

func testDeliveryPages(s *scene) {
	s.populate()
	fetch := func(p delivery.Page) delivery.Slice[delivery.Delivery] {
		got, err := s.store.Deliveries(s.t.Context(), s.org.ID, delivery.DeliveryFilter{}, p)
		if err != nil {
			s.t.Fatalf("Deliveries: %v", err)
		}
		return got
	}
	whole := fetch(delivery.Page{First: 100})
	walkPages(s, whole, fetch, func(a, b delivery.Delivery) bool { return a.ID == b.ID })
}

// A scan in windows finds everything once, whether it goes on from a full page or
// from the end of a window that had too few.
func testDeliveryWindows(s *scene) {
	want := s.populate()
	f := delivery.DeliveryFilter{After: want[len(want)-1].CreatedAt().Add(-50 * time.Millisecond)}
	var got []delivery.DeliveryID
	partial := false
	for p := (delivery.Page{}); ; {
		p.First, p.Window = 1+rand.IntN(3), time.Duration(1+rand.IntN(20))*time.Millisecond
		page, err := s.store.Deliveries(s.t.Context(), s.org.ID, f, p)
		if err != nil {
			s.t.Fatalf("Deliveries: %v", err)
		}
		for _, d := range page.Items {
			got = append(got, d.ID)
			if !page.SearchedTo.IsZero() && d.CreatedAt().Before(page.SearchedTo) {
				s.t.Errorf("%s is older than %v, to which was searched", d.ID, page.SearchedTo)
			}
		}
		if full := len(page.Items) == p.First; page.SearchedTo.IsZero() != (page.End == "") ||
			!full && page.HasNext && page.End == "" {
			s.t.Fatalf("page %+v has more and does not say where", page)
		}
		partial = partial || page.End != ""
		if !page.HasNext {
			break
		}
		if p.After = page.End; p.After == "" {
			p.After = page.Cursors[len(page.Cursors)-1]
		}
	}
	same := func(id delivery.DeliveryID, d delivery.Delivery) bool { return id == d.ID }
	if !slices.EqualFunc(got, want, same) {
		s.t.Errorf("windows have %d deliveries, want %d, newest first", len(got), len(want))
	}
	if !partial {
		s.t.Error("no window ended before its page was full")
	}
}

// walkPages reads a list in pages of random sizes, forwards and backwards, and
// compares the pages with the whole list.
func walkPages[T any](
	s *scene, whole delivery.Slice[T], fetch func(delivery.Page) delivery.Slice[T], equal func(a, b T) bool,
) {
	s.t.Helper()
	if whole.HasNext || whole.HasPrev || len(whole.Items) < 10 {
		s.t.Fatalf("the whole list has %d items, next %v, prev %v", len(whole.Items), whole.HasNext, whole.HasPrev)
	}
	for range 20 {
		var forwards, backwards []T
		for p, more := (delivery.Page{First: 1 + rand.IntN(9)}), true; more; p.First = 1 + rand.IntN(9) {
			got := fetch(p)
			if got.HasPrev != (p.After != "") {
				s.t.Errorf("HasPrev is %v after %q", got.HasPrev, p.After)
			}
			forwards = append(forwards, got.Items...)
			p.After, more = got.Cursors[len(got.Cursors)-1], got.HasNext
		}
		for p, more := (delivery.Page{Last: 1 + rand.IntN(9)}), true; more; p.Last = 1 + rand.IntN(9) {
			got := fetch(p)
			if got.HasNext != (p.Before != "") {
				s.t.Errorf("HasNext is %v before %q", got.HasNext, p.Before)
			}
			backwards = append(slices.Clone(got.Items), backwards...)
			p.Before, more = got.Cursors[0], got.HasPrev
		}
		if !slices.EqualFunc(forwards, whole.Items, equal) || !slices.EqualFunc(backwards, whole.Items, equal) {
			s.t.Fatalf("pages gave %d forwards and %d backwards, want the list of %d",
				len(forwards), len(backwards), len(whole.Items))
		}
		from, to := rand.IntN(len(whole.Items)), rand.IntN(len(whole.Items))
		from, to = min(from, to), max(from, to)
		got := fetch(delivery.Page{First: 100, After: whole.Cursors[from], Before: whole.Cursors[to]})
		if want := whole.Items[min(from+1, to):to]; !slices.EqualFunc(got.Items, want, equal) {
			s.t.Errorf("between %d and %d there are %d, want %d", from, to, len(got.Items), len(want))
		}
	}
}

// A filterCase says which deliveries pass a filter.
type filterCase struct {
	filter delivery.DeliveryFilter
	want   func(delivery.Delivery) bool
}

func testDeliveryFilters(s *scene) {
	all := s.populate()
	current := map[delivery.DeliveryID]delivery.Delivery{}
	for _, d := range s.list(delivery.DeliveryFilter{}) {
		current[d.ID] = d
	}
	cases := progressFilters()
	maps.Copy(cases, originFilters(all))
	for name, c := range cases {
		var want []delivery.DeliveryID
		for _, d := range all {
			if c.want(current[d.ID]) {
				want = append(want, d.ID)
			}
		}
		slices.Sort(want)
		if got := numbersOf(s.list(c.filter)); !slices.Equal(got, want) {
			s.t.Errorf("%s: listed %d, want %d", name, len(got), len(want))
		}
	}
}

// progressFilters select by state and by the latest attempt.
func progressFilters() map[string]filterCase {
	attempted := func(status int) func(delivery.Delivery) bool {
		of := map[int]delivery.State{200: delivery.Delivered, 404: delivery.Failed, 503: delivery.Retrying}
		return func(d delivery.Delivery) bool { return d.State == of[status] }
	}
	return map[string]filterCase{
		"pending states": {
			delivery.DeliveryFilter{States: []delivery.State{delivery.Sending, delivery.Held}},
			func(d delivery.Delivery) bool { return d.State == delivery.Sending || d.State == delivery.Held },
		},
		"mixed states": {
			delivery.DeliveryFilter{States: []delivery.State{delivery.Failed, delivery.Queued}},
			func(d delivery.Delivery) bool { return d.State == delivery.Failed || d.State == delivery.Queued },
		},
		"outcome": {
			delivery.DeliveryFilter{Outcomes: []delivery.Outcome{egress.HTTPError}},
			func(d delivery.Delivery) bool { return attempted(404)(d) || attempted(503)(d) },
		},
		"status range": {delivery.DeliveryFilter{StatusFrom: 500, StatusTo: 599}, attempted(503)},
		"status up to": {delivery.DeliveryFilter{StatusTo: 299}, attempted(200)},
	}
}

// originFilters select by webhook, event and time.
func originFilters(all []delivery.Delivery) map[string]filterCase {
	middle := all[len(all)/2]
	middleAt := middle.CreatedAt()
	index := func(d delivery.Delivery) int {
		return len(all) - 1 - slices.IndexFunc(all, func(o delivery.Delivery) bool { return o.ID == d.ID })
	}
	return map[string]filterCase{
		"webhook": {
			delivery.DeliveryFilter{Webhooks: []delivery.WebhookID{middle.Webhook}},
			func(d delivery.Delivery) bool { return d.Webhook == middle.Webhook },
		},
		"type": {
			delivery.DeliveryFilter{Types: []delivery.EventType{delivery.ActiveAlert}},
			func(d delivery.Delivery) bool { return d.Type == delivery.ActiveAlert },
		},
		"trigger": {
			delivery.DeliveryFilter{Triggers: []delivery.Trigger{delivery.ByTest}},
			func(delivery.Delivery) bool { return false },
		},
		"event": {
			delivery.DeliveryFilter{Event: middle.Event},
			func(d delivery.Delivery) bool { return d.Event == middle.Event },
		},
		"group": {
			delivery.DeliveryFilter{Group: "group 1"},
			func(d delivery.Delivery) bool { return index(d)%4 == 1 },
		},
		"item": {
			delivery.DeliveryFilter{Item: 2},
			func(d delivery.Delivery) bool { return d.Item == 2 },
		},
		"workspace": {
			delivery.DeliveryFilter{WorkspaceID: "ws-k7"},
			func(d delivery.Delivery) bool { return index(d) == 7 },
		},
		"after": {
			delivery.DeliveryFilter{After: middleAt},
			func(d delivery.Delivery) bool { return !d.CreatedAt().Before(middleAt) },
		},
		"before": {
			delivery.DeliveryFilter{Before: middleAt},
			func(d delivery.Delivery) bool { return d.CreatedAt().Before(middleAt) },
		},
		"in the future": {
			delivery.DeliveryFilter{After: time.Now().Add(time.Hour)},
			func(delivery.Delivery) bool { return false },
		},
		"all at once": {
			delivery.DeliveryFilter{
				Webhooks: []delivery.WebhookID{middle.Webhook}, Item: middle.Item,
				Types: []delivery.EventType{middle.Type},
				Group: delivery.GroupID(fmt.Sprint("group ", index(middle)%4)), Text: "k" + fmt.Sprint(index(middle)),
				Triggers: []delivery.Trigger{delivery.ByEvent}, Event: middle.Event,
			},
			func(d delivery.Delivery) bool { return d.ID == middle.ID },
		},
	}
}

func testTextFilter(s *scene) {
	s.populate()
	for text, want := range map[string]int{
		"restart": 8, "ESTAR": 8, "ÄRGER": 8, "ärg": 8, "100%": 8, "%": 8, "_ON[lan]": 8, "_": 8, "[": 8,
		"ws-K23": 1, "workspace k2": 5,
		".*": 0, "?": 0, "*": 0, `\`: 0, "(": 0, "^": 0, "$": 0, "rest art": 0, "[a-z]": 0,
	} {
		got := s.list(delivery.DeliveryFilter{Text: text})
		if len(got) != want {
			s.t.Errorf("%q is in %d, want %d", text, len(got), want)
		}
	}
}

func testCursorsOfLists(s *scene) {
	s.populate()
	ctx := s.t.Context()
	deliveries, err := s.store.Deliveries(ctx, s.org.ID, delivery.DeliveryFilter{}, delivery.Page{First: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	events, err := s.store.Events(ctx, s.org.ID, delivery.EventFilter{}, delivery.Page{First: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	good := deliveries.Cursors[0]
	foreign := []string{events.Cursors[0], "x", "!!", good + "A", good[1:], strings.Repeat("A", 12), "1"}
	var all delivery.DeliveryFilter
	for _, cursor := range foreign {
		_, after := s.store.Deliveries(ctx, s.org.ID, all, delivery.Page{First: 1, After: cursor})
		_, before := s.store.Deliveries(ctx, s.org.ID, all, delivery.Page{Last: 1, Before: cursor})
		if delivery.CodeOf(after) != delivery.Invalid || delivery.CodeOf(before) != delivery.Invalid {
			s.t.Errorf("the cursor %q gave %v and %v, want INVALID", cursor, after, before)
		}
	}
	_, err = s.store.Events(ctx, s.org.ID, delivery.EventFilter{}, delivery.Page{First: 1, After: good})
	if delivery.CodeOf(err) != delivery.Invalid {
		s.t.Errorf("a delivery's cursor gave %v in the list of events, want INVALID", err)
	}
}

func testForeignDeliveries(s *scene) {
	mine := s.populate()
	s.org = s.organization("other")
	theirs := s.queued(3, s.webhook())
	if got := s.list(delivery.DeliveryFilter{}); len(got) != len(theirs) {
		s.t.Errorf("listed %d, want the %d of the organization", len(got), len(theirs))
	}
	s.org.ID = 0
	if got := s.list(delivery.DeliveryFilter{}); len(got) != len(mine)+len(theirs) {
		s.t.Errorf("listed %d of all organizations, want %d", len(got), len(mine)+len(theirs))
	}
}
