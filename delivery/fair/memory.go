package fair

import (
	"sync"

	"portalhooks/delivery"
)

// A Memory accounts for the deliveries that this server holds: room for them is
// reserved before they come in, and freed when their results are stored or they
// return to the queue. It also knows which they are: the database may lease one
// of them again when its clock jumps ahead, or when it has waited for longer
// than its lease, and the same server would then send it twice at once.
type Memory struct {
	limit int

	mu      sync.Mutex
	used    int // deliveries in memory, reserved ones included
	ids     map[delivery.DeliveryID]struct{}
	starved bool // something was left in the queue for lack of room

	// freed are the deliveries that left memory during the claim in progress; nil
	// without one.
	freed map[delivery.DeliveryID]struct{}
}

// NewMemory returns a memory with room for limit deliveries.
func NewMemory(limit int) *Memory {
	return &Memory{limit: limit, ids: make(map[delivery.DeliveryID]struct{})}
}

// Reserve takes room for n deliveries and reports whether there was enough; an
// eighth of all room is left for alerts.
func (m *Memory) Reserve(n int, urgent bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	room := m.limit
	if !urgent {
		room -= room / 8
	}
	if m.used+n > room {
		m.starved = true
		return false
	}
	m.used += n
	return true
}

// Add notes which deliveries the reserved room is for, and returns how much
// room is left.
func (m *Memory) Add(jobs []delivery.Job) (left int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range jobs {
		m.ids[jobs[i].Delivery.ID] = struct{}{}
	}
	return m.limit - m.used
}

// Left returns how much room is left.
func (m *Memory) Left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.limit - m.used
}

// BeginClaim is called before a claim, and EndClaim after it.
func (m *Memory) BeginClaim() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freed = make(map[delivery.DeliveryID]struct{})
}

// EndClaim returns the jobs of a claim that are absent from memory: these may be
// sent. Freed are the ones that left memory during the claim: they may have been
// leased again before their results were stored.
func (m *Memory) EndClaim(jobs []delivery.Job) (absent, freed []delivery.Job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range jobs {
		id := jobs[i].Delivery.ID
		if _, held := m.ids[id]; held {
			continue
		}
		if _, left := m.freed[id]; left {
			freed = append(freed, jobs[i])
			continue
		}
		absent = append(absent, jobs[i])
	}
	m.freed = nil
	return absent, freed
}

// Cancel gives back room that was reserved for n deliveries and not used.
func (m *Memory) Cancel(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
}

// Free forgets deliveries and gives their room back; ids that are not in memory
// change nothing.
func (m *Memory) Free(ids ...delivery.DeliveryID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, id := range ids {
		if _, held := m.ids[id]; held {
			delete(m.ids, id)
			if m.freed != nil {
				m.freed[id] = struct{}{}
			}
			n++
		}
	}
	m.used -= n
}

// Relieved reports, once, that something was left in the queue for lack of room
// and that a quarter of all room is free again.
func (m *Memory) Relieved() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.starved || m.used > m.limit*3/4 {
		return false
	}
	m.starved = false
	return true
}

// Held returns how many deliveries are in memory, reserved ones included.
func (m *Memory) Held() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
