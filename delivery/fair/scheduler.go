package fair

import (
	"sync"
	"time"

	"portalhooks/delivery"
)

// A Scheduler decides which of the jobs in memory is attempted next. Alerts go
// before all other jobs while both wait, except for every ninth turn;
// organizations take turns, and within an organization its webhooks. The jobs
// of one webhook are first in, first out, within its Limits, and only a few or
// none are started while its circuit breaker is not closed. So neither a busy
// organization nor a receiver that hangs holds up the others, and a job that
// may not start yet occupies no worker.
//
// An organization holds at most as many workers as it leaves free, however slow
// its receivers are and however many webhooks it has.
//
// It does not bound how many jobs it holds in all: the caller reserves room
// first. It bounds what one webhook and one organization hold by the free room: a
// webhook may take a quarter of what is left, and an organization as much as is
// left, so however many receivers hang, some room is left for the others.
type Scheduler struct {
	opts  Options
	share int // workers that one class may occupy

	mu         sync.Mutex
	ready      sync.Cond
	lanes      map[delivery.WebhookID]*lane
	orgs       map[delivery.OrgID]*organization
	restricted map[delivery.WebhookID]*lane // those that take fewer jobs than others
	urgent     class                        // alerts
	other      class
	run        int // alerts in a row while others waited
	closed     bool

	refusing int // lanes and organizations that have refused jobs and have not drained enough since
}

// Options tune a Scheduler. Every field must be set.
type Options struct {
	Concurrency int           // attempts in flight for a webhook whose policy sets none
	Workers     int           // attempts in flight in all
	ClaimSize   int           // the most jobs that one claim brings
	Lease       time.Duration // how long a job is leased
}

// keptLanes bounds the webhooks that are remembered although no job of theirs
// is in memory.
const keptLanes = 20_000

// NewScheduler returns an empty scheduler.
func NewScheduler(o Options) *Scheduler {
	s := &Scheduler{
		opts:       o,
		share:      o.Workers - o.Workers/8, // some are always left for the other class
		lanes:      make(map[delivery.WebhookID]*lane),
		orgs:       make(map[delivery.OrgID]*organization),
		restricted: make(map[delivery.WebhookID]*lane),
	}
	s.ready.L = &s.mu
	return s
}

// A Requeue is a set of jobs that return to the queue.
type Requeue struct {
	Jobs   []delivery.Job
	Pause  time.Duration // until they are due
	Reason string        // for metrics
}

// The reasons for which a Scheduler returns jobs to the queue.
const (
	RequeueNoRoom  = "no room"
	RequeueBreaker = "breaker open"
	RequeueOrder   = "out of turn"
	RequeueStopped = "stopped"
)

// Add takes over jobs and returns those that it refuses: those of webhooks and
// organizations that hold too much of the free room already or whose circuit
// breaker is open, and all of them when it is closed. Limits has the limits of webhooks that may be
// unknown to it.
func (s *Scheduler) Add(jobs []delivery.Job, free int, limits map[delivery.WebhookID]Limits) []Requeue {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return []Requeue{{Jobs: jobs, Reason: RequeueStopped}}
	}
	var refused []Requeue
	now := time.Now()
	for i := range jobs {
		job := &jobs[i]
		l := s.lane(&job.Delivery, limits)
		bound := max(2*l.limits.Concurrency, free/4)
		if l.room(now, bound) == 0 {
			refused = s.refuse(refused, l, job, bound, now)
			continue
		}
		if !s.takes(l.org, 1, free) {
			s.refuseOrg(l.org.org)
			refused = requeued(refused, Requeue{Reason: RequeueNoRoom}, job)
			continue
		}
		l.serial = job.Delivery.Ordered
		l.push(job)
		s.enqueue(l, now)
	}
	return refused
}

// refuse adds the job to those that are refused, for its webhook's sake.
func (s *Scheduler) refuse(
	refused []Requeue, l *lane, job *delivery.Job, bound int, now time.Time,
) []Requeue {
	r := Requeue{Reason: RequeueNoRoom}
	switch {
	case l.breaker.state == delivery.BreakerOpen:
		r = Requeue{Reason: RequeueBreaker, Pause: l.breaker.until.Sub(now)}
	case l.restricted():
	default:
		if l.refused == 0 {
			s.refusing++
		}
		l.refused = bound
	}
	return requeued(refused, r, job)
}

// takes reports whether an organization may hold n more jobs of a class while so
// many places are free. It may always keep its workers busy.
func (s *Scheduler) takes(o *orgTurn, n, free int) bool {
	all, class := share(free)
	least := 2 * s.opts.Workers
	return o.org.waiting+n <= max(all, least) && o.waiting+n <= max(class, least)
}

// refuseOrg notes that the organization has as many jobs as it may.
func (s *Scheduler) refuseOrg(o *organization) {
	if o.refused == 0 {
		s.refusing++
	}
	o.refused = o.waiting
}

// requeued adds the job to those that are refused for the same reason.
func requeued(refused []Requeue, r Requeue, job *delivery.Job) []Requeue {
	for i := range refused {
		if refused[i].Reason == r.Reason && refused[i].Pause == r.Pause {
			refused[i].Jobs = append(refused[i].Jobs, *job)
			return refused
		}
	}
	r.Jobs = []delivery.Job{*job}
	return append(refused, r)
}

// Unknown returns the organizations of the jobs' webhooks that the scheduler
// has no limits of.
func (s *Scheduler) Unknown(jobs []delivery.Job) map[delivery.WebhookID]delivery.OrgID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var unknown map[delivery.WebhookID]delivery.OrgID
	for i := range jobs {
		d := &jobs[i].Delivery
		if s.lanes[d.Webhook] != nil {
			continue
		}
		if unknown == nil {
			unknown = make(map[delivery.WebhookID]delivery.OrgID)
		}
		unknown[d.Webhook] = d.Org
	}
	return unknown
}

// lane returns the lane of the delivery's webhook.
func (s *Scheduler) lane(d *delivery.Delivery, limits map[delivery.WebhookID]Limits) *lane {
	l := s.lanes[d.Webhook]
	if l == nil {
		l = &lane{
			id: d.Webhook, org: s.organization(d.Org).turn(d.Type.Urgent()),
			limits: Limits{Concurrency: s.opts.Concurrency}, ahead: s.opts.Lease / 4,
		}
		if known, ok := limits[d.Webhook]; ok {
			l.limits = known
		}
		l.org.org.lanes++
		s.lanes[d.Webhook] = l
		s.mark(l)
	}
	return l
}

// organization returns what is known of an organization.
func (s *Scheduler) organization(id delivery.OrgID) *organization {
	o := s.orgs[id]
	if o == nil {
		o = s.newOrganization(id)
		s.orgs[id] = o
	}
	return o
}

// mark notes whether claims have to ask for the lane.
func (s *Scheduler) mark(l *lane) {
	if l.restricted() {
		s.restricted[l.id] = l
	} else {
		delete(s.restricted, l.id)
	}
}

// enqueue gives the lane a turn if it could use one, at once or when its rate
// limit allows.
func (s *Scheduler) enqueue(l *lane, now time.Time) {
	if s.closed || l.queued || l.jobs.len() == 0 || l.busy >= l.limit(now) {
		return
	}
	if pause := l.wait(now); pause > 0 {
		s.later(l, pause)
		return
	}
	l.org.add(l)
	s.ready.Signal()
}

// later looks at the lane again after the pause.
func (s *Scheduler) later(l *lane, pause time.Duration) {
	if l.timer != nil {
		return
	}
	l.timer = time.AfterFunc(pause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.timer = nil
		now := time.Now()
		s.enqueue(l, now)
		s.retire(l, now)
	})
}

// Next waits for the next job and returns false when the scheduler is closed.
// The caller calls FreeWorker or Complete when its worker is free, and Complete
// when the job is done. Drained says that the job's webhook, which had refused
// jobs, has room again.
func (s *Scheduler) Next() (job delivery.Job, drained, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.await()
	if l == nil {
		return delivery.Job{}, false, false
	}
	job = l.pop()
	l.org.began()
	l.busy++
	job.BreakerEpoch = l.breaker.epoch
	if l.limits.PerMinute > 0 || l.breaker.state != "" {
		now := time.Now()
		l.spend(now)
		s.enqueue(l, now)
	} else if l.jobs.len() > 0 {
		s.enqueue(l, time.Time{}) // the time matters to neither
	}
	drained = s.drained(l)
	return job, drained || l.limits.PerMinute > 0 && l.jobs.len() == 0, true
}

// drained reports, once, that a webhook or an organization that has refused jobs
// has room again.
func (s *Scheduler) drained(l *lane) (drained bool) {
	if l.refused > 0 && l.jobs.len() <= l.refused/2 {
		l.refused, drained = 0, true
		s.refusing--
	}
	if o := l.org.org; o.refused > 0 && o.waiting <= o.refused/2 {
		o.refused, drained = 0, true
		s.refusing--
	}
	return drained
}

// await waits for a lane that has its turn, and returns nil when the scheduler
// is closed. A lane may have lost its jobs, or the right to start one, since it
// was given the turn.
func (s *Scheduler) await() *lane {
	for !s.closed {
		c := s.pick()
		if c == nil {
			s.ready.Wait()
			continue
		}
		l := c.next(s.free())
		now := time.Time{}
		if l.restricted() {
			now = time.Now()
		}
		if l.jobs.len() > 0 && l.busy < l.limit(now) {
			return l
		}
		s.retire(l, now)
	}
	return nil
}

// pick returns the class whose turn it is, or nil.
func (s *Scheduler) pick() *class {
	free := s.free()
	urgent := s.urgent.busy < s.share && s.urgent.ready(free)
	other := s.other.busy < s.share && s.other.ready(free)
	switch {
	case urgent && other && s.run < alertRun:
		s.run++
		return &s.urgent
	case other:
		s.run = 0
		return &s.other
	case urgent:
		s.run = 0
		return &s.urgent
	}
	return nil
}

// free returns how many workers have no job.
func (s *Scheduler) free() int { return s.opts.Workers - s.urgent.busy - s.other.busy }

// freeWorker takes the worker of a lane's job back. Its next job may be another
// organization's, and the organization itself may have room for one more.
func (s *Scheduler) freeWorker(l *lane) {
	l.org.ended()
	urgent, other := s.urgent.unpark(s.free()), s.other.unpark(s.free())
	if urgent || other {
		s.ready.Signal()
	}
}

// Crowded reports whether some webhook can't take more jobs than it has.
func (s *Scheduler) Crowded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusing > 0
}

// Close ends every Next and returns the jobs that no worker took.
func (s *Scheduler) Close() Requeue {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.ready.Broadcast()
	left := Requeue{Reason: RequeueStopped}
	for _, l := range s.lanes {
		left.Jobs = append(left.Jobs, l.empty()...)
		if l.timer != nil {
			l.timer.Stop()
		}
	}
	return left
}

// Usage is what a Scheduler keeps in memory.
type Usage struct {
	Lanes, Organizations int // remembered, idle ones included
	Refusing             int // lanes and organizations that have refused jobs and have not drained since
	Busy                 int // workers
}

// Usage returns what the scheduler keeps in memory.
func (s *Scheduler) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Usage{
		Lanes: len(s.lanes), Organizations: len(s.orgs),
		Refusing: s.refusing, Busy: s.urgent.busy + s.other.busy,
	}
}
