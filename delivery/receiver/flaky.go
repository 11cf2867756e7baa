package receiver

import "sync"

// maxIDs bounds the webhook-ids whose calls are counted.
const maxIDs = 10_000

// failures counts the calls of each webhook-id. When there are too many ids
// the oldest is forgotten, and fails again if it comes back.
type failures struct {
	mu    sync.Mutex
	calls map[string]int
	order []string // a ring, once it is full
	next  int
}

// call counts a call of id and returns its number, beginning with 1.
func (f *failures) call(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	if _, ok := f.calls[id]; !ok {
		f.remember(id)
	}
	f.calls[id]++
	return f.calls[id]
}

func (f *failures) remember(id string) {
	if len(f.order) < maxIDs {
		f.order = append(f.order, id)
		return
	}
	delete(f.calls, f.order[f.next])
	f.order[f.next] = id
	f.next = (f.next + 1) % maxIDs
}
