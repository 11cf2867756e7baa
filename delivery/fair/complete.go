package fair

import (
	"time"

	"portalhooks/delivery"
)

// A Completion is what the end of a job tells about its webhook.
type Completion struct {
	Signal  Signal        // what the attempt says about the target
	Took    time.Duration // the attempt
	Limits  *Limits       // the webhook's, as they are now; nil if they were not read
	Blocked bool          // the delivery is ordered and still pending: later ones wait
}

// An Effect is what a Completion has changed about a webhook.
type Effect struct {
	Requeue []Requeue             // jobs that must not start now
	Room    bool                  // the webhook takes jobs that claims may bring
	Breaker delivery.BreakerState // "" unless the circuit breaker has opened or closed
	Until   time.Time             // with OPEN
}

// FreeWorker says that the worker of a job is free while the job is not
// complete.
func (s *Scheduler) FreeWorker(job *delivery.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freeWorker(s.lanes[job.Delivery.Webhook])
}

// Complete says that a job that Next returned is done. With worker set its
// worker is free too.
func (s *Scheduler) Complete(job *delivery.Job, c Completion, worker bool) (change Effect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[job.Delivery.Webhook]
	if worker {
		s.freeWorker(l)
	}
	l.busy--
	now := time.Now()
	if c.Limits != nil {
		s.adopt(l, *c.Limits)
	}
	if c.Signal != SignalNone {
		l.observe(c.Took)
		if l.breaker.observe(job.BreakerEpoch, c.Signal == SignalFailure, now, l.concurrency()) {
			change.Breaker, change.Until = l.breaker.status(now)
			s.mark(l)
		}
	}
	if l.jobs.len() > 0 && !s.closed {
		switch {
		case l.breaker.state == delivery.BreakerOpen:
			change.Requeue = []Requeue{{Jobs: l.empty(), Pause: l.breaker.until.Sub(now), Reason: RequeueBreaker}}
		case c.Blocked:
			change.Requeue = []Requeue{{Jobs: l.empty(), Reason: RequeueOrder}}
		}
	}
	drained := s.drained(l)
	s.enqueue(l, now)
	change.Room = drained || l.jobs.len() == 0 && !c.Blocked &&
		(job.Delivery.Ordered || l.breaker.state == delivery.BreakerHalfOpen)
	s.retire(l, now)
	return change
}

// adopt takes over changed limits. What is known about one target says nothing
// about another.
func (s *Scheduler) adopt(l *lane, now Limits) {
	if l.limits == now {
		return
	}
	if l.limits.Target != "" && l.limits.Target != now.Target {
		l.breaker = breaker{epoch: l.breaker.epoch + 1}
		l.usual = 0
	}
	l.limits = now
	s.mark(l)
}

// retire forgets a lane that has no jobs and no state worth keeping.
func (s *Scheduler) retire(l *lane, now time.Time) {
	if !l.idle() || l.queued || s.lanes[l.id] != l {
		return
	}
	if pause := l.wait(now); pause > 0 {
		if !s.closed {
			s.later(l, pause)
		}
		return
	}
	if l.breaker.fresh() {
		s.forget(l)
		return
	}
	if len(s.lanes) <= keptLanes {
		return
	}
	for _, open := range []bool{false, true} {
		for _, other := range s.lanes {
			if other.idle() && other.timer == nil && (open || other.breaker.state == "") {
				s.forget(other)
			}
		}
		if len(s.lanes) <= keptLanes/2 {
			return
		}
	}
}

func (s *Scheduler) forget(l *lane) {
	delete(s.lanes, l.id)
	delete(s.restricted, l.id)
	if l.org.org.lanes--; l.org.org.lanes == 0 {
		delete(s.orgs, l.org.org.id)
	}
}

// Room returns how many jobs claims may bring of each webhook that takes fewer
// than others.
func (s *Scheduler) Room() map[delivery.WebhookID]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.restricted) == 0 {
		return nil
	}
	now := time.Now()
	room := make(map[delivery.WebhookID]int, len(s.restricted))
	for id, l := range s.restricted {
		room[id] = l.room(now, s.opts.ClaimSize)
	}
	return room
}

// Blocked reports whether no job of a webhook can start now.
func (s *Scheduler) Blocked(id delivery.WebhookID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.restricted[id]
	return l != nil && l.room(time.Now(), s.opts.ClaimSize) == 0
}

// Breaker returns the state of a webhook's circuit breaker and, with OPEN,
// until when calls wait.
func (s *Scheduler) Breaker(id delivery.WebhookID) (delivery.BreakerState, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[id]; l != nil {
		return l.breaker.status(time.Now())
	}
	return delivery.BreakerClosed, time.Time{}
}

// Breakers counts the circuit breakers that are not closed.
func (s *Scheduler) Breakers() (open, halfOpen int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, l := range s.restricted {
		switch state, _ := l.breaker.status(now); state {
		case delivery.BreakerOpen:
			open++
		case delivery.BreakerHalfOpen:
			halfOpen++
		}
	}
	return open, halfOpen
}

// Reset closes the circuit breaker of a webhook that was changed.
func (s *Scheduler) Reset(id delivery.WebhookID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[id]; l != nil && l.breaker.state != "" {
		l.breaker = breaker{epoch: l.breaker.epoch + 1}
		s.mark(l)
		s.enqueue(l, time.Now())
	}
}
