package delivery

import "sync"

// A present knows the deliveries in memory, until their results are stored. The
// database may lend one of them again when its clock jumps ahead, or when it
// has waited for longer than its lease: its own process would then send it
// twice at once.
type present struct {
	mu  sync.Mutex
	ids map[DeliveryID]struct{}
}

// add notes tasks that come into memory.
func (p *present) add(tasks []task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids == nil {
		p.ids = make(map[DeliveryID]struct{}, len(tasks))
	}
	for i := range tasks {
		p.ids[tasks[i].Delivery.ID] = struct{}{}
	}
}

// remove forgets deliveries whose results are stored, or that are about to go
// back to the queue.
func (p *present) remove(ids ...DeliveryID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		delete(p.ids, id)
	}
}

// absent returns the jobs whose deliveries are not in memory.
func (p *present) absent(jobs []Job) []Job {
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []Job
	for i := range jobs {
		if _, here := p.ids[jobs[i].Delivery.ID]; !here {
			left = append(left, jobs[i])
		}
	}
	return left
}
