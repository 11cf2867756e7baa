package delivery

import (
	"sync"
	"time"
)

// A task is a job in memory.
type task struct {
	Job

	leased time.Time // until when the delivery is surely this process's
}

// A router decides which of the tasks in memory is next: organizations take
// turns, in an organization its webhooks take turns, and a webhook's tasks come
// first in, first out, at most perHook of them at once. So neither a busy
// organization nor a receiver that hangs holds up the others.
//
// It does not bound what it holds in all; whoever puts tasks in reserves room
// first. It bounds what one webhook holds by what is free: a webhook may take a
// quarter of the room that is left, so however many receivers hang, there is
// some left for the others.
type router struct {
	perHook int

	mu     sync.Mutex
	ready  sync.Cond
	lanes  map[WebhookID]*lane
	orgs   map[OrgID]*orgTurn
	turns  fifo[*orgTurn] // organizations that have a lane in their own turns
	closed bool

	refusing int // lanes that have refused tasks and not got rid of enough since
}

// An orgTurn holds the lanes of one organization that could go on at once.
type orgTurn struct {
	id     OrgID
	lanes  fifo[*lane]
	queued bool // in router.turns
}

// A lane holds the tasks of one webhook.
type lane struct {
	id      WebhookID
	org     OrgID
	tasks   fifo[task]
	busy    int
	queued  bool // in its orgTurn's lanes
	refused int  // its bound when it refused a task; 0 when it has not
}

func newRouter(perHook int) *router {
	r := &router{
		perHook: perHook,
		lanes:   make(map[WebhookID]*lane),
		orgs:    make(map[OrgID]*orgTurn),
	}
	r.ready.L = &r.mu
	return r
}

// put takes over the tasks and returns those that it has no place for: those of
// webhooks that hold too much of the free room already, and all when it is
// closed.
func (r *router) put(tasks []task, free int) (refused []task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return tasks
	}
	bound := max(2*r.perHook, free/4)
	for _, t := range tasks {
		l := r.lane(t.Delivery)
		if l.tasks.len() >= bound {
			if l.refused == 0 {
				r.refusing++
			}
			l.refused = bound
			refused = append(refused, t)
			continue
		}
		l.tasks.push(t)
		r.queue(l)
	}
	return refused
}

func (r *router) lane(d Delivery) *lane {
	l := r.lanes[d.Webhook]
	if l == nil {
		l = &lane{id: d.Webhook, org: d.Org}
		r.lanes[d.Webhook] = l
	}
	return l
}

// queue gives the lane a turn if it could use one.
func (r *router) queue(l *lane) {
	if l.queued || l.tasks.len() == 0 || l.busy >= r.perHook {
		return
	}
	o := r.orgs[l.org]
	if o == nil {
		o = &orgTurn{id: l.org}
		r.orgs[l.org] = o
	}
	l.queued = true
	o.lanes.push(l)
	if !o.queued {
		o.queued = true
		r.turns.push(o)
	}
	r.ready.Signal()
}

// take waits for the next task and reports false when the router is closed.
// Call done when the task is. relieved says that a webhook which had refused
// tasks has room again.
func (r *router) take() (t task, relieved, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.turns.len() == 0 && !r.closed {
		r.ready.Wait()
	}
	if r.closed {
		return task{}, false, false
	}
	l := r.next()
	t = l.tasks.pop()
	l.busy++
	r.queue(l)
	if l.refused > 0 && l.tasks.len() <= l.refused/2 {
		l.refused, relieved = 0, true
		r.refusing--
	}
	return t, relieved, true
}

// crowded reports whether some webhook can't take more than it has.
func (r *router) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusing > 0
}

// next returns the lane whose turn it is. Another way of sharing, such as one
// that weighs organizations, would replace it.
func (r *router) next() *lane {
	o := r.turns.pop()
	l := o.lanes.pop()
	l.queued = false
	if o.lanes.len() > 0 {
		r.turns.push(o)
		return l
	}
	o.queued = false
	delete(r.orgs, o.id)
	return l
}

// done says that a task that take returned needs its worker no more.
func (r *router) done(id WebhookID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lanes[id]
	l.busy--
	r.queue(l)
	if l.busy == 0 && l.tasks.len() == 0 {
		delete(r.lanes, id)
	}
}

// close ends all waiting and returns the tasks that nobody took.
func (r *router) close() (left []task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.ready.Broadcast()
	for _, l := range r.lanes {
		for l.tasks.len() > 0 {
			left = append(left, l.tasks.pop())
		}
	}
	return left
}

// A fifo is a queue that grows, and whose memory is used again.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) len() int { return len(q.items) - q.head }

func (q *fifo[T]) push(item T) {
	// Half of the memory unused is the moment at which moving costs no more
	// than growing.
	if q.head > 16 && q.head*2 >= len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, item)
}

func (q *fifo[T]) pop() T {
	var none T
	item := q.items[q.head]
	q.items[q.head] = none
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return item
}
