package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/fair"
	"portalhooks/delivery/seal"
)

// A Result is what became of a job.
type Result struct {
	delivery.Job
	delivery.Verdict

	Attempt *delivery.Attempt // nil when no call was made
	Target  string            // the URL that was called
	Limits  *fair.Limits      // the webhook's, as they are now; nil if they were not read
	At      time.Time
}

// After returns the delivery as it stands after the result.
func (r *Result) After() *delivery.Delivery {
	d := r.Delivery
	d.State, d.NextAttemptAt = r.State, r.DueAt
	if r.Attempt != nil {
		d.Attempts = r.Attempt.Number
	}
	if r.State.Final() {
		d.FinishedAt = r.At
	}
	return &d
}

// settlement returns what is stored of the result.
func (r *Result) settlement() delivery.Settlement {
	return delivery.Settlement{
		Owner:  r.Owner,
		Before: r.Delivery.Attempts,
		Entry:  delivery.LogEntry{At: r.At, Delivery: *r.After(), Attempt: r.Attempt},
		DueAt:  r.DueAt,
	}
}

// errLeaseOver says that a job has waited for so long that its delivery may be
// leased to another server before an attempt would be settled.
var errLeaseOver = errors.New("the lease may end before the attempt does")

// errSilent says that another server may hold the delivery by now.
var errSilent = errors.New("this server could not renew the lease of its slot")

// An Attempter makes the attempts of jobs.
type Attempter struct {
	targets     *cache.Targets
	renderer    *cache.Renderer
	sender      *Sender
	concurrency int            // attempts in flight for a webhook whose policy sets none
	silent      func() bool    // whether other servers may have taken over the jobs of this one
	random      func() float64 // from [0, 1), for the pauses between attempts
	metrics     *Metrics
	log         *slog.Logger
}

// Attempt does what a job is due for: one call, or none where the delivery is
// no longer wanted. An error means that there was no attempt and that the job
// has to be claimed again; the result has the job all the same. A panic fails
// the one delivery that it came up with.
func (a *Attempter) Attempt(ctx context.Context, job *delivery.Job) (r *Result, err error) {
	started := time.Now()
	defer func() {
		cause := recover()
		if cause != nil {
			a.metrics.panics.Inc()
			a.log.ErrorContext(ctx, "panic in a worker", "delivery", job.Delivery.ID, "cause", fmt.Sprint(cause))
			r, err = a.panicked(job, started), nil
		}
		r.At = time.Now().UTC()
	}()
	r = &Result{Job: *job}
	return r, a.attempt(ctx, r)
}

// panicked returns the result of a job that this program has an error with.
func (a *Attempter) panicked(job *delivery.Job, started time.Time) *Result {
	return &Result{Job: *job, Verdict: delivery.Verdict{State: delivery.Failed}, Attempt: &delivery.Attempt{
		Number: job.Delivery.Attempts + 1, StartedAt: started.UTC(), Duration: time.Since(started),
		Timing: noTiming, Outcome: egress.ResponseError,
		Error: "This server could not process the delivery because of an error of its own. " +
			"Tell its operator the delivery's id.",
	}}
}

// attempt fills in what becomes of the job.
func (a *Attempter) attempt(ctx context.Context, r *Result) error {
	if a.silent() {
		return errSilent
	}
	if r.Cancel {
		r.State = delivery.Canceled
		return nil
	}
	target, err := a.targets.Of(ctx, r.Delivery.Org, r.Delivery.Webhook)
	sealed := errors.Is(err, seal.ErrUnknownKey) || errors.Is(err, seal.ErrNotOpened)
	if err != nil && !sealed {
		return fmt.Errorf("look up the webhook: %w", err)
	}
	limits := limitsOf(&target.Webhook, a.concurrency)
	if state := withoutCall(target); state != "" {
		r.State, r.Limits = state, &limits
		return nil
	}
	if sealed {
		a.unopened(ctx, r, target.Policy, err)
		return nil
	}
	if time.Until(r.LeasedUntil) < target.Policy.AttemptTimeout()+LeaseMargin {
		return errLeaseOver
	}
	retryAfter, err := a.send(ctx, r, target)
	if err != nil {
		return err
	}
	r.Verdict = delivery.Judge(
		target.Policy, r.Attempt, retryAfter, r.Attempt.StartedAt.Add(r.Attempt.Duration), a.random(),
	)
	r.Target, r.Limits = target.Webhook.Version.Target, &limits
	return nil
}

// send renders the message and makes the call. It returns the pause that the
// receiver asked for.
func (a *Attempter) send(ctx context.Context, r *Result, t *cache.Target) (retryAfter time.Duration, err error) {
	started, number := time.Now().UTC(), r.Delivery.Attempts+1
	message := messages.Get().(*[]byte)
	defer recycle(message)
	d := &r.Delivery
	body, err := a.renderer.Render(ctx, (*message)[:0], &r.Event, d.Version, d.ID)
	if err != nil {
		r.Attempt, err = Unsent(number, started, err)
		return 0, err
	}
	*message = body
	r.Attempt, retryAfter = a.sender.Send(ctx, t, d.ID, number, body)
	return retryAfter, nil
}

// unopened fails the attempt of a delivery whose webhook's secrets this server
// can't open, so that the log says it and it is retried by its schedule.
func (a *Attempter) unopened(ctx context.Context, r *Result, p delivery.Policy, err error) {
	a.metrics.Failed("attempt")
	a.log.ErrorContext(ctx, "open the secrets of a webhook", "delivery", r.Delivery.ID,
		"webhook", r.Delivery.Webhook, "err", err)
	now := time.Now().UTC()
	r.Attempt = &delivery.Attempt{
		Number: r.Delivery.Attempts + 1, StartedAt: now, Timing: noTiming, Outcome: delivery.RuleFailed,
		Error: "This server could not open the webhook's secrets. Tell its operator the delivery's id.",
	}
	r.Verdict = delivery.Judge(p, r.Attempt, 0, now, a.random())
}

// withoutCall returns the state of a delivery whose webhook takes no calls, or
// "".
func withoutCall(t *cache.Target) delivery.State {
	switch {
	case t.Deleted:
		return delivery.Canceled
	case t.Webhook.Status == delivery.Enabled:
		return ""
	case t.Webhook.Holding:
		return delivery.Held
	}
	return delivery.Canceled
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
