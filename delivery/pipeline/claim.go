package pipeline

import (
	"context"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/failpoint"
	"portalhooks/delivery/fair"
)

// ClaimSize is how many deliveries are claimed at once.
const ClaimSize = 500

// claims claims due deliveries until ctx ends: at the start, when it is woken,
// at once after a claim that left more behind, and otherwise at every poll.
func (d *Dispatcher) claims(ctx context.Context) {
	for ctx.Err() == nil {
		more, err := d.claim(ctx)
		if err != nil && ctx.Err() == nil {
			d.metrics.Failed("claim")
			d.log.WarnContext(ctx, "claim deliveries", "err", err)
		}
		if !more || err != nil {
			d.pause(ctx)
		}
	}
}

// pause waits for a wake-up, the next poll, or the end of ctx.
func (d *Dispatcher) pause(ctx context.Context) {
	t := time.NewTimer(d.opts.Poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-d.wake:
	case <-t.C:
	}
}

// claim makes one claim and reports whether another may bring more at once.
func (d *Dispatcher) claim(ctx context.Context) (more bool, err error) {
	if d.settler.Stuck() {
		// What waits there may be due again by now: it is settled first.
		return false, nil
	}
	n, urgent := min(ClaimSize, (d.opts.Memory+1)/2), false
	if !d.memory.Reserve(n, false) {
		// A wake-up comes when there is room. There is some left for alerts.
		if n, urgent = max(1, n/8), true; !d.memory.Reserve(n, true) {
			return false, nil
		}
	}
	perWebhook := max(n/2, 1)
	if d.crowded.Swap(false) {
		// Some webhook can't take more: don't claim again and again what would
		// have to return to the queue.
		perWebhook = min(perWebhook, d.opts.Concurrency)
	}
	until := time.Now().Add(delivery.JobLease)
	d.memory.BeginClaim()
	jobs, err := d.queue.Claim(ctx, delivery.ClaimRequest{
		Owner: d.opts.Owner, N: n, PerWebhook: perWebhook, Lease: delivery.JobLease,
		Limits: d.scheduler.Room(), Urgent: urgent,
	})
	leased := len(jobs)
	jobs, freed := d.memory.EndClaim(jobs)
	d.metrics.requeued("in flight already", leased-len(jobs)-len(freed))
	// Those that were stored meanwhile stay as they are; the others are due again.
	d.requeue(fair.Requeue{Jobs: freed, Reason: "settled meanwhile"})
	d.memory.Cancel(max(0, n-len(jobs)))
	if !urgent { // there is no more room for others than before
		d.relieve()
	}
	if len(jobs) == 0 {
		return leased > 0, err
	}
	for i := range jobs {
		jobs[i].LeasedUntil = until
	}
	failpoint.Hit(failpoint.ClaimAfterCommit)
	taken := d.add(ctx, jobs, urgent)
	// What could not be attempted is back in the queue; it would only come again.
	calm := taken == len(jobs) && !d.trouble.Swap(false)
	return calm && leased >= min(n, perWebhook), err
}
