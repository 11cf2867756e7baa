package delivery

import "time"

// A report is what became of a task.
type report struct {
	omen    omen
	took    time.Duration
	rules   rules // as they are now, with known
	known   bool
	blocked bool // the delivery is ordered and still pending: later ones wait
}

// A change is what a report has changed about a webhook.
type change struct {
	back  []parcel     // tasks that must not go now
	room  bool         // the webhook takes tasks that claims may bring
	state BreakerState // "" unless the breaker has opened or closed
	until time.Time    // with OPEN
}

// left says that the worker of a task is free.
func (r *router) left(t *task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.classOf(t).busy--
}

func (r *router) classOf(t *task) *class {
	if isUrgent(t.Delivery.Type) {
		return &r.urgent
	}
	return &r.other
}

// done says that a task that take returned is finished. With worker set its
// worker is free too.
func (r *router) done(t *task, p report, worker bool) (c change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if worker {
		r.classOf(t).busy--
	}
	l := r.lanes[t.Delivery.Webhook]
	l.busy--
	now := time.Now()
	if p.known {
		r.adopt(l, p.rules)
	}
	if p.omen != noOmen {
		l.learn(p.took)
		if l.breaker.observe(t.stage, p.omen == badOmen, now, l.most()) {
			c.state, c.until = l.breaker.status(now)
			r.mark(l)
		}
	}
	if tasks := l.tasks.len(); tasks > 0 && !r.closed {
		switch {
		case l.breaker.state == BreakerOpen:
			c.back = []parcel{{tasks: l.empty(), pause: l.breaker.until.Sub(now), reason: backBreaker}}
		case p.blocked:
			c.back = []parcel{{tasks: l.empty(), reason: backOrder}}
		}
	}
	r.relieve(l)
	r.queue(l, now)
	c.room = l.tasks.len() == 0 && !p.blocked && (t.Delivery.Ordered || l.breaker.state == BreakerHalfOpen)
	r.retire(l, now)
	return c
}

// relieve forgets that a lane has refused tasks when it has none left.
func (r *router) relieve(l *lane) {
	if l.refused > 0 && l.tasks.len() == 0 {
		l.refused = 0
		r.refusing--
	}
}

// adopt takes over changed rules. What was learnt about one target says nothing
// about another.
func (r *router) adopt(l *lane, now rules) {
	if l.rules == now {
		return
	}
	if l.rules.target != "" && l.rules.target != now.target {
		l.breaker = breaker{stage: l.breaker.stage + 1}
		l.usual = 0
	}
	l.rules = now
	r.mark(l)
}

// retire forgets a lane that has no tasks and nothing worth remembering.
func (r *router) retire(l *lane, now time.Time) {
	if !l.idle() || l.queued || r.lanes[l.id] != l {
		return
	}
	if pause := l.wait(now); pause > 0 {
		if !r.closed {
			r.later(l, pause)
		}
		return
	}
	if l.breaker.fresh() {
		r.forget(l)
		return
	}
	if len(r.lanes) <= keptLanes {
		return
	}
	for _, open := range []bool{false, true} {
		for _, other := range r.lanes {
			if other.idle() && other.timer == nil && (open || other.breaker.state == "") {
				r.forget(other)
			}
		}
		if len(r.lanes) <= keptLanes/2 {
			return
		}
	}
}

func (r *router) forget(l *lane) {
	delete(r.lanes, l.id)
	delete(r.special, l.id)
	if l.org.all--; l.org.all == 0 {
		delete(l.org.class.orgs, l.org.id)
	}
}

// limits returns how many tasks claims may bring of the webhooks that take
// fewer than others.
func (r *router) limits() map[WebhookID]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.special) == 0 {
		return nil
	}
	now := time.Now()
	limits := make(map[WebhookID]int, len(r.special))
	for id, l := range r.special {
		limits[id] = l.room(now, claimSize)
	}
	return limits
}

// lend marks the new deliveries that go straight to a worker, which are not
// those that have to wait anyway, and returns how many they are.
func (r *router) lend(events []NewEvent) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range events {
		for j := range events[i].Deliveries {
			d := &events[i].Deliveries[j]
			if d.State != Queued || d.Ordered || r.special[d.Webhook] != nil {
				continue
			}
			d.State = Sending
			n++
		}
	}
	return n
}

// asleep reports whether nothing of a webhook can go now.
func (r *router) asleep(id WebhookID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.special[id]
	return l != nil && l.room(time.Now(), claimSize) == 0
}

// breaker returns the state of a webhook's breaker.
func (r *router) breaker(id WebhookID) (BreakerState, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lanes[id]; l != nil {
		return l.breaker.status(time.Now())
	}
	return BreakerClosed, time.Time{}
}

// breakers counts those that are not closed.
func (r *router) breakers() (open, halfOpen int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, l := range r.special {
		switch state, _ := l.breaker.status(now); state {
		case BreakerOpen:
			open++
		case BreakerHalfOpen:
			halfOpen++
		}
	}
	return open, halfOpen
}

// revise forgets what was learnt about a webhook that somebody has changed.
func (r *router) revise(id WebhookID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lanes[id]; l != nil && l.breaker.state != "" {
		l.breaker = breaker{stage: l.breaker.stage + 1}
		r.mark(l)
		r.queue(l, time.Now())
	}
}
