package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery/egress"
)

const (
	// jobLease is how long a delivery is lent to this process: the longest
	// attempt, and a while to wait for a worker.
	jobLease = 2 * MaxTimeout
	// leaseMargin is what must be left of the lease when an attempt has used up
	// all its time, for its result to be settled.
	leaseMargin = 5 * time.Second
	// claimSize is how many deliveries are claimed at once.
	claimSize = 500
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

	held    atomic.Int64 // deliveries in memory, reserved ones included
	starved atomic.Bool  // something was left in the queue for want of room
	narrow  atomic.Bool  // a webhook had more than it may hold
	trouble atomic.Bool  // an attempt could not be prepared
	busy    atomic.Int64 // workers with a delivery

	random func() float64 // for retries
}

func newDispatcher(s *Service) *Dispatcher {
	return &Dispatcher{s: s, router: newRouter(s.opts.PerHook), wake: make(chan struct{}, 1), random: rand.Float64}
}

// Reserve takes room in memory for n deliveries and reports whether there was
// enough. What is reserved is offered, or given back by Unreserve.
func (d *Dispatcher) Reserve(n int) bool {
	for {
		held := d.held.Load()
		if held+int64(n) > int64(d.s.opts.Memory) {
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
func (d *Dispatcher) Offer(jobs []Job) {
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
	d.put(tasks)
}

// Wake tells that there may be due deliveries to claim. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// put gives tasks to the router and returns how many it has taken. The others
// go back to the queue.
func (d *Dispatcher) put(tasks []task) (taken int) {
	free := d.s.opts.Memory - int(d.held.Load())
	refused := d.router.put(tasks, free)
	d.s.metrics.memory.Set(float64(d.held.Load()))
	if len(refused) > 0 {
		d.narrow.Store(true)
		d.giveBack(refused, "no room")
	}
	return len(tasks) - len(refused)
}

// giveBack returns tasks to the queue, due at once. Where that fails they are
// due again when their lease ends.
func (d *Dispatcher) giveBack(tasks []task, reason string) {
	if len(tasks) == 0 {
		return
	}
	ids := make([]DeliveryID, len(tasks))
	for i, t := range tasks {
		ids[i] = t.Delivery.ID
	}
	d.s.metrics.putBack(reason, len(tasks))
	d.s.settler.release(ids)
	d.Unreserve(len(tasks))
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
	d.giveBack(d.router.close(), "stopped")
	drained := time.AfterFunc(d.s.opts.Drain, stopCalls)
	defer drained.Stop()
	workers.Wait()
	return nil
}

// claims claims due deliveries until ctx ends: at the start, when it is woken,
// at once after a claim that left more behind, and otherwise at every poll.
func (d *Dispatcher) claims(ctx context.Context) {
	for ctx.Err() == nil {
		more, err := d.claim(ctx)
		if err != nil && ctx.Err() == nil {
			d.s.metrics.failed("claim")
			d.s.log.WarnContext(ctx, "claim deliveries", "err", err)
		}
		if !more || err != nil {
			d.pause(ctx)
		}
	}
}

// pause waits for a wake-up, the next poll, or the end of ctx.
func (d *Dispatcher) pause(ctx context.Context) {
	t := time.NewTimer(d.s.opts.Poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-d.wake:
	case <-t.C:
	}
}

// claim makes one claim and reports whether another may bring more at once.
func (d *Dispatcher) claim(ctx context.Context) (more bool, err error) {
	n := min(claimSize, (d.s.opts.Memory+1)/2)
	if !d.Reserve(n) {
		return false, nil // Unreserve wakes when there is room
	}
	perWebhook := max(n/2, 1)
	if d.narrow.Swap(false) {
		// Some webhook can't take more: don't fetch again and again what would
		// have to go back.
		perWebhook = min(perWebhook, d.s.opts.PerHook)
	}
	leased := time.Now().Add(jobLease)
	jobs, err := d.s.store.Claim(ctx, d.s.opts.Owner, n, perWebhook, jobLease)
	d.Unreserve(max(0, n-len(jobs)))
	if err != nil || len(jobs) == 0 {
		return false, err
	}
	tasks := make([]task, len(jobs))
	for i, j := range jobs {
		tasks[i] = task{Job: j, leased: leased}
	}
	taken := d.put(tasks)
	// What could not be attempted has gone back; it would only come again.
	calm := taken == len(tasks) && !d.trouble.Swap(false)
	return calm && len(jobs) >= min(n, perWebhook), nil
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
		d.deliver(ctx, t)
		d.s.metrics.busy.Set(float64(d.busy.Add(-1)))
		d.router.done(t.Delivery.Webhook)
	}
}

// deliver makes the next step of one delivery and hands the result to the
// settler, which gives the room back.
func (d *Dispatcher) deliver(ctx context.Context, t task) {
	step, err := d.guarded(ctx, t)
	switch {
	case errors.Is(err, errLeaseOver):
		d.s.metrics.putBack("lease over", 1)
		d.Unreserve(1)
	case err != nil:
		if ctx.Err() == nil {
			d.s.metrics.failed("attempt")
			d.s.log.WarnContext(ctx, "prepare an attempt", "delivery", t.Delivery.ID, "err", err)
		}
		d.trouble.Store(true)
		d.giveBack([]task{t}, "not ready")
	case step.State == Queued:
		d.giveBack([]task{t}, "stopped")
	default:
		d.s.settler.submit(d.settling(t, step))
	}
}

// errLeaseOver says that a task has waited for so long that its delivery may be
// lent to another process before an attempt would be settled.
var errLeaseOver = errors.New("the lease may end before the attempt does")

// A step is what one delivery's turn led to.
type step struct {
	verdict

	Attempt *Attempt // nil when no call was made
	Target  string   // with Gone: the URL that answered
}

// guarded is next, with errors of this program turned into a failure of the
// one delivery that they came up with.
func (d *Dispatcher) guarded(ctx context.Context, t task) (result step, err error) {
	started := time.Now()
	defer func() {
		if cause := recover(); cause != nil {
			d.s.metrics.panics.Inc()
			d.s.log.ErrorContext(ctx, "panic in a worker", "delivery", t.Delivery.ID, "cause", fmt.Sprint(cause))
			err = nil
			result = step{verdict: verdict{State: Failed}, Attempt: &Attempt{
				Number: t.Delivery.Attempts + 1, StartedAt: started.UTC(), Duration: time.Since(started),
				Timing: noTiming, Outcome: egress.ResponseError,
				Error: "This server could not process the delivery because of an error of its own. " +
					"Tell its operator the delivery's id.",
			}}
		}
	}()
	return d.next(ctx, t)
}

// next decides what a delivery's turn is: a call, or none because nobody wants
// one any more.
func (d *Dispatcher) next(ctx context.Context, t task) (step, error) {
	if t.Cancel {
		return step{verdict: verdict{State: Canceled}}, nil
	}
	target, err := d.s.target(ctx, t.Delivery.Org, t.Delivery.Webhook)
	if err != nil {
		return step{}, fmt.Errorf("look up the webhook: %w", err)
	}
	if state := withoutCall(target); state != "" {
		return step{verdict: verdict{State: state}}, nil
	}
	if time.Until(t.leased) < timeoutOf(target.Policy)+leaseMargin {
		return step{}, errLeaseOver
	}
	a, retryAfter, err := d.s.attempt(ctx, &t.Job, target)
	if err != nil {
		return step{}, err
	}
	v := judge(target.Policy, a, retryAfter, a.StartedAt.Add(a.Duration), d.random())
	return step{verdict: v, Attempt: a, Target: target.Webhook.Version.Target}, nil
}

// withoutCall returns the state of a delivery whose webhook takes no calls, or
// "".
func withoutCall(t *target) State {
	switch {
	case t.Deleted:
		return Canceled
	case t.Webhook.Status == Enabled:
		return ""
	case t.Webhook.Holding:
		return Held
	}
	return Canceled
}
