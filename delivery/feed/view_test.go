package feed

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery/loop"
)

// counting returns an interest that counts the calls of Wants.
func counting(of string, calls *int) Interest[entry] {
	wants := interests[of].Wants
	return Interest[entry]{Key: of, Wants: func(e entry) bool {
		*calls++
		return wants(e)
	}}
}

// edge returns a subscription that has read to the end of the ring.
func edge(ctx context.Context, t *testing.T, h *Hub[entry], in Interest[entry]) *Subscription[entry] {
	t.Helper()
	sub := h.Subscribe(Cursor{}, in)
	t.Cleanup(sub.Close)
	synctest.Wait() // for the hub to open the ring
	if page, err := sub.Read(ctx); len(page) > 0 || err != nil {
		t.Fatalf("read %v, %v; want nothing", page, err)
	}
	return sub
}

func TestEntryIsMatchedOncePerInterest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, calls := &memory{}, 0
		h := New(m.log(), Options{Poll: time.Hour})
		ctx := start(t, h)
		var subs []*Subscription[entry]
		for range 100 {
			subs = append(subs, edge(ctx, t, h, counting("slot 1", &calls)))
		}
		loop.Sleep(ctx, time.Second)
		calls = 0
		m.append(0, 1, 0, 1)
		h.Wake()
		synctest.Wait()
		for _, s := range subs {
			if page, err := s.Read(ctx); len(page) != 2 || err != nil {
				t.Fatalf("read %v, %v; want the 2 entries of slot 1", page, err)
			}
		}
		if calls != 4 {
			t.Errorf("Wants was called %d times for 4 entries and 100 subscribers with one interest, want 4", calls)
		}
	})
}

func TestSubscriberIsWokenOnlyForMatchingEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Poll: time.Hour})
		ctx := start(t, h)
		all, one := edge(ctx, t, h, interests["all"]), edge(ctx, t, h, interests["slot 1"])
		forAll, forOne := all.Changed(), one.Changed()
		loop.Sleep(ctx, time.Second)
		m.append(0)
		h.Wake()
		<-forAll
		select {
		case <-forOne:
			t.Error("woken for an entry that does not match")
		default:
		}
		m.append(1)
		h.Wake()
		<-forOne
		page, err := one.Read(ctx)
		if err != nil || len(page) != 1 || page[0].Entry != (entry{1, 11}) {
			t.Errorf("read %v, %v; want the entry of slot 1", page, err)
		}
	})
}

// A subscriber stays at the edge while no entry matches, even if the ring drops
// entries that it has not read: it does not replay the log.
func TestSubscriberWithoutMatchesDoesNotReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Entries: 4, Page: 4, Poll: time.Hour})
		ctx := start(t, h)
		sub := edge(ctx, t, h, interests["slot 1"])
		loop.Sleep(ctx, time.Second)
		for range 10 {
			m.append(0, 0, 0)
			h.Wake()
			loop.Sleep(ctx, time.Second)
		}
		before := m.reads
		if page, err := sub.Read(ctx); len(page) > 0 || err != nil {
			t.Fatalf("read %v, %v; want nothing", page, err)
		}
		if m.reads != before || sub.Seen().Seen[0] != 30 {
			t.Errorf("%d reads of the log, seen %v; want no read and entry 30", m.reads-before, sub.Seen().Seen)
		}
		m.append(1, 0, 0, 0, 0, 0) // the first one matches, and is dropped before it is read
		h.Wake()
		loop.Sleep(ctx, time.Second)
		page, err := sub.Read(ctx)
		if err != nil || len(page) != 1 || page[0].Entry != (entry{1, 11}) {
			t.Errorf("read %v, %v; want the entry of slot 1", page, err)
		}
	})
}

// Subscribers that start late, or behind the ring, catch up to the shared edge.
func TestSubscribersCatchUpToTheEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, calls := &memory{}, 0
		for range 50 {
			m.append(0, 1)
		}
		h := New(m.log(), Options{Entries: 16, Page: 7, Poll: time.Hour})
		ctx := start(t, h)
		in := counting("slot 1", &calls)
		first := h.Subscribe(Cursor{}, in)
		loop.Sleep(ctx, time.Second)
		m.append(1, 0) // in the ring, before the second subscriber starts
		h.Wake()
		loop.Sleep(ctx, time.Second)
		second := h.Subscribe(Cursor{Seen: Vector{0: 40, 1: 11 * 45}}, in)
		defer second.Close()
		readers := []reader{
			{Interest: interests["slot 1"], seen: Vector{}},
			{Interest: interests["slot 1"], seen: Vector{0: 40, 1: 11 * 45}},
		}
		for i, sub := range []*Subscription[entry]{first, second} {
			for n := 1; n > 0; {
				var err error
				if n, err = readers[i].read(ctx, sub); err != nil {
					t.Fatal(err)
				}
			}
		}
		if readers[0].got != 51 || readers[1].got != 6 {
			t.Errorf("got %d and %d entries, want 51 and 6", readers[0].got, readers[1].got)
		}
		first.Close() // does not affect the other subscriber
		calls = 0
		m.append(0, 1)
		h.Wake()
		synctest.Wait()
		if n, err := readers[1].read(ctx, second); n != 1 || err != nil || calls != 2 {
			t.Errorf("read %d, %v with %d calls of Wants; want 1 entry and 2 calls", n, err, calls)
		}
	})
}

func TestStoppedHubWakesEveryView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New((&memory{}).log(), Options{})
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = h.Run(ctx) }()
		sub := edge(ctx, t, h, interests["nothing"])
		changed := sub.Changed()
		stop()
		<-changed
	})
}

func TestFollowingFindsEveryBit(t *testing.T) {
	for _, capacity := range []int{1, 7, 63, 64, 65, 130, 10_000} {
		v := newView[entry](nil, capacity)
		first, end := int64(5*capacity/2), int64(5*capacity/2+capacity) // wraps around the ring
		var want, got []int64
		for i := first; i < end; i += 1 + i%5 {
			v.add(i%int64(capacity), entry{})
			want = append(want, i)
		}
		for i := v.following(first, end, int64(capacity)); i < end; i = v.following(i+1, end, int64(capacity)) {
			got = append(got, i)
		}
		if !slices.Equal(got, want) {
			t.Errorf("capacity %d: found %v, want %v", capacity, got, want)
		}
	}
}
