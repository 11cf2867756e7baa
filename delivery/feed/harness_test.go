package feed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

type entry struct {
	slot   int
	number int64
}

// A memory is an in-memory log.
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
		// The numbers of different slots are far apart, as with unsynchronized clocks.
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
		At:    func(entry) time.Time { return time.Time{} },
		Size:  func(entry) int { return 10 },
	}
}

// interests are the interests of the tests' subscribers, by name.
var interests = map[string]Interest[entry]{
	"all":     {Key: "all"},
	"nothing": {Key: "nothing", Wants: func(entry) bool { return false }},
	"slot 1":  {Key: "slot 1", Wants: func(e entry) bool { return e.slot == 1 }},
	"few":     {Key: "few", Wants: func(e entry) bool { return e.number%7 == 0 }},
	"most":    {Key: "most", Wants: func(e entry) bool { return e.slot != 0 || e.number%2 == 0 }},
}

// A reader reads for one subscriber and checks that it gets every matching entry
// between two positions exactly once and in order, and nothing else.
type reader struct {
	Interest[entry]

	seen Vector
	got  int
}

func (r *reader) take(page []Item[entry]) error {
	for _, item := range page {
		c, err := ParseCursor(item.Cursor)
		if err != nil {
			return err
		}
		if err := r.pass(c.Seen, &item.Entry); err != nil {
			return err
		}
		r.got++
	}
	return nil
}

// pass moves to a position and checks that no entry other than item matches in
// between. Item is nil for none.
func (r *reader) pass(to Vector, item *entry) error {
	if !to.covers(r.seen) {
		return fmt.Errorf("the position moved back from %v to %v", r.seen, to)
	}
	found := item == nil
	for slot, number := range to {
		step := 1 + int64(slot)*10
		for n := r.seen[slot] + step; n <= number; n += step {
			e := entry{slot, n}
			switch {
			case item != nil && e == *item:
				found = true
			case r.Wants == nil || r.Wants(e):
				return fmt.Errorf("%v is missing between %v and %v", e, r.seen, to)
			}
		}
	}
	if !found {
		return fmt.Errorf("%v is not between %v and %v: it is a duplicate or late", *item, r.seen, to)
	}
	if item != nil && r.Wants != nil && !r.Wants(*item) {
		return fmt.Errorf("%v does not match the interest", *item)
	}
	r.seen = to.Clone()
	return nil
}

// read reads and checks one page of sub.
func (r *reader) read(ctx context.Context, sub *Subscription[entry]) (int, error) {
	page, err := sub.Read(ctx)
	if err == nil {
		err = r.take(page)
	}
	if err == nil {
		err = r.pass(sub.Seen().Seen, nil)
	}
	return len(page), err
}

// follow reads until the subscriber has reached a position.
func (r *reader) follow(ctx context.Context, h *Hub[entry], to Vector, pause func()) error {
	sub := h.Subscribe(Cursor{Seen: r.seen}, r.Interest)
	defer sub.Close()
	for {
		changed := sub.Changed()
		n, err := r.read(ctx, sub)
		if err != nil || r.seen.covers(to) {
			return err
		}
		pause()
		if n > 0 {
			continue
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond): // no further entry may match
		case <-ctx.Done():
			return fmt.Errorf("got %d entries up to %v: %w", r.got, r.seen, ctx.Err())
		}
	}
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
