package fair

import "portalhooks/delivery"

// An organization is what the scheduler knows of one tenant, its alerts and its
// other deliveries together.
type organization struct {
	id      delivery.OrgID
	lanes   int // that it has, idle ones included
	busy    int // workers
	waiting int // jobs
	refused int // how many waited when a job was refused; 0 when none was
	urgent  orgTurn
	other   orgTurn
}

func (s *Scheduler) newOrganization(id delivery.OrgID) *organization {
	o := &organization{id: id}
	o.urgent = orgTurn{org: o, class: &s.urgent}
	o.other = orgTurn{org: o, class: &s.other}
	return o
}

// turn returns the turn of the organization's alerts, or of its others.
func (o *organization) turn(urgent bool) *orgTurn {
	if urgent {
		return &o.urgent
	}
	return &o.other
}

// An orgTurn holds the lanes of one organization and one class that could start
// a job at once.
type orgTurn struct {
	org     *organization
	class   *class
	lanes   fifo[*lane]
	busy    int  // workers
	waiting int  // jobs, of lanes that have no turn too
	queued  bool // in its class's turns, or parked
	debt    int
}

// A class holds the organizations that have a lane in their turns: those of
// alerts, or all others.
type class struct {
	turns  fifo[*orgTurn]
	parked fifo[*orgTurn] // these have their share of the workers
	busy   int            // workers
}

// alertRun is how many alerts go before a waiting delivery of another kind.
const alertRun = 8

// share returns how much of something one organization may hold while so much of
// it is free: as much in all, so alone it holds half, two hold a third each, and
// something is always left for the next one. An eighth of that is left to its
// other class.
func share(free int) (all, class int) {
	return max(1, free), max(1, free-free/8)
}

// works reports whether the organization may have another worker of free ones.
func (o *orgTurn) works(free int) bool {
	all, class := share(free)
	return o.org.busy < all && o.busy < class
}

// add gives the lane a turn.
func (o *orgTurn) add(l *lane) {
	l.queued = true
	o.lanes.push(l)
	if !o.queued {
		o.queued = true
		o.class.turns.push(o)
	}
}

// began and ended count a worker of the organization.
func (o *orgTurn) began() { o.count(1) }
func (o *orgTurn) ended() { o.count(-1) }

func (o *orgTurn) count(n int) {
	o.busy += n
	o.org.busy += n
	o.class.busy += n
}

// ready reports whether an organization has its turn. Those in front that have
// their share of the workers are parked.
func (c *class) ready(free int) bool {
	for c.turns.len() > 0 {
		if c.turns.first().works(free) {
			return true
		}
		c.parked.push(c.turns.pop())
	}
	return false
}

// unpark returns organizations to their turns that may have a worker again, and
// reports whether there was one.
func (c *class) unpark(free int) (found bool) {
	for range c.parked.len() {
		o := c.parked.pop()
		if o.works(free) {
			c.turns.push(o)
			found = true
			continue
		}
		c.parked.push(o)
	}
	return found
}

// next takes out the lane whose turn it is, of a class that is ready: deficit
// round robin, charged afterwards. Round by round each organization, and in it
// each lane, gets a turn; one with a debt for longer attempts skips its turn and
// owes one less. Where no other lane waits, nothing is owed.
func (c *class) next(free int) *lane {
	o := c.turns.pop()
	for o.debt > 0 && c.turns.len() > 0 {
		o.debt--
		c.turns.push(o)
		c.ready(free) // the one that was pushed is
		o = c.turns.pop()
	}
	l := o.lanes.pop()
	for l.debt > 0 && o.lanes.len() > 0 {
		l.debt--
		o.lanes.push(l)
		l = o.lanes.pop()
	}
	l.queued = false
	l.debt = l.cost() - 1
	o.debt = l.debt
	o.queued = o.lanes.len() > 0
	if o.queued {
		c.turns.push(o)
	}
	return l
}

// A fifo is a queue that grows and reuses its memory.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) len() int { return len(q.items) - q.head }

func (q *fifo[T]) first() T { return q.items[q.head] }

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
