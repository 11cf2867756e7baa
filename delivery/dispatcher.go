package delivery

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// jobLease is how long a delivery is lent to this process: the longest
	// attempt, and a while to wait for a worker.
	jobLease = 2 * MaxTimeout
	// leaseMargin is what must be left of the lease when an attempt has used up
	// all its time, for its result to be settled.
	leaseMargin = 5 * time.Second
)

// A Dispatcher hands deliveries to workers. Fresh ones come from ingest by
// Offer, stored and lent to this process already; all others, such as retries
// and what a dead process has left, it claims from the queue. It holds at most
// Options.Memory deliveries, from Reserve or Claim until their results are
// settled.
type Dispatcher struct {
	s      *Service
	router *router
	wake   chan struct{} // holds one wake-up of the claims
	here   present

	held    atomic.Int64 // deliveries in memory, reserved ones included
	starved atomic.Bool  // something was left in the queue for want of room
	narrow  atomic.Bool  // a webhook had more than it may hold
	trouble atomic.Bool  // an attempt could not be prepared
	busy    atomic.Int64 // workers with a delivery

	random func() float64 // for retries
}

func newDispatcher(s *Service) *Dispatcher {
	return &Dispatcher{
		s: s, router: newRouter(s.opts.PerHook, s.opts.Workers), wake: make(chan struct{}, 1),
		random: rand.Float64,
	}
}

// Reserve takes room in memory for n deliveries and reports whether there was
// enough; an eighth of all is left for alerts. What is reserved is offered, or
// given back by Unreserve.
func (d *Dispatcher) Reserve(n int, urgent bool) bool {
	room := d.s.opts.Memory
	if !urgent {
		room -= room / 8
	}
	for {
		held := d.held.Load()
		if held+int64(n) > int64(room) {
			d.starved.Store(true)
			return false
		}
		if d.held.CompareAndSwap(held, held+int64(n)) {
			return true
		}
	}
}

// Unreserve gives back the room for n deliveries.
func (d *Dispatcher) Unreserve(n int) {
	if n == 0 {
		return
	}
	held := int(d.held.Add(-int64(n)))
	d.s.metrics.memory.Set(float64(held))
	if held <= d.s.opts.Memory*3/4 && d.starved.CompareAndSwap(true, false) {
		d.Wake()
	}
}

// Offer takes over jobs that are stored, lent to this process, and for which
// room is reserved.
func (d *Dispatcher) Offer(ctx context.Context, jobs []Job) {
	now := time.Now()
	tasks := make([]task, len(jobs))
	for i, j := range jobs {
		// The lease began when the delivery was stored, which was after it got
		// its id.
		began := IDTime(j.Delivery.ID)
		if began.After(now) {
			began = now
		}
		tasks[i] = task{Job: j, leased: began.Add(jobLease)}
	}
	d.put(ctx, tasks, false)
}

// Wake tells that there may be due deliveries to claim. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// leave gives room back that only alerts could have had: there is no more for
// others than before, so nobody has to look for them.
func (d *Dispatcher) leave(n int) { d.held.Add(-int64(n)) }

// put gives tasks to the router and returns how many it has taken. The others
// go back to the queue.
func (d *Dispatcher) put(ctx context.Context, tasks []task, urgent bool) (taken int) {
	d.here.add(tasks)
	known := d.rules(ctx, d.router.strangers(tasks))
	free := d.s.opts.Memory - int(d.held.Load())
	back := d.router.put(tasks, free, known)
	d.s.metrics.memory.Set(float64(d.held.Load()))
	taken = len(tasks)
	for _, p := range back {
		taken -= len(p.tasks)
		if p.reason == backNoRoom {
			d.narrow.Store(true)
		}
		d.release(p)
		if urgent {
			d.leave(len(p.tasks))
		} else {
			d.Unreserve(len(p.tasks))
		}
	}
	return taken
}

// rules looks up the rules of webhooks. Where that fails the server's defaults
// hold until an attempt is prepared, which needs the same configuration.
func (d *Dispatcher) rules(ctx context.Context, webhooks map[WebhookID]OrgID) map[WebhookID]rules {
	if len(webhooks) == 0 {
		return nil
	}
	known := make(map[WebhookID]rules, len(webhooks))
	for id, org := range webhooks {
		config, err := d.s.configs.latest(ctx, org)
		if err != nil {
			continue
		}
		if w, ok := config.byID[id]; ok {
			known[id] = rulesOf(w, d.s.opts.PerHook)
		}
	}
	return known
}

// giveBack returns tasks to the queue. Where that fails they are due again when
// their lease ends.
func (d *Dispatcher) giveBack(p parcel) {
	if len(p.tasks) == 0 {
		return
	}
	d.release(p)
	d.Unreserve(len(p.tasks))
}

func (d *Dispatcher) release(p parcel) {
	ids := p.ids()
	d.here.remove(ids...)
	d.s.metrics.putBack(p.reason, len(ids))
	d.s.settler.release(ids, p.pause)
}

func (p parcel) ids() []DeliveryID {
	ids := make([]DeliveryID, len(p.tasks))
	for i := range p.tasks {
		ids[i] = p.tasks[i].Delivery.ID
	}
	return ids
}

// returned says that deliveries are back in the queue. If the webhooks that had
// no room for them have some now, they are claimed at once.
func (d *Dispatcher) returned() {
	if !d.trouble.Load() && !d.router.crowded() {
		d.Wake()
	}
}

// Run dispatches until ctx ends, then waits for the attempts in flight, up to
// Options.Drain, and gives the rest back. Everything that it took over is in
// the settler's hands when it returns.
func (d *Dispatcher) Run(ctx context.Context) error {
	calls, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCalls()
	var workers sync.WaitGroup
	for range d.s.opts.Workers {
		workers.Go(func() { d.work(calls) })
	}
	d.claims(ctx)
	d.giveBack(parcel{tasks: d.router.close(), reason: backStopped})
	drained := time.AfterFunc(d.s.opts.Drain, stopCalls)
	defer drained.Stop()
	workers.Wait()
	return nil
}

// work takes tasks until the router is closed.
func (d *Dispatcher) work(ctx context.Context) {
	for {
		t, relieved, ok := d.router.take()
		if !ok {
			return
		}
		if relieved {
			d.Wake()
		}
		d.s.metrics.busy.Set(float64(d.busy.Add(1)))
		report, later := d.deliver(ctx, &t)
		d.s.metrics.busy.Set(float64(d.busy.Add(-1)))
		if later {
			d.router.left(&t)
			continue
		}
		for _, p := range d.conclude(ctx, &t, report, true) {
			d.giveBack(p)
		}
	}
}

// conclude tells the router what became of a task and returns the tasks that it
// wants rid of. With worker set the task's worker is free, too.
func (d *Dispatcher) conclude(ctx context.Context, t *task, r report, worker bool) []parcel {
	changed := d.router.done(t, r, worker)
	if changed.room {
		d.Wake()
	}
	if changed.state == "" {
		return changed.back
	}
	d.s.metrics.breakersAre(d.router.breakers())
	if changed.state == BreakerOpen {
		pause := time.Until(changed.until)
		time.AfterFunc(pause, d.Wake)
		d.s.log.WarnContext(ctx, "breaker opened: the target of a webhook fails, its deliveries wait",
			"webhook", t.Delivery.Webhook, "organization", t.Delivery.Org, "pause", pause)
	} else {
		d.s.log.InfoContext(ctx, "breaker closed: the target of a webhook works again",
			"webhook", t.Delivery.Webhook, "organization", t.Delivery.Org)
	}
	return changed.back
}
