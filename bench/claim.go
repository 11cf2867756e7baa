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
	claimed    = 200 // deliveries per claim
	claims     = 50  // at most; half of the due deliveries remain
)

// claim measures the duration of a claim of 200 deliveries when many are due and the
// oldest tenth of them belongs to a single webhook.
func (b *bench) claim(ctx context.Context) (err error) {
	fx, err := b.newFixture(ctx, 1, claimHooks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fx.drop(ctx)) }()
	n := b.o.size(2_000, 100_000, 10_000_000)
	if err := b.unevenBacklog(ctx, fx, n); err != nil {
		return err
	}
	e, err := fx.open(ctx, false)
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
			failed = errors.New("the claim is empty although deliveries are due")
		}
		if err = errors.Join(err, failed); err != nil {
			break
		}
	}
	if err := errors.Join(err, e.close(ctx)); err != nil {
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

// unevenBacklog fills the queue so that the oldest tenth belongs to a single webhook.
func (b *bench) unevenBacklog(ctx context.Context, fx *fixture, n int) error {
	if err := b.backlog(ctx, fx, 9*claimHooks, 9*claimHooks); err != nil {
		return err
	}
	const stuck = "(SELECT min(webhook) FROM queue)"
	for _, statement := range []string{
		"UPDATE queue SET webhook = " + stuck + " WHERE id IN (SELECT id FROM queue ORDER BY id LIMIT 81)",
		"UPDATE queue SET due_at = due_at - 3600000000 WHERE webhook = " + stuck,
	} {
		if _, err := fx.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("fill the queue: %w", err)
		}
	}
	return fx.multiply(ctx, n)
}
