package memstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
)

// A Faulty is a Store with faults. Set the fields within Change once the Store
// is in use. The zero fields are no faults.
type Faulty struct {
	*Store

	// Faults of every method. Fail is called within Change, and the method fails
	// with its error, if any.
	Down error
	Fail func(method string) error
	Took map[string]time.Duration // how long a method takes before it begins
	Dead map[delivery.Owner]bool  // servers that are cut off from the store
	Skew time.Duration            // how far the store's clock is ahead of the test's

	// Faults of one method. With Supply, claims get the jobs that it returns, and
	// settling them does nothing.
	Poison     func(*delivery.Settlement) bool // Settle fails for a batch with such a settlement
	Unreadable map[delivery.OrgID]error        // organizations that Config fails for
	Panics     map[delivery.VersionID]bool     // versions that VersionsByID panics for
	OldestTx   time.Duration                   // what OldestTransaction returns
	Beside     error                           // what Claim returns beside its jobs
	Supply     func(delivery.ClaimRequest) []delivery.Job

	// What was seen.
	Calls    map[string]int // by method, failed calls included
	Claims   []int          // PerWebhook of each Claim
	Notified int            // calls of Notify
	Told     chan struct{}  // gets a value when Notify is called
}

var (
	errCutOff = errors.New("connection refused")
	errPoison = fmt.Errorf("invalid byte sequence: %w", delivery.ErrUnstorable)
)

// NewFaulty returns an empty Store without any faults.
func NewFaulty() *Faulty {
	f := &Faulty{
		Store: New(),
		Took:  make(map[string]time.Duration), Dead: make(map[delivery.Owner]bool),
		Unreadable: make(map[delivery.OrgID]error), Panics: make(map[delivery.VersionID]bool),
		Calls: make(map[string]int), Told: make(chan struct{}, 1),
	}
	f.Clock = func() time.Time { return time.Now().Add(f.Skew) }
	f.Before = f.before
	return f
}

// before delays, counts and fails a call.
func (f *Faulty) before(ctx context.Context, owner delivery.Owner, method string) (err error) {
	var took time.Duration
	f.Change(func() { took = f.Took[method] })
	if took > 0 && !loop.Sleep(ctx, took) {
		return ctx.Err()
	}
	f.Change(func() {
		f.Calls[method]++
		switch {
		case f.Down != nil:
			err = f.Down
		case f.Dead[owner]:
			err = errCutOff
		case f.Fail != nil:
			err = f.Fail(method)
		}
	})
	return err
}

// Claim implements [delivery.Queue].
func (f *Faulty) Claim(ctx context.Context, c delivery.ClaimRequest) (jobs []delivery.Job, err error) {
	var supply func(delivery.ClaimRequest) []delivery.Job
	f.Change(func() {
		f.Claims = append(f.Claims, c.PerWebhook)
		supply, err = f.Supply, f.Beside
	})
	if supply == nil {
		jobs, failed := f.Store.Claim(ctx, c)
		return jobs, cmp.Or(failed, err)
	}
	if err := f.before(ctx, c.Owner, "Claim"); err != nil {
		return nil, err
	}
	f.Change(func() { jobs = supply(c) })
	return jobs, nil
}

// Settle implements [delivery.Queue].
func (f *Faulty) Settle(ctx context.Context, batch []delivery.Settlement) (held []bool, err error) {
	var poisoned, supplied bool
	f.Change(func() {
		supplied = f.Supply != nil
		for i := range batch {
			poisoned = poisoned || f.Poison != nil && f.Poison(&batch[i])
		}
	})
	switch {
	case poisoned:
		return nil, errPoison
	case !supplied || len(batch) == 0:
		return f.Store.Settle(ctx, batch)
	}
	if err := f.before(ctx, batch[0].Owner, "Settle"); err != nil {
		return nil, err
	}
	held = make([]bool, len(batch))
	for i := range held {
		held[i] = true
	}
	return held, nil
}

// Config implements [delivery.WebhookStore].
func (f *Faulty) Config(
	ctx context.Context, org delivery.OrgID,
) (o delivery.Organization, webhooks []delivery.Webhook, err error) {
	if f.Change(func() { err = f.Unreadable[org] }); err != nil {
		return o, nil, err
	}
	return f.Store.Config(ctx, org)
}

// VersionsByID implements [delivery.WebhookStore].
func (f *Faulty) VersionsByID(
	ctx context.Context, ids []delivery.VersionID,
) (versions []delivery.WebhookVersion, err error) {
	f.Change(func() {
		for _, id := range ids {
			if f.Panics[id] {
				panic("poison")
			}
		}
	})
	return f.Store.VersionsByID(ctx, ids)
}

// Notify implements [delivery.Maintenance].
func (f *Faulty) Notify() {
	f.Change(func() { f.Notified++ })
	select {
	case f.Told <- struct{}{}:
	default:
	}
}

// OldestTransaction implements [delivery.Maintenance].
func (f *Faulty) OldestTransaction(ctx context.Context) (oldest time.Duration, err error) {
	if _, err := f.Store.OldestTransaction(ctx); err != nil {
		return 0, err
	}
	f.Change(func() { oldest = f.OldestTx })
	return oldest, nil
}
