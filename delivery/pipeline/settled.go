package pipeline

import (
	"context"

	"portalhooks/delivery"
	"portalhooks/delivery/fair"
)

// Settled is what became of one settlement.
type Settled struct {
	Entry  delivery.LogEntry
	Result *Result // nil for a test of a webhook
	OK     bool    // false when another server settled the attempt, it could not be stored, or was not held
}

// report tells of results that are settled: the other servers, the callers that
// wait, and the other stages.
func (t *Settler) report(ctx context.Context, results []settling, oks []bool) []fair.Requeue {
	t.queue.Notify()
	settled := make([]Settled, len(results))
	for i := range results {
		item := &results[i]
		settled[i] = Settled{Entry: item.Entry, Result: item.result, OK: oks[i]}
		switch {
		case oks[i]:
			t.metrics.settled(&item.Entry)
		case item.Entry.Delivery.State == delivery.Held:
			t.metrics.requeued("no longer held", 1)
		default:
			t.metrics.fenced.Inc()
		}
		if item.reply != nil {
			item.reply <- settled[i]
		}
	}
	return t.Settled(ctx, settled)
}

// settled publishes results that are settled.
func (p *Pipeline) settled(ctx context.Context, settled []Settled) []fair.Requeue {
	for i := range settled {
		if d := &settled[i].Entry.Delivery; d.State == delivery.Held && !settled[i].OK {
			p.Webhooks.Drop(d.Org) // the webhook holds no longer
		}
	}
	blocked := p.Dispatcher.Settled(ctx, settled)
	p.Health.Observe(settled)
	p.Publisher.Wake()
	return blocked
}

// Settled takes note of results that are settled, and returns the jobs that
// have to wait behind one of them.
func (d *Dispatcher) Settled(ctx context.Context, settled []Settled) (waiting []fair.Requeue) {
	ids := make([]delivery.DeliveryID, len(settled))
	for i := range settled {
		ids[i] = settled[i].Entry.Delivery.ID
	}
	d.memory.Free(ids...)
	for i := range settled {
		s := &settled[i]
		if s.Result == nil || !s.Result.Delivery.Ordered {
			continue
		}
		// Behind one that is held all are, unless the webhook was enabled meanwhile.
		blocked := !s.OK || s.Entry.Delivery.State.Waits() ||
			s.Entry.Delivery.State == delivery.Held && !s.Result.Hold
		for _, q := range d.complete(ctx, s.Result, blocked, false) {
			d.forget(&q)
			waiting = append(waiting, q)
		}
	}
	d.relieve()
	return waiting
}
