package feed

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portalhooks/delivery/loop"
)

// With writers on several slots, and subscribers that are fast, slow or behind the
// ring, each subscriber gets every matching entry exactly once and in order.
func TestEverySubscriberGetsEveryEntryOnce(t *testing.T) {
	const writers, each = 4, 500
	end := Vector{}
	for slot := range writers {
		end[slot] = each * (1 + int64(slot)*10)
	}
	names := slices.Sorted(maps.Keys(interests))
	m := &memory{}
	h := New(m.log(), Options{Entries: 64, Page: 10, Pause: time.Microsecond})
	ctx := start(t, h)

	var all sync.WaitGroup
	for i := range 15 {
		all.Go(func() {
			pause := func() {}
			if i%3 == 0 { // repeatedly falls behind the ring of 64
				pause = func() { loop.Sleep(ctx, time.Duration(rand.IntN(2000))*time.Microsecond) }
			}
			r := reader{Interest: interests[names[i%len(names)]], seen: Vector{}}
			if err := r.follow(ctx, h, end, pause); err != nil {
				t.Errorf("subscriber %d, interest %s: %v", i, r.Key, err)
			}
		})
	}
	for slot := range writers {
		all.Go(func() {
			for range each {
				m.append(slot)
				h.Wake()
			}
		})
	}
	all.Wait()
}

func TestWakeReachesSubscribersImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.append(1, 1)
		external := make(chan struct{})
		h := New(m.log(), Options{Poll: time.Hour, External: external})
		ctx := start(t, h)
		sub := h.Subscribe(Cursor{Seen: Vector{1: 22}}, Interest[entry]{})
		defer sub.Close()
		synctest.Wait()

		for name, wake := range map[string]func(){
			"Wake":     h.Wake,
			"External": func() { external <- struct{}{} },
		} {
			loop.Sleep(ctx, time.Second)
			began := time.Now()
			changed := sub.Changed()
			m.append(1)
			wake()
			<-changed
			if took := time.Since(began); took > 0 {
				t.Errorf("%s: woken after %s, want immediately", name, took)
			}
			if page, err := sub.Read(ctx); len(page) != 1 || err != nil {
				t.Errorf("%s: read %v, %v; want the new entry", name, page, err)
			}
		}
	})
}

func TestPollFindsEntriesWithoutAWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Poll: 3 * time.Second})
		ctx := start(t, h)
		sub := h.Subscribe(Cursor{}, Interest[entry]{})
		defer sub.Close()
		synctest.Wait()
		loop.Sleep(ctx, time.Millisecond)
		changed := sub.Changed()
		m.append(0)
		began := time.Now()
		<-changed
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("found after %s, want within the poll interval of 3s", took)
		}
	})
}

func TestSubscribersShareOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Poll: time.Hour})
		ctx := start(t, h)
		var subs []*Subscription[entry]
		for range 100 {
			subs = append(subs, h.Subscribe(Cursor{}, Interest[entry]{}))
		}
		loop.Sleep(ctx, time.Second)
		m.append(0, 0, 0)
		before := m.reads
		h.Wake()
		synctest.Wait()
		for _, s := range subs {
			if page, err := s.Read(ctx); len(page) != 3 || err != nil {
				t.Fatalf("read %v, %v; want 3 entries", page, err)
			}
			s.Close()
		}
		if n := m.reads - before; n != 1 {
			t.Errorf("%d reads of the log for 100 subscribers, want 1", n)
		}
		if h.Subscribers() != 0 || h.ring != nil || len(h.views) != 0 {
			t.Errorf("after Close: %d subscribers, %d views, ring %t; want none",
				h.Subscribers(), len(h.views), h.ring != nil)
		}
	})
}

func TestHubDoesNotReadWithoutSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{})
		ctx := start(t, h)
		m.append(0)
		h.Wake()
		loop.Sleep(ctx, time.Minute)
		if m.reads != 0 {
			t.Errorf("%d reads, want none", m.reads)
		}
	})
}

func TestErrorOfTheLogLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Poll: time.Second})
		ctx := start(t, h)
		sub := h.Subscribe(Cursor{}, Interest[entry]{})
		defer sub.Close()
		loop.Sleep(ctx, 5*time.Second)
		m.mu.Lock()
		m.failing = errors.New("unavailable")
		m.mu.Unlock()
		m.append(0, 1, 2)
		loop.Sleep(ctx, 10*time.Second)
		m.mu.Lock()
		m.failing = nil
		m.mu.Unlock()
		loop.Sleep(ctx, 2*time.Second)
		if page, err := sub.Read(ctx); len(page) != 3 || err != nil {
			t.Errorf("read %v, %v; want all 3 entries", page, err)
		}
	})
}

func TestSubscribersSkipDiscardedEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Entries: 4, Page: 4, Poll: time.Second})
		ctx := start(t, h)
		other := h.Subscribe(Cursor{}, Interest[entry]{}) // keeps the ring
		defer other.Close()
		loop.Sleep(ctx, time.Second+time.Second/2) // between two polls
		for range 20 {
			m.append(0)
		}
		m.discard(18) // including entries before the start of the ring
		loop.Sleep(ctx, 5*time.Second)
		sub := h.Subscribe(Cursor{}, Interest[entry]{})
		defer sub.Close()
		var got []entry
		for range 4 {
			page, err := sub.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page {
				got = append(got, item.Entry)
			}
		}
		if want := []entry{{0, 19}, {0, 20}}; !slices.Equal(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	})
}

func TestStoppedHubWakesSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New((&memory{}).log(), Options{})
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			if err := h.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		sub := h.Subscribe(Cursor{}, Interest[entry]{})
		defer sub.Close()
		loop.Sleep(ctx, time.Second)
		changed := sub.Changed()
		stop()
		<-changed
		<-h.Stopped()
		if _, err := sub.Read(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("Read = %v, want ErrStopped", err)
		}
	})
}
