package pipeline

import (
	"sync"

	"portalhooks/delivery"
)

// A memory accounts for the deliveries that this server holds: room for them is
// reserved before they come in, and freed when their results are stored or they
// return to the queue. It also knows which they are: the database may lease one
// of them again when its clock jumps ahead, or when it has waited for longer
// than its lease, and the same server would then send it twice at once.
type memory struct {
	limit int

	mu      sync.Mutex
	used    int // deliveries in memory, reserved ones included
	ids     map[delivery.DeliveryID]struct{}
	starved bool // something was left in the queue for lack of room

	// freed are the deliveries that left memory during the claim in progress; nil
	// without one.
	freed map[delivery.DeliveryID]struct{}
}

func newMemory(limit int) *memory {
	return &memory{limit: limit, ids: make(map[delivery.DeliveryID]struct{})}
}

// reserve takes room for n deliveries and reports whether there was enough; an
// eighth of all room is left for alerts.
func (m *memory) reserve(n int, urgent bool) bool {
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

// add notes which deliveries the reserved room is for, and returns how much
// room is left.
func (m *memory) add(jobs []delivery.Job) (left int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range jobs {
		m.ids[jobs[i].Delivery.ID] = struct{}{}
	}
	return m.limit - m.used
}

// beginClaim is called before a claim, and endClaim after it.
func (m *memory) beginClaim() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.freed = make(map[delivery.DeliveryID]struct{})
}

// endClaim returns the jobs of a claim that may be sent. Those that are in memory
// are not among them. Neither are those that left it during the claim: they may
// have been leased again before their results were stored.
func (m *memory) endClaim(jobs []delivery.Job) (absent, freed []delivery.Job) {
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

// cancel gives back room that was reserved for n deliveries and not used.
func (m *memory) cancel(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release(n)
}

// free forgets deliveries and gives their room back; ids that are not in memory
// change nothing.
func (m *memory) free(ids ...delivery.DeliveryID) {
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
	m.release(n)
}

// release lowers the use by n. It needs the lock.
func (m *memory) release(n int) {
	m.used -= n
}

// relieved reports, once, that something was left in the queue for lack of room
// and that a quarter of all room is free again.
func (m *memory) relieved() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.starved || m.used > m.limit*3/4 {
		return false
	}
	m.starved = false
	return true
}

// held returns how many deliveries are in memory, reserved ones included.
func (m *memory) held() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
