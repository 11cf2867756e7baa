package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

type entry struct {
	slot   int
	number int64
}

// A memory is a log in memory.
type memory struct {
	mu      sync.Mutex
	entries []entry
	last    map[int]int64
	reads   int
	failing error
}

func (m *memory) append(slots ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		m.last = make(map[int]int64)
	}
	for _, slot := range slots {
		// Numbers of different slots are far apart, as they are when one clock
		// is behind.
		m.last[slot] += 1 + int64(slot)*10
		m.entries = append(m.entries, entry{slot, m.last[slot]})
	}
}

// discard removes the oldest n entries.
func (m *memory) discard(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = m.entries[n:]
}

func (m *memory) log() Log[entry] {
	return Log[entry]{
		Tail: func(context.Context) (Vector, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			tail := make(Vector)
			for _, e := range m.entries {
				tail.Advance(e.slot, e.number)
			}
			return tail, m.failing
		},
		Follow: func(_ context.Context, after Vector, limit int) ([]entry, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.reads++
			var found []entry
			for _, e := range m.entries {
				if !after.Has(e.slot, e.number) {
					found = append(found, e)
				}
			}
			slices.SortStableFunc(found, func(a, b entry) int { return cmp.Compare(a.number, b.number) })
			return found[:min(limit, len(found))], m.failing
		},
		Place: func(e entry) (int, int64) { return e.slot, e.number },
		Size:  func(entry) int { return 10 },
	}
}

// A reader pulls for one subscriber and checks what it gets.
type reader struct {
	seen Vector
	got  int
}

func (r *reader) take(page []entry) error {
	for _, e := range page {
		if r.seen.Has(e.slot, e.number) {
			return fmt.Errorf("entry %v came twice, or after a later one", e)
		}
		if step := 1 + int64(e.slot)*10; e.number != r.seen[e.slot]+step {
			return fmt.Errorf("entry %v follows %d: one was left out", e, r.seen[e.slot])
		}
		r.seen.Advance(e.slot, e.number)
		r.got++
	}
	return nil
}

// follow pulls until the subscriber has got n entries.
func (r *reader) follow(ctx context.Context, h *Hub[entry], n int, pause func()) error {
	sub := h.Subscribe(r.seen)
	defer sub.Close()
	for r.got < n {
		changed := sub.Changed()
		page, err := sub.Read(ctx)
		if err != nil {
			return err
		}
		if err := r.take(page); err != nil {
			return err
		}
		pause()
		if len(page) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("got %d of %d: %w", r.got, n, ctx.Err())
		}
	}
	return nil
}

func start(t *testing.T, h *Hub[entry]) (ctx context.Context) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return ctx
}

// Writers on several slots, and subscribers that are fast, slow and behind the
// ring: each gets every entry once, in order.
func TestEverySubscriberGetsEveryEntryOnce(t *testing.T) {
	const writers, each = 4, 500
	m := &memory{}
	h := New(m.log(), Options{Entries: 64, Page: 10, Pause: time.Microsecond})
	ctx := start(t, h)

	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			pause := func() {}
			if i%3 == 0 { // falls behind the ring of 64 again and again
				pause = func() { sleep(ctx, time.Duration(rand.IntN(2000))*time.Microsecond) }
			}
			r := reader{seen: Vector{}}
			if err := r.follow(ctx, h, writers*each, pause); err != nil {
				t.Errorf("subscriber %d: %v", i, err)
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

// Any interleaving of writes, reads, subscribers and discards.
func TestHubModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &memory{}
		h := New(m.log(), Options{
			Entries: rapid.IntRange(1, 8).Draw(rt, "entries"),
			Bytes:   rapid.IntRange(1, 100).Draw(rt, "bytes"),
			Page:    rapid.IntRange(1, 5).Draw(rt, "page"),
		})
		ctx := context.Background()
		type subscriber struct {
			reader
			sub *Subscription[entry]
		}
		var subs []*subscriber
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) { m.append(rapid.SliceOfN(rapid.IntRange(0, 3), 1, 6).Draw(rt, "slots")...) },
			"hub reads": func(rt *rapid.T) {
				if err := h.read(ctx); err != nil {
					rt.Fatal(err)
				}
			},
			"subscribe": func(rt *rapid.T) {
				s := &subscriber{reader: reader{seen: Vector{}}}
				if len(subs) > 0 && rapid.Bool().Draw(rt, "resumes") {
					s.seen = rapid.SampledFrom(subs).Draw(rt, "from").seen.Clone()
				}
				s.sub = h.Subscribe(s.seen)
				subs = append(subs, s)
			},
			"leave": func(rt *rapid.T) {
				if len(subs) == 0 {
					rt.Skip()
				}
				i := rapid.IntRange(0, len(subs)-1).Draw(rt, "who")
				subs[i].sub.Close()
				subs = slices.Delete(subs, i, i+1)
			},
			"read": func(rt *rapid.T) {
				if len(subs) == 0 {
					rt.Skip()
				}
				s := rapid.SampledFrom(subs).Draw(rt, "who")
				page, err := s.sub.Read(ctx)
				if err == nil {
					err = s.take(page)
				}
				if err != nil {
					rt.Fatal(err)
				}
			},
		})
		for _, s := range subs { // everybody gets to the end
			for {
				page, err := s.sub.Read(ctx)
				if err == nil {
					err = s.take(page)
				}
				if err != nil {
					rt.Fatal(err)
				}
				if len(page) == 0 && m.atEnd(s.seen) {
					break
				}
				if err := h.read(ctx); err != nil {
					rt.Fatal(err)
				}
			}
		}
	})
}

func (m *memory) atEnd(seen Vector) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for slot, number := range m.last {
		if seen[slot] != number {
			return false
		}
	}
	return true
}

func TestWakeReachesASubscriberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.append(1, 1)
		external := make(chan struct{})
		h := New(m.log(), Options{Poll: time.Hour, External: external})
		ctx := start(t, h)
		sub := h.Subscribe(Vector{1: 22})
		defer sub.Close()
		synctest.Wait()

		for name, wake := range map[string]func(){
			"from inside":  h.Wake,
			"from outside": func() { external <- struct{}{} },
		} {
			sleep(ctx, time.Second)
			began := time.Now()
			changed := sub.Changed()
			m.append(1)
			wake()
			<-changed
			if took := time.Since(began); took > 0 {
				t.Errorf("%s: woken after %s, want at once", name, took)
			}
			if page, err := sub.Read(ctx); len(page) != 1 || err != nil {
				t.Errorf("%s: read %v, %v; want the new entry", name, page, err)
			}
		}
	})
}

func TestThePollIsTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Poll: 3 * time.Second})
		ctx := start(t, h)
		sub := h.Subscribe(nil)
		defer sub.Close()
		synctest.Wait()
		sleep(ctx, time.Millisecond)
		changed := sub.Changed()
		m.append(0)
		began := time.Now()
		<-changed
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("noticed after %s, want within the poll of 3s", took)
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
			subs = append(subs, h.Subscribe(nil))
		}
		sleep(ctx, time.Second)
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
		if h.Subscribers() != 0 || h.ring != nil {
			t.Errorf("%d subscribers and a ring are left", h.Subscribers())
		}
	})
}

func TestNobodyWatchingCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{})
		ctx := start(t, h)
		m.append(0)
		h.Wake()
		sleep(ctx, time.Minute)
		if m.reads != 0 {
			t.Errorf("%d reads, want none", m.reads)
		}
	})
}

func TestAnErrorOfTheLogLeavesNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Poll: time.Second})
		ctx := start(t, h)
		sub := h.Subscribe(nil)
		defer sub.Close()
		sleep(ctx, 5*time.Second)
		m.mu.Lock()
		m.failing = errors.New("away")
		m.mu.Unlock()
		m.append(0, 1, 2)
		sleep(ctx, 10*time.Second)
		m.mu.Lock()
		m.failing = nil
		m.mu.Unlock()
		sleep(ctx, 2*time.Second)
		if page, err := sub.Read(ctx); len(page) != 3 || err != nil {
			t.Errorf("read %v, %v; want all 3 entries", page, err)
		}
	})
}

func TestDiscardedEntriesAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		h := New(m.log(), Options{Entries: 4, Page: 4, Poll: time.Second})
		ctx := start(t, h)
		other := h.Subscribe(nil) // keeps the ring
		defer other.Close()
		sleep(ctx, time.Second+time.Second/2) // between two polls
		for range 20 {
			m.append(0)
		}
		m.discard(18) // some of them before the ring's start
		sleep(ctx, 5*time.Second)
		sub := h.Subscribe(nil)
		defer sub.Close()
		var got []entry
		for range 4 {
			page, err := sub.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
		}
		if want := []entry{{0, 19}, {0, 20}}; !slices.Equal(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	})
}

func TestAStoppedHubTellsItsSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New((&memory{}).log(), Options{})
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			if err := h.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		sub := h.Subscribe(nil)
		defer sub.Close()
		sleep(ctx, time.Second)
		changed := sub.Changed()
		stop()
		<-changed
		<-h.Stopped()
		if _, err := sub.Read(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("Read = %v, want ErrStopped", err)
		}
	})
}
