package fair

import "portalhooks/delivery"

// An orgTurn holds the lanes of one organization and one class that could start
// a job at once.
type orgTurn struct {
	id     delivery.OrgID
	class  *class
	lanes  fifo[*lane]
	all    int // lanes that it has, idle ones included
	queued bool
	debt   int
}

// A class holds the organizations that have a lane in their turns: those of
// alerts, or all others.
type class struct {
	turns fifo[*orgTurn]
	orgs  map[delivery.OrgID]*orgTurn
	busy  int // workers
}

// alertRun is how many alerts go before a waiting delivery of another kind.
const alertRun = 8

// org returns the organization's turn.
func (c *class) org(id delivery.OrgID) *orgTurn {
	o := c.orgs[id]
	if o == nil {
		o = &orgTurn{id: id, class: c}
		c.orgs[id] = o
	}
	return o
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

// next takes out the lane whose turn it is: deficit round robin, charged
// afterwards. Round by round each organization, and in it each lane, gets a
// turn; one with a debt for longer attempts skips its turn and owes one less.
// Where no other lane waits, nothing is owed.
func (c *class) next() *lane {
	o := c.turns.pop()
	for o.debt > 0 && c.turns.len() > 0 {
		o.debt--
		c.turns.push(o)
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
