package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
)

const (
	claimHooks = 100
	claimed    = 200 // deliveries by one claim
	claims     = 50  // at most: half of what is due stays
)

// claim measures how long it takes to lend 200 deliveries when many are due, a
// tenth of them, the oldest, of one webhook.
func (b *bench) claim(ctx context.Context) (err error) {
	w, err := b.newWorld(ctx, 1, claimHooks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.drop(ctx)) }()
	n := b.o.size(2_000, 100_000, 10_000_000)
	if err := b.stuckBacklog(ctx, w, n); err != nil {
		return err
	}
	e, err := w.open(ctx, false)
	if err != nil {
		return err
	}
	var took []float64
	for range min(claims, n/claimed/2) {
		began := time.Now()
		jobs, failed := e.opened.Claim(ctx, delivery.ClaimRequest{
			Owner: e.owner, N: claimed, PerWebhook: claimed / 2, Lease: delivery.MaxTimeout,
		})
		took = append(took, milliseconds(time.Since(began)))
		if failed == nil && len(jobs) == 0 {
			failed = errors.New("nothing was claimed although deliveries are due")
		}
		if err = errors.Join(err, failed); err != nil {
			break
		}
	}
	if err := errors.Join(err, e.leave(ctx)); err != nil {
		return err
	}
	p50 := percentile(took, 50)
	b.report.add(Figure{
		Name: "claim", Title: "claim of 200, p50", Value: p50, Unit: "ms", Score: p50,
		Note: fmt.Sprintf(
			"p99 %s ms; %d deliveries due, a tenth of one webhook; the goal is for 10,000,000 (--full).",
			short(percentile(took, 99)), n),
	})
	return nil
}

// stuckBacklog fills the queue so that one webhook has about a tenth of it, and
// the oldest part.
func (b *bench) stuckBacklog(ctx context.Context, w *world, n int) error {
	if err := b.backlog(ctx, w, 9*claimHooks, 9*claimHooks); err != nil {
		return err
	}
	const stuck = "(SELECT min(webhook) FROM queue)"
	for _, statement := range []string{
		"UPDATE queue SET webhook = " + stuck + " WHERE id IN (SELECT id FROM queue ORDER BY id LIMIT 81)",
		"UPDATE queue SET due_at = due_at - 3600000000 WHERE webhook = " + stuck,
	} {
		if _, err := w.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("fill the queue: %w", err)
		}
	}
	return w.multiply(ctx, n)
}
