package delivery

import (
	"sync"
	"time"
)

// A task is a job in memory.
type task struct {
	Job

	leased time.Time // until when the delivery is surely this process's
	stage  int       // of its lane's breaker when it was taken
}

// A router decides which of the tasks in memory is next. Alerts go before all
// others while both wait, but for every ninth turn; organizations take turns,
// and in an organization its webhooks. A webhook's tasks come first in, first
// out, as many at once as its policy allows, no faster than its rate, and only
// a few or none while its breaker is not closed. So neither a busy organization
// nor a receiver that hangs holds up the others, and what may not go yet holds
// no worker.
//
// It does not bound what it holds in all; whoever puts tasks in reserves room
// first. It bounds what one webhook holds by what is free: a webhook may take a
// quarter of the room that is left, so however many receivers hang, there is
// some left for the others.
type router struct {
	perHook int
	share   int // workers that one class may have

	mu      sync.Mutex
	ready   sync.Cond
	lanes   map[WebhookID]*lane
	special map[WebhookID]*lane // those that take fewer tasks than others
	urgent  class               // alerts
	other   class
	run     int // alerts in a row while others waited
	closed  bool

	refusing int // lanes that have refused tasks and not got rid of enough since
}

// keptLanes bounds the webhooks that are remembered though nothing of theirs is
// in memory.
const keptLanes = 20_000

func newRouter(perHook, workers int) *router {
	r := &router{
		perHook: perHook,
		share:   workers - workers/8, // some are always left for the other class
		lanes:   make(map[WebhookID]*lane),
		special: make(map[WebhookID]*lane),
		urgent:  class{orgs: make(map[OrgID]*orgTurn)},
		other:   class{orgs: make(map[OrgID]*orgTurn)},
	}
	r.ready.L = &r.mu
	return r
}

// A parcel is tasks that go back to the queue.
type parcel struct {
	tasks  []task
	pause  time.Duration // until they are due
	reason string
}

// Reasons for which tasks go back to the queue.
const (
	backNoRoom  = "no room"
	backBreaker = "breaker open"
	backOrder   = "out of turn"
	backStopped = "stopped"
)

// put takes over the tasks and returns those that it has no place for: those of
// webhooks that hold too much of the free room already or whose target does not
// work, and all when it is closed. known has the rules of those that may be new
// to it.
func (r *router) put(tasks []task, free int, known map[WebhookID]rules) (back []parcel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return []parcel{{tasks: tasks, reason: backStopped}}
	}
	now := time.Now()
	for _, t := range tasks {
		l := r.lane(&t.Delivery, known)
		bound := max(2*l.rules.most, free/4)
		if l.room(now, bound) == 0 {
			back = r.refuse(back, l, t, bound, now)
			continue
		}
		l.serial = t.Delivery.Ordered
		l.tasks.push(t)
		r.queue(l, now)
	}
	return back
}

func (r *router) refuse(back []parcel, l *lane, t task, bound int, now time.Time) []parcel {
	p := parcel{reason: backNoRoom}
	switch {
	case l.breaker.state == BreakerOpen:
		p = parcel{reason: backBreaker, pause: l.breaker.until.Sub(now)}
	case l.special():
	default:
		if l.refused == 0 {
			r.refusing++
		}
		l.refused = bound
	}
	for i := range back {
		if back[i].reason == p.reason && back[i].pause == p.pause {
			back[i].tasks = append(back[i].tasks, t)
			return back
		}
	}
	p.tasks = []task{t}
	return append(back, p)
}

// strangers returns the organizations of those tasks' webhooks that the router
// does not know.
func (r *router) strangers(tasks []task) map[WebhookID]OrgID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found map[WebhookID]OrgID
	for i := range tasks {
		d := &tasks[i].Delivery
		if r.lanes[d.Webhook] != nil {
			continue
		}
		if found == nil {
			found = make(map[WebhookID]OrgID)
		}
		found[d.Webhook] = d.Org
	}
	return found
}

func (r *router) lane(d *Delivery, known map[WebhookID]rules) *lane {
	l := r.lanes[d.Webhook]
	if l == nil {
		c := &r.other
		if isUrgent(d.Type) {
			c = &r.urgent
		}
		l = &lane{id: d.Webhook, org: c.org(d.Org), rules: rules{most: r.perHook}}
		if got, ok := known[d.Webhook]; ok {
			l.rules = got
		}
		l.org.all++
		r.lanes[d.Webhook] = l
		r.mark(l)
	}
	return l
}

// mark notes whether claims have to ask for the lane.
func (r *router) mark(l *lane) {
	if l.special() {
		r.special[l.id] = l
	} else {
		delete(r.special, l.id)
	}
}

// queue gives the lane a turn if it could use one, at once or when its rate
// allows.
func (r *router) queue(l *lane, now time.Time) {
	if r.closed || l.queued || l.tasks.len() == 0 || l.busy >= l.limit(now) {
		return
	}
	if pause := l.wait(now); pause > 0 {
		r.later(l, pause)
		return
	}
	l.org.add(l)
	r.ready.Signal()
}

// later looks at the lane again after the pause.
func (r *router) later(l *lane, pause time.Duration) {
	if l.timer != nil {
		return
	}
	l.timer = time.AfterFunc(pause, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		l.timer = nil
		now := time.Now()
		r.queue(l, now)
		r.retire(l, now)
	})
}

// take waits for the next task and reports false when the router is closed.
// Call left when its worker is free, and done when the task is. relieved says
// that its webhook, which had refused tasks, has room again.
func (r *router) take() (t task, relieved, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.await()
	if l == nil {
		return task{}, false, false
	}
	t = l.tasks.pop()
	l.org.class.busy++
	l.busy++
	t.stage = l.breaker.stage
	if l.rules.perMinute > 0 || l.breaker.state != "" {
		now := time.Now()
		l.spend(now)
		r.queue(l, now)
	} else if l.tasks.len() > 0 {
		r.queue(l, time.Time{}) // the time matters to neither
	}
	if l.rules.perMinute > 0 {
		return t, l.tasks.len() == 0, true
	}
	if l.refused > 0 && l.tasks.len() <= l.refused/2 {
		l.refused, relieved = 0, true
		r.refusing--
	}
	return t, relieved, true
}

// await waits for a lane that has its turn, and returns nil when the router is
// closed. A lane may have lost its tasks, or its leave to go on, since it was
// given a turn.
func (r *router) await() *lane {
	for !r.closed {
		c := r.pick()
		if c == nil {
			r.ready.Wait()
			continue
		}
		l := c.next()
		now := time.Time{}
		if l.special() {
			now = time.Now()
		}
		if l.tasks.len() > 0 && l.busy < l.limit(now) {
			return l
		}
		r.retire(l, now)
	}
	return nil
}

// pick returns the class whose turn it is, or nil.
func (r *router) pick() *class {
	urgent := r.urgent.turns.len() > 0 && r.urgent.busy < r.share
	other := r.other.turns.len() > 0 && r.other.busy < r.share
	switch {
	case urgent && other && r.run < alertRun:
		r.run++
		return &r.urgent
	case other:
		r.run = 0
		return &r.other
	case urgent:
		r.run = 0
		return &r.urgent
	}
	return nil
}

// crowded reports whether some webhook can't take more than it has.
func (r *router) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusing > 0
}

// close ends all waiting and returns the tasks that nobody took.
func (r *router) close() (left []task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.ready.Broadcast()
	for _, l := range r.lanes {
		left = append(left, l.empty()...)
		if l.timer != nil {
			l.timer.Stop()
		}
	}
	return left
}
