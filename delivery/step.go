package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery/egress"
	"portalhooks/delivery/seal"
)

// deliver makes the next step of one delivery and hands the result to the
// settler, which gives the room back. It returns what to tell the router, and
// whether the settler does that: what comes after an ordered delivery waits
// until its result is stored.
func (d *Dispatcher) deliver(ctx context.Context, t *task) (r report, later bool) {
	ctx = d.s.tracer.resume(ctx, t.Delivery.ID)
	step, err := d.guarded(ctx, t)
	r = report{omen: omenOf(step.Attempt), rules: step.Rules, known: step.Known, blocked: t.Delivery.Ordered}
	if step.Attempt != nil {
		r.took = step.Attempt.Duration
	}
	switch {
	case errors.Is(err, errLeaseOver):
		d.here.remove(t.Delivery.ID)
		d.s.metrics.putBack("lease over", 1)
		d.Unreserve(1)
	case err != nil:
		if ctx.Err() == nil {
			d.s.metrics.failed("attempt")
			d.s.log.WarnContext(ctx, "prepare an attempt", "delivery", t.Delivery.ID, "err", err)
		}
		d.trouble.Store(true)
		d.giveBack(parcel{tasks: []task{*t}, reason: "not ready"})
	case step.State == Queued:
		d.giveBack(parcel{tasks: []task{*t}, reason: backStopped})
	default:
		item := d.settling(t, step)
		d.s.tracer.attempted(ctx, &item.Entry.Delivery, step.Attempt, step.Target)
		if later = t.Delivery.Ordered; later {
			item.turn = &turnTaken{task: *t, report: r}
		}
		d.s.settler.submit(item)
	}
	return r, later
}

// errLeaseOver says that a task has waited for so long that its delivery may be
// lent to another process before an attempt would be settled.
var errLeaseOver = errors.New("the lease may end before the attempt does")

// errSilent says that another process may hold the delivery by now.
var errSilent = errors.New("this process could not prolong the lease of its slot")

// A step is what one delivery's turn led to.
type step struct {
	verdict

	Attempt *Attempt // nil when no call was made
	Target  string   // with Gone: the URL that answered
	Rules   rules    // the webhook's, with Known
	Known   bool
}

// guarded is next, with errors of this program turned into a failure of the
// one delivery that they came up with.
func (d *Dispatcher) guarded(ctx context.Context, t *task) (result step, err error) {
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
func (d *Dispatcher) next(ctx context.Context, t *task) (step, error) {
	if d.s.silent() {
		return step{}, errSilent
	}
	if t.Cancel {
		return step{verdict: verdict{State: Canceled}}, nil
	}
	target, err := d.s.target(ctx, t.Delivery.Org, t.Delivery.Webhook)
	sealed := errors.Is(err, seal.ErrUnknownKey) || errors.Is(err, seal.ErrNotOpened)
	if err != nil && !sealed {
		return step{}, fmt.Errorf("look up the webhook: %w", err)
	}
	now := rulesOf(&target.Webhook, d.s.opts.PerHook)
	if state := withoutCall(target); state != "" {
		return step{verdict: verdict{State: state}, Rules: now, Known: true}, nil
	}
	if sealed {
		return d.unopened(ctx, t, target.Policy, err), nil
	}
	if time.Until(t.leased) < timeoutOf(target.Policy)+leaseMargin {
		return step{}, errLeaseOver
	}
	a, retryAfter, err := d.s.attempt(ctx, &t.Job, target)
	if err != nil {
		return step{}, err
	}
	v := judge(target.Policy, a, retryAfter, a.StartedAt.Add(a.Duration), d.random())
	return step{verdict: v, Attempt: a, Target: target.Webhook.Version.Target, Rules: now, Known: true}, nil
}

// unopened is the step of a delivery whose webhook's secrets this server can't
// open: an attempt that failed, so that the log says it, and that it is not
// tried again and again.
func (d *Dispatcher) unopened(ctx context.Context, t *task, p Policy, err error) step {
	d.s.metrics.failed("attempt")
	d.s.log.ErrorContext(ctx, "open the secrets of a webhook", "delivery", t.Delivery.ID,
		"webhook", t.Delivery.Webhook, "err", err)
	now := time.Now().UTC()
	a := &Attempt{
		Number: t.Delivery.Attempts + 1, StartedAt: now, Timing: noTiming, Outcome: RuleFailed,
		Error: "This server could not open the webhook's secrets. Tell its operator the delivery's id.",
	}
	return step{verdict: judge(p, a, 0, now, d.random()), Attempt: a}
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

// settling makes the settlement of a task's step.
func (d *Dispatcher) settling(t *task, s step) settling {
	delivery := t.Delivery
	delivery.State = s.State
	delivery.NextAttemptAt = s.DueAt
	item := settling{room: 1}
	at := time.Now().UTC()
	if s.Attempt != nil {
		delivery.Attempts = s.Attempt.Number
	}
	if s.State.Final() {
		delivery.FinishedAt = at
	}
	if s.Gone {
		item.gone = s.Target
	}
	item.Settlement = Settlement{
		Owner:  t.Owner,
		Before: t.Delivery.Attempts,
		Entry:  LogEntry{At: at, Delivery: delivery, Attempt: s.Attempt},
		DueAt:  s.DueAt,
	}
	return item
}
