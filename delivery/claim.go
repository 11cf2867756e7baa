package delivery

import (
	"context"
	"time"

	"portalhooks/delivery/failpoint"
)

// claimSize is how many deliveries are claimed at once.
const claimSize = 500

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
	if d.s.settler.stuck.Load() {
		// What waits there may be due again by now: it is settled first.
		return false, nil
	}
	n, urgent := min(claimSize, (d.s.opts.Memory+1)/2), false
	if !d.Reserve(n, false) {
		// Unreserve wakes when there is room. There is some left for alerts.
		if n, urgent = max(1, n/8), true; !d.Reserve(n, true) {
			return false, nil
		}
	}
	perWebhook := max(n/2, 1)
	if d.narrow.Swap(false) {
		// Some webhook can't take more: don't fetch again and again what would
		// have to go back.
		perWebhook = min(perWebhook, d.s.opts.PerHook)
	}
	leased := time.Now().Add(jobLease)
	jobs, err := d.s.store.Claim(ctx, ClaimRequest{
		Owner: d.s.opts.Owner, N: n, PerWebhook: perWebhook, Lease: jobLease,
		Limits: d.router.limits(), Urgent: urgent,
	})
	lent := len(jobs)
	jobs = d.here.absent(jobs)
	d.s.metrics.putBack("here already", lent-len(jobs))
	if unused := max(0, n-len(jobs)); urgent {
		d.leave(unused)
	} else {
		d.Unreserve(unused)
	}
	if err != nil || len(jobs) == 0 {
		return lent > 0, err
	}
	tasks := make([]task, len(jobs))
	for i, j := range jobs {
		tasks[i] = task{Job: j, leased: leased}
	}
	failpoint.Hit(failpoint.ClaimAfterCommit)
	taken := d.put(ctx, tasks, urgent)
	// What could not be attempted has gone back; it would only come again.
	calm := taken == len(tasks) && !d.trouble.Swap(false)
	return calm && lent >= min(n, perWebhook), nil
}
