package receiver

import "sync"

// maxIDs is the maximum number of webhook-ids whose calls are counted.
const maxIDs = 10_000

// failures counts the calls of each webhook-id. Beyond maxIDs the oldest id is
// evicted; if it is called again it counts from 1.
type failures struct {
	mu    sync.Mutex
	calls map[string]int
	order []string // ring buffer once full
	next  int
}

// call counts a call of id and returns its number, from 1.
func (f *failures) call(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	if _, ok := f.calls[id]; !ok {
		f.add(id)
	}
	f.calls[id]++
	return f.calls[id]
}

func (f *failures) add(id string) {
	if len(f.order) < maxIDs {
		f.order = append(f.order, id)
		return
	}
	delete(f.calls, f.order[f.next])
	f.order[f.next] = id
	f.next = (f.next + 1) % maxIDs
}
