package memstore

import (
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// Tallies counts the log, which the fake may do.
func (f *Store) Tallies(
	ctx context.Context, org delivery.OrgID, q delivery.TallyQuery,
) ([]delivery.Tally, error) {
	leave, err := f.enter(ctx, "Tallies")
	if err != nil {
		return nil, err
	}
	defer leave()
	var all []delivery.Tally
	for _, e := range f.LogRows {
		d := e.Delivery
		if d.Org != org || d.Trigger == delivery.ByTest || e.At.Before(q.From) || !e.At.Before(q.To) ||
			len(q.Webhooks) > 0 && !slices.Contains(q.Webhooks, d.Webhook) ||
			len(q.States) > 0 && !slices.Contains(q.States, d.State) {
			continue
		}
		t := delivery.Tally{At: q.From.Add(e.At.Sub(q.From).Truncate(q.Step)), State: d.State, Entries: 1}
		if q.ByWebhook {
			t.Webhook = d.Webhook
		}
		if e.Attempt != nil {
			t.Outcome, t.Attempts = e.Attempt.Outcome, 1
			t.Durations[delivery.PlaceOf(e.Attempt.Duration)]++
		}
		all = append(all, t)
	}
	return all, nil
}

func (f *Store) DiscardTallies(ctx context.Context, _ time.Time) (more bool, err error) {
	leave, err := f.enter(ctx, "DiscardTallies")
	if err != nil {
		return false, err
	}
	leave()
	return false, nil
}
