package feed

import (
	"context"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A model is a hub and its subscribers, executed one step at a time.
type model struct {
	memory

	hub     *Hub[entry]
	readers []*modelReader
}

type modelReader struct {
	reader

	sub   *Subscription[entry]
	waits <-chan struct{} // nil unless the last page was empty
}

// For any sequence of writes, reads of the hub, and subscribers that subscribe,
// resume, read and close, each subscriber gets exactly the matching entries after its
// cursor, in order.
func TestHubModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{}
		m.hub = New(m.log(), Options{
			Entries: rapid.IntRange(1, 8).Draw(rt, "entries"),
			Bytes:   rapid.IntRange(1, 100).Draw(rt, "bytes"),
			Page:    rapid.IntRange(1, 5).Draw(rt, "page"),
		})
		rt.Repeat(map[string]func(*rapid.T){
			"write":     m.write,
			"hub reads": m.hubReads,
			"subscribe": m.subscribe,
			"leave":     m.leave,
			"read":      m.read,
		})
		for _, r := range m.readers {
			for r.step(rt) > 0 || !m.atEnd(r.seen) {
				m.hubReads(rt)
			}
		}
	})
}

func (m *model) write(rt *rapid.T) {
	m.append(rapid.SliceOfN(rapid.IntRange(0, 3), 1, 6).Draw(rt, "slots")...)
}

// hubReads checks that the hub wakes every subscriber that waits for a new entry.
func (m *model) hubReads(rt *rapid.T) {
	if err := m.hub.read(context.Background()); err != nil {
		rt.Fatal(err)
	}
	for _, r := range m.readers {
		select {
		case <-r.waits:
		default:
			if r.waits != nil && slices.ContainsFunc(m.entries, r.misses) {
				rt.Fatalf("subscriber %s at %v was not woken", r.Key, r.seen)
			}
		}
	}
}

// misses reports whether e matches and has not been seen.
func (r *reader) misses(e entry) bool {
	return !r.seen.Has(e.slot, e.number) && (r.Wants == nil || r.Wants(e))
}

// subscribe adds a subscriber at the start of the log or at the position of another
// one, with any interest.
func (m *model) subscribe(rt *rapid.T) {
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(interests))).Draw(rt, "interest")
	r := &modelReader{reader: reader{Interest: interests[name], seen: Vector{}}}
	if len(m.readers) > 0 && rapid.Bool().Draw(rt, "resumes") {
		r.seen = rapid.SampledFrom(m.readers).Draw(rt, "from").seen.Clone()
	}
	r.sub = m.hub.Subscribe(Cursor{Seen: r.seen}, r.Interest)
	m.readers = append(m.readers, r)
}

func (m *model) leave(rt *rapid.T) {
	if len(m.readers) == 0 {
		rt.Skip()
	}
	i := rapid.IntRange(0, len(m.readers)-1).Draw(rt, "who")
	m.readers[i].sub.Close()
	m.readers = slices.Delete(m.readers, i, i+1)
}

func (m *model) read(rt *rapid.T) {
	if len(m.readers) == 0 {
		rt.Skip()
	}
	rapid.SampledFrom(m.readers).Draw(rt, "who").step(rt)
}

// step reads a page.
func (r *modelReader) step(rt *rapid.T) int {
	changed := r.sub.Changed()
	n, err := r.read(context.Background(), r.sub)
	if err != nil {
		rt.Fatal(err)
	}
	if r.waits = changed; n > 0 {
		r.waits = nil
	}
	return n
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
