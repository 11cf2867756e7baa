package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
	"portalhooks/delivery/fair"
	"portalhooks/delivery/loop"
)

const (
	// LeaseMargin is what must be left of the lease when an attempt has used up
	// all its time, for its result to be settled, or for the other servers to hear
	// that it can't be.
	LeaseMargin = delivery.SlotTTL + 2*time.Second
)

// A Dispatcher hands jobs to workers. Fresh deliveries come from ingest through
// Offer, stored and leased to this server already; all others, such as retries
// and those of a server that has died, it claims from the queue. It holds at
// most Options.Memory deliveries, from Lease or a claim until their results are
// settled.
type Dispatcher struct {
	queue     claimer
	settler   settler
	attempter *Attempter
	webhooks  *cache.Webhooks
	scheduler *fair.Scheduler
	memory    *fair.Memory
	opts      Options
	metrics   *Metrics
	tracer    *Tracer
	log       *slog.Logger

	wake    loop.Wake    // of the claims
	crowded atomic.Bool  // a webhook had more jobs than it may hold
	trouble atomic.Bool  // an attempt could not be prepared
	busy    atomic.Int64 // workers with a job
}

// A claimer is the queue that a Dispatcher claims from.
type claimer interface {
	Claim(ctx context.Context, c delivery.ClaimRequest) ([]delivery.Job, error)
}

// A settler is where a Dispatcher hands over what has become of its jobs.
type settler interface {
	// Submit takes over a result to be stored; false when it no longer runs.
	Submit(r *Result) bool
	// Requeue takes over jobs to return to the queue; false when it no longer
	// runs.
	Requeue(r fair.Requeue) bool
	// Stuck reports whether results wait for the database.
	Stuck() bool
}

// Lease returns the batch as it is to be stored: deliveries that may start at once
// are leased to this server. Reserved is how many: hand it to Offer when the batch
// is stored, otherwise to Cancel.
func (d *Dispatcher) Lease(batch []delivery.Ingest) (leased []delivery.Ingest, reserved int) {
	return d.scheduler.Lease(batch, d.memory)
}

// Cancel gives back what Lease has reserved.
func (d *Dispatcher) Cancel(reserved int) {
	d.memory.Cancel(reserved)
	d.relieve()
}

// Offer takes over the leased deliveries of the events in batch that were stored,
// and claims the others.
func (d *Dispatcher) Offer(
	ctx context.Context, batch []delivery.Ingest, stored []delivery.Ingested, reserved int,
) {
	var jobs []delivery.Job
	unleased := false
	for _, e := range delivery.FreshEvents(batch, stored) {
		jobs = d.appendLeased(jobs, e)
		for i := range e.Deliveries {
			to := &e.Deliveries[i]
			unleased = unleased || to.State == delivery.Queued && !d.scheduler.Blocked(to.Webhook)
		}
	}
	d.Cancel(reserved - len(jobs))
	if len(jobs) > 0 {
		d.add(ctx, jobs, false)
	}
	if unleased {
		d.Wake()
	}
}

// appendLeased appends a job for each delivery of e that is leased to this
// server. Its lease began when it was stored, which was after it got its id.
func (d *Dispatcher) appendLeased(jobs []delivery.Job, e *delivery.NewEvent) []delivery.Job {
	var event delivery.Event // made for the first
	now := time.Now()
	for i := range e.Deliveries {
		if e.Deliveries[i].State != delivery.Sending {
			continue
		}
		if event.ID == 0 {
			event = e.Event.WithoutReport()
		}
		began := delivery.IDTime(e.Deliveries[i].ID)
		if began.After(now) {
			began = now
		}
		jobs = append(jobs, delivery.Job{
			Delivery: e.Deliveries[i], Event: event, Owner: d.opts.Owner, LeasedUntil: began.Add(delivery.JobLease),
		})
	}
	return jobs
}

// Wake says that there may be due deliveries to claim. It never blocks.
func (d *Dispatcher) Wake() { d.wake.Notify() }

// Busy returns how many attempts are in flight.
func (d *Dispatcher) Busy() int { return int(d.busy.Load()) }

// Held returns how many deliveries are in memory, reserved ones included.
func (d *Dispatcher) Held() int { return d.memory.Held() }

// Breaker returns the state of a webhook's circuit breaker and, with OPEN, until
// when calls wait.
func (d *Dispatcher) Breaker(id delivery.WebhookID) (delivery.BreakerState, time.Time) {
	return d.scheduler.Breaker(id)
}

// CountBreakers updates the metric of circuit breakers that are not closed.
func (d *Dispatcher) CountBreakers() { d.metrics.breakersAre(d.scheduler.Breakers()) }

// Reset closes the circuit breaker of a webhook that was changed, and claims its
// due deliveries.
func (d *Dispatcher) Reset(id delivery.WebhookID) {
	d.scheduler.Reset(id)
	d.Wake()
}

// relieve claims what was left in the queue for lack of room.
func (d *Dispatcher) relieve() {
	if d.memory.Relieved() {
		d.Wake()
	}
}

// add gives jobs to the scheduler and returns how many it has taken; the others
// return to the queue. Urgent jobs are in room that only alerts may take.
func (d *Dispatcher) add(ctx context.Context, jobs []delivery.Job, urgent bool) (taken int) {
	free := d.memory.Add(jobs)
	limits := d.limits(ctx, d.scheduler.Unknown(jobs))
	taken = len(jobs)
	for _, r := range d.scheduler.Add(jobs, free, limits) {
		taken -= len(r.Jobs)
		if r.Reason == fair.RequeueNoRoom {
			d.crowded.Store(true)
		}
		d.requeue(r)
	}
	if !urgent {
		d.relieve()
	}
	return taken
}

// limits looks up the limits of webhooks. Where that fails the server's defaults
// hold until an attempt is prepared, which needs the same configuration.
func (d *Dispatcher) limits(
	ctx context.Context, webhooks map[delivery.WebhookID]delivery.OrgID,
) map[delivery.WebhookID]fair.Limits {
	if len(webhooks) == 0 {
		return nil
	}
	known := make(map[delivery.WebhookID]fair.Limits, len(webhooks))
	for id, org := range webhooks {
		config, err := d.webhooks.Latest(ctx, org)
		if err != nil {
			continue
		}
		if w, ok := config.Webhook(id); ok {
			known[id] = limitsOf(w, d.opts.Concurrency)
		}
	}
	return known
}

// limitsOf returns the limits of a webhook; concurrency is the server's
// default. A webhook that takes no calls has no target, and neither a rate
// limit nor a circuit breaker holds up the end of its deliveries.
func limitsOf(w *delivery.Webhook, concurrency int) fair.Limits {
	if w.Version.Deleted || w.Status != delivery.Enabled {
		return fair.Limits{Concurrency: concurrency}
	}
	p := &w.Version.Policy
	if p.Concurrency > 0 {
		concurrency = p.Concurrency
	}
	return fair.Limits{Concurrency: concurrency, PerMinute: p.PerMinute, Target: w.Version.Target}
}

// requeue returns jobs to the queue. Where that fails they are due again when
// their lease ends. The caller calls relieve.
func (d *Dispatcher) requeue(r fair.Requeue) {
	if len(r.Jobs) == 0 {
		return
	}
	d.forget(&r)
	d.settler.Requeue(r)
}

// forget takes jobs that return to the queue out of memory: from then on they
// may be claimed again.
func (d *Dispatcher) forget(r *fair.Requeue) {
	d.memory.Free(delivery.DeliveriesOf(r.Jobs)...)
	d.metrics.requeued(r.Reason, len(r.Jobs))
}

// Run dispatches until ctx ends, then waits for the attempts in flight, up to
// Options.Drain, and requeues the rest. Everything that it took over is with the
// settler when it returns.
func (d *Dispatcher) Run(ctx context.Context) error {
	calls, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCalls()
	var workers sync.WaitGroup
	for range d.opts.Workers {
		workers.Go(func() { d.work(calls) })
	}
	d.claims(ctx)
	d.requeue(d.scheduler.Close())
	drained := time.AfterFunc(d.opts.Drain, stopCalls)
	defer drained.Stop()
	workers.Wait()
	return nil
}

// work takes jobs until the scheduler is closed.
func (d *Dispatcher) work(ctx context.Context) {
	for {
		job, drained, ok := d.scheduler.Next()
		if !ok {
			return
		}
		if drained {
			d.Wake()
		}
		d.busy.Add(1)
		ctx := d.tracer.resume(ctx, job.Delivery.ID)
		result, err := d.attempter.Attempt(ctx, &job)
		d.busy.Add(-1)
		d.finish(ctx, result, err)
	}
}

// finish hands a result to the settler, or the job back to the queue, and
// completes it. What comes after an ordered delivery waits until its result is
// stored, so Settled completes that.
func (d *Dispatcher) finish(ctx context.Context, r *Result, err error) {
	switch {
	case errors.Is(err, errLeaseOver):
		d.forget(&fair.Requeue{Jobs: []delivery.Job{r.Job}, Reason: "lease over"})
		d.relieve()
	case err != nil:
		if ctx.Err() == nil {
			d.metrics.Failed("attempt")
			d.log.WarnContext(ctx, "prepare an attempt", "delivery", r.Delivery.ID, "err", err)
		}
		d.trouble.Store(true)
		d.requeue(fair.Requeue{Jobs: []delivery.Job{r.Job}, Reason: "not ready"})
		d.relieve()
	case r.State == delivery.Queued:
		d.requeue(fair.Requeue{Jobs: []delivery.Job{r.Job}, Reason: fair.RequeueStopped})
		d.relieve()
	default:
		after := r.after()
		d.tracer.Attempted(ctx, &after, r.Attempt, r.Target)
		ordered := r.Delivery.Ordered
		if ordered {
			d.scheduler.FreeWorker(&r.Job) // before Settled may complete it
		}
		if !d.settler.Submit(r) {
			// The delivery is due again when its lease ends.
			d.memory.Free(r.Delivery.ID)
			d.relieve()
		}
		if ordered {
			return
		}
	}
	for _, q := range d.complete(ctx, r, r.Delivery.Ordered, true) {
		d.requeue(q)
	}
	d.relieve()
}

// Requeued says that deliveries are back in the queue. If the webhooks that had
// no room for them have some now, they are claimed at once.
func (d *Dispatcher) Requeued() {
	if !d.trouble.Load() && !d.scheduler.Crowded() {
		d.Wake()
	}
}

// complete tells the scheduler what became of a job and returns the jobs that
// can't start now. With worker set the job's worker is free, too.
func (d *Dispatcher) complete(ctx context.Context, r *Result, blocked, worker bool) []fair.Requeue {
	changed := d.scheduler.Complete(&r.Job, r.completion(blocked), worker)
	if changed.Room {
		d.Wake()
	}
	if changed.Breaker != "" {
		d.logBreaker(ctx, &r.Delivery, changed)
	}
	return changed.Requeue
}

// logBreaker records that a circuit breaker has opened or closed.
func (d *Dispatcher) logBreaker(ctx context.Context, of *delivery.Delivery, changed fair.Effect) {
	d.CountBreakers()
	if changed.Breaker == delivery.BreakerOpen {
		pause := time.Until(changed.Until)
		time.AfterFunc(pause, d.Wake)
		d.log.WarnContext(ctx, "circuit breaker opened: the target of a webhook fails, its deliveries wait",
			"webhook", of.Webhook, "organization", of.Org, "pause", pause)
		return
	}
	d.log.InfoContext(ctx, "circuit breaker closed: the target of a webhook works again",
		"webhook", of.Webhook, "organization", of.Org)
}
