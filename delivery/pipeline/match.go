package pipeline

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
)

// maxRounds is how often events are matched again because the webhooks have
// changed between matching and storing.
const maxRounds = 8

// A part is a run of one report's facts that waits to be stored: all of them, or
// what is left.
type part struct {
	*submission

	from, to int
}

// store stores the events of all reports and fills in what became of them.
func (g *Ingester) store(ctx context.Context, reports []submission) error {
	waiting := make([]part, 0, len(reports))
	for i := range reports {
		r := &reports[i]
		r.stored = make([]delivery.Stored, len(r.facts))
		if len(r.facts) > 0 {
			waiting = append(waiting, part{r, 0, len(r.facts)})
		}
	}
	return g.storeParts(ctx, alternate(waiting))
}

// storeParts stores the parts, one handover after the other. Those whose
// organization has changed its webhooks in the meantime are matched again.
func (g *Ingester) storeParts(ctx context.Context, waiting []part) error {
	for stale := 0; len(waiting) > 0; {
		parts, units, rest, err := g.match(ctx, waiting)
		if err != nil {
			return err
		}
		answers, err := g.enqueuer.enqueue(ctx, units)
		if err != nil {
			return err
		}
		again := parts[:0]
		for i, p := range parts {
			if answers[i].Stale {
				g.webhooks.Drop(p.org.ID)
				again = append(again, p)
				continue
			}
			copy(p.stored[p.from:p.to], answers[i].Events)
		}
		if stale++; len(again) == 0 {
			stale = 0
		}
		if stale == maxRounds {
			return delivery.Errorf(delivery.Unavailable, "",
				"The organization's webhooks are being changed all the time. "+
					"Send the events again: nothing is stored twice.")
		}
		waiting = slices.Concat(again, rest)
	}
	return nil
}

// alternate puts the parts of organizations in turns: the first of each, then the
// second of each, and so on. Those of one organization keep their order.
func alternate(parts []part) []part {
	turn := make(map[delivery.OrgID]int)
	turns := make(map[*submission]int, len(parts))
	for _, p := range parts {
		turns[p.submission] = turn[p.org.ID]
		turn[p.org.ID]++
	}
	if len(turn) > 1 {
		slices.SortStableFunc(parts, func(a, b part) int {
			return cmp.Compare(turns[a.submission], turns[b.submission])
		})
	}
	return parts
}

// match matches the first of the facts that wait, until they make partRows rows or
// the same fact comes twice. It returns them as parts, with a unit of events for
// each, and what still waits.
func (g *Ingester) match(
	ctx context.Context, waiting []part,
) (parts []part, units []delivery.Ingest, rest []part, err error) {
	size := 0
	for _, p := range waiting {
		size += p.to - p.from
	}
	events := make([]delivery.NewEvent, 0, min(size, partRows)) // of all units: they are many and small
	keys := make(map[factKey]bool, cap(events))
	rows := 0
	for n, p := range waiting {
		config, err := g.webhooks.Get(ctx, p.org.ID)
		if err != nil {
			return nil, nil, nil, ended(ctx, err)
		}
		first, at := len(events), p.from
		for ; at < p.to; at++ {
			key := factKey{p.org.ID, p.facts[at].Key}
			if rows >= partRows || keys[key] {
				break
			}
			e := p.event(at, delivery.EventID(g.ids.Next()))
			e.Deliveries = g.deliveries(config, &e.Event)
			rows += 1 + len(e.Deliveries)
			keys[key] = true
			events = append(events, e)
		}
		if at > p.from {
			parts = append(parts, part{p.submission, p.from, at})
			units = append(units, delivery.Ingest{
				Org: p.org.ID, ConfigVersion: config.Org.ConfigVersion, Events: events[first:len(events):len(events)],
			})
		}
		if at < p.to {
			waiting[n].from = at
			return parts, units, waiting[n:], nil
		}
	}
	return parts, units, nil, nil
}

// event returns the i-th fact as a new event with the id.
func (in *submission) event(i int, id delivery.EventID) delivery.NewEvent {
	f := &in.facts[i]
	return delivery.NewEvent{
		Event: delivery.Event{
			ID: id, ReceivedAt: delivery.IDTime(id),
			Org: in.org.ID, Type: f.Type, Item: f.ItemID, ItemName: f.Item.DisplayName(), Group: f.Group,
			OccurredAt: f.At.UTC(), SourceEventID: in.report.SourceEventID, WorkspaceID: f.WorkspaceID,
			WorkspaceName: f.WorkspaceName, Variables: f.Variables,
		},
		Key: f.Key, Fingerprint: f.Fingerprint,
		BySource: in.report.ActiveAlert != nil || in.report.ObjectChange != nil,
	}
}

// ended turns the end of the caller's patience into an answer.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errUnknown
	}
	return err
}

// deliveries returns a new delivery for every webhook that fires for e.
func (g *Ingester) deliveries(config *cache.Config, e *delivery.Event) []delivery.Delivery {
	var deliveries []delivery.Delivery
	for _, w := range config.Listening(e.Type) {
		if delivery.Match(&w.Version, e) != delivery.Matched {
			continue
		}
		d := delivery.Delivery{
			ID: delivery.DeliveryID(g.ids.Next()), Org: e.Org, Webhook: w.ID, Version: w.Version.ID, Event: e.ID,
			Type: e.Type, Item: e.Item, Trigger: delivery.ByEvent, State: delivery.Queued,
			Ordered: w.Version.Policy.Ordered,
		}
		if w.Status != delivery.Enabled {
			d.State = delivery.Held
		}
		deliveries = append(deliveries, d)
	}
	return deliveries
}
