package service

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/feed"
)

var (
	viewer     = delivery.Caller{Name: "vera", Grants: map[delivery.OrgID]delivery.Role{1: delivery.ViewerRole}}
	admin      = delivery.Caller{Name: "ada", Grants: map[delivery.OrgID]delivery.Role{1: delivery.Admin}}
	operator   = delivery.Caller{Name: "otto", Operator: true}
	otherAdmin = delivery.Caller{Name: "stan", Grants: map[delivery.OrgID]delivery.Role{2: delivery.Admin}}
)

// watch starts a subscriber and returns its channel and the function that ends it.
func (r *rig) watch(in delivery.WatchInput) (<-chan delivery.LogItem, func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	items, err := r.Watch(ctx, viewer, in)
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	return items, cancel
}

// next returns the next item that is not a heartbeat.
func next(t *testing.T, items <-chan delivery.LogItem) delivery.LogItem {
	t.Helper()
	for {
		select {
		case item, ok := <-items:
			if !ok {
				t.Fatal("the watch has ended")
			}
			if item.Entry != nil || item.Gap {
				return item
			}
		case <-time.After(time.Hour):
			t.Fatal("nothing came for an hour")
		}
	}
}

func TestWatchSeesWhatComes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		r.ingest(3, w)
		synctest.Wait()
		items, end := r.watch(delivery.WatchInput{Org: 1})
		defer end()
		began := time.Now()
		id := r.ingest(1, w)[0]
		item := next(t, items)
		if item.Entry.Delivery.ID != id || item.Replayed || item.Cursor == "" {
			t.Errorf("item %+v, want the delivery that came after the watch began", item)
		}
		if took := time.Since(began); took > 50*time.Millisecond {
			t.Errorf("seen after %s, want at once", took)
		}
	})
}

// A subscriber that is cut off again and again, and resumes from its latest cursor,
// sees every entry once, in the order of the log.
func TestWatchResumesWithoutGapsOrRepeats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{okURL: slow(7 * time.Millisecond)})
		w := r.webhook(okURL)
		r.start()
		first, end := r.watch(delivery.WatchInput{Org: 1})
		cursor := (<-first).Cursor // a heartbeat
		end()
		const n = 700
		var writer sync.WaitGroup
		defer writer.Wait()
		writer.Go(func() {
			for range n / 10 {
				r.ingest(10, w)
				time.Sleep(20 * time.Millisecond)
			}
		})
		seen := make(map[delivery.LogID]bool)
		last := delivery.LogID(0)
		for round := 0; len(seen) < n; round++ {
			items, end := r.watch(delivery.WatchInput{Org: 1, After: cursor})
			for range 1 + round%40 {
				item := next(t, items)
				if seen[item.Entry.ID] || item.Entry.ID <= last {
					t.Fatalf("entry %d came again, or late", item.Entry.ID)
				}
				seen[item.Entry.ID], last, cursor = true, item.Entry.ID, item.Cursor
				if len(seen) == n {
					break
				}
			}
			end()
		}
	})
}

func TestWatchMarksWhatIsReplayed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		first, end := r.watch(delivery.WatchInput{Org: 1})
		cursor := (<-first).Cursor
		end()
		r.ingest(1, w)
		synctest.Wait()
		items, end := r.watch(delivery.WatchInput{Org: 1, After: cursor})
		defer end()
		if item := next(t, items); !item.Replayed {
			t.Error("an entry from before the watch is not marked as replayed")
		}
		r.ingest(1, w)
		if item := next(t, items); item.Replayed {
			t.Error("an entry from after the watch began is marked as replayed")
		}
	})
}

func TestWatchTellsOfAGapFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		synctest.Wait()
		old := feed.Cursor{At: time.Now().Add(-48 * time.Hour), Seen: feed.Vector{}}
		r.store.Change(func() { r.store.HorizonAt = time.Now().Add(-24 * time.Hour) })
		r.ingest(1, w)
		synctest.Wait()
		items, end := r.watch(delivery.WatchInput{Org: 1, After: old.String()})
		defer end()
		gap := next(t, items)
		if !gap.Gap || !gap.MissedSince.Equal(old.At) {
			t.Errorf("first item %+v, want a gap since %s", gap, old.At)
		}
		if item := next(t, items); item.Entry == nil {
			t.Errorf("second item %+v, want the entry", item)
		}
		again, end := r.watch(delivery.WatchInput{Org: 1, After: gap.Cursor})
		defer end()
		if item := next(t, again); item.Gap {
			t.Error("the cursor of a gap leads to the same gap")
		}
	})
}

func TestWatchBeatsWhenNothingHappens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		r.start()
		items, end := r.watch(delivery.WatchInput{Org: 1})
		defer end()
		began := time.Now()
		for i := range 3 {
			item := <-items
			took := time.Since(began)
			if item.Entry != nil || item.Gap || item.Cursor == "" || took != time.Duration(i)*15*time.Second {
				t.Fatalf("item %+v after %s, want a heartbeat at once and every 15 s", item, took)
			}
		}
	})
}

// What is logged about others can't be read from a cursor.
func TestWatchSealsItsCursors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		r.ingest(1, w)
		synctest.Wait()
		items, end := r.watch(delivery.WatchInput{Org: 1})
		defer end()
		first := <-items
		if _, err := feed.ParseCursor(first.Cursor); err == nil {
			t.Errorf("the cursor %q of a heartbeat can be read", first.Cursor)
		}
		r.ingest(1, w)
		entry := next(t, items)
		if _, err := feed.ParseCursor(entry.Cursor); err == nil {
			t.Errorf("the cursor %q of an entry can be read", entry.Cursor)
		}
		again, end := r.watch(delivery.WatchInput{Org: 1, After: first.Cursor})
		defer end()
		if item := next(t, again); item.Entry == nil || item.Entry.ID != entry.Entry.ID {
			t.Errorf("after the cursor comes %+v, want the entry", item)
		}
	})
}

func TestWatchRefusesForeignCursors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		at := time.Now()
		for name, cursor := range map[string]string{
			"other text":        "MTA",
			"another slot's id": feed.Cursor{At: at, Seen: feed.Vector{3: int64(delivery.IDAt[delivery.LogID](at))}}.String(),
			"an id to come": feed.Cursor{
				At:   at,
				Seen: feed.Vector{0: int64(delivery.IDAt[delivery.LogID](at.Add(time.Hour)))},
			}.String(),
			"an identifier":        delivery.LogID(5).String(),
			"more than any cursor": string(make([]byte, 100_000)),
		} {
			_, err := r.Watch(t.Context(), viewer, delivery.WatchInput{Org: 1, After: cursor})
			if e, ok := errors.AsType[*delivery.Error](err); !ok || e.Code != delivery.Invalid || e.Field != "after" {
				t.Errorf("%s: %v, want INVALID for the field after", name, err)
			}
		}
	})
}

// After a clock that was ahead for a moment, the ids of the log stay ahead of the
// clock, and a heartbeat from then has its time: their cursors go on without a gap.
func TestCursorsOutliveAClockThatWasAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const ahead = 10 * time.Minute
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		r.ids.Follow(int64(delivery.IDAt[delivery.LogID](time.Now().Add(ahead))))
		items, end := r.watch(delivery.WatchInput{Org: 1})
		r.ingest(1, w)
		cursor := next(t, items).Cursor
		end()
		missed := r.ingest(1, w)[0]
		synctest.Wait()
		parsed, err := feed.OpenCursor(cursor, rigKeyring(t))
		if err != nil {
			t.Fatal(err)
		}
		parsed.At = time.Now().Add(2 * ahead)
		for name, after := range map[string]string{"of an entry": cursor, "of a heartbeat": parsed.String()} {
			items, end := r.watch(delivery.WatchInput{Org: 1, After: after})
			if item := next(t, items); item.Gap || item.Entry.Delivery.ID != missed {
				t.Errorf("%s: resumed with %+v, want %s", name, item, missed)
			}
			end()
		}
	})
}

func TestWhoMayWatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		for name, tt := range map[string]struct {
			caller delivery.Caller
			org    delivery.OrgID
			want   delivery.Code
		}{
			"unauthenticated":         {delivery.Caller{}, 1, delivery.Unauthenticated},
			"another organization":    {otherAdmin, 1, delivery.NotFound},
			"everything, as a viewer": {viewer, 0, delivery.Forbidden},
			"a viewer":                {viewer, 1, ""},
			"everything, an operator": {operator, 0, ""},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := r.Watch(ctx, tt.caller, delivery.WatchInput{Org: tt.org})
			if got := delivery.CodeOf(err); got != tt.want || err != nil && got == "" {
				t.Errorf("%s: %v, want code %q", name, err, tt.want)
			}
			cancel()
			synctest.Wait()
		}
	})
}

func TestWatchFilters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, answers{badURL: status(404)})
		good, bad := r.webhook(okURL), r.webhook(badURL)
		r.start()
		synctest.Wait()
		for name, tt := range map[string]struct {
			filter delivery.DeliveryFilter
			want   int // entries of one delivered and one failed attempt
		}{
			"everything":         {delivery.DeliveryFilter{}, 2},
			"by webhook":         {delivery.DeliveryFilter{Webhooks: []delivery.WebhookID{good.ID}}, 1},
			"by state":           {delivery.DeliveryFilter{States: []delivery.State{delivery.Retrying}}, 1},
			"by outcome":         {delivery.DeliveryFilter{Outcomes: []delivery.Outcome{"TIMEOUT"}}, 0},
			"by status":          {delivery.DeliveryFilter{StatusFrom: 400, StatusTo: 499}, 1},
			"by type":            {delivery.DeliveryFilter{Types: []delivery.EventType{delivery.ObjectCreated}}, 0},
			"by trigger":         {delivery.DeliveryFilter{Triggers: []delivery.Trigger{delivery.ByEvent}}, 2},
			"by the item's name": {delivery.DeliveryFilter{Text: "DISK"}, 2},
			"by another name":    {delivery.DeliveryFilter{Text: "printer"}, 0},
			"by workspace":       {delivery.DeliveryFilter{WorkspaceID: "nowhere"}, 0},
			"by time":            {delivery.DeliveryFilter{Before: time.Now()}, 0},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			items, err := r.Watch(ctx, viewer, delivery.WatchInput{Org: 1, Filter: tt.filter})
			if err != nil {
				t.Fatal(err)
			}
			<-items // the first cursor
			r.ingest(1, good, bad)
			got := 0
			for item := range items {
				if item.Entry == nil {
					break // a heartbeat: that was all
				}
				if got++; item.Entry.Delivery.Attempts > 1 {
					got-- // a retry of an earlier case
				}
				if got == tt.want && tt.want == 2 {
					break
				}
			}
			cancel()
			if got != tt.want {
				t.Errorf("%s: %d entries, want %d", name, got, tt.want)
			}
			synctest.Wait()
		}
	})
}

func TestWatchEndsWithTheService(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		stop := r.start()
		items, end := r.watch(delivery.WatchInput{Org: 1})
		defer end()
		stuck, end := r.watch(delivery.WatchInput{Org: 1}) // nothing reads from it
		defer end()
		r.ingest(5, w)
		go func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}()
		for range items {
			continue
		}
		synctest.Wait()
		if _, open := <-stuck; open {
			t.Error("a subscriber that nothing reads from outlives the service")
		}
	})
}

// While the database is down a subscriber waits, and misses nothing.
func TestWatchSurvivesTheDatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil)
		w := r.webhook(okURL)
		r.start()
		items, end := r.watch(delivery.WatchInput{Org: 1, Filter: delivery.DeliveryFilter{Text: "disk"}})
		defer end()
		synctest.Wait()
		r.store.Change(func() {
			r.store.Fail = func(method string) error {
				if method == "Follow" || method == "EventsByID" {
					return errors.New("connection refused")
				}
				return nil
			}
		})
		ids := r.ingest(3, w)
		time.Sleep(20 * time.Second)
		r.store.Change(func() { r.store.Fail = nil })
		for range ids {
			if item := next(t, items); item.Entry == nil {
				t.Fatalf("item %+v, want an entry", item)
			}
		}
	})
}
