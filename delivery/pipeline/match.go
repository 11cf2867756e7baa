package pipeline

import (
	"context"
	"errors"

	"portalhooks/delivery"
	"portalhooks/delivery/cache"
)

// maxRounds is how often events are matched again because the webhooks have
// changed between matching and storing.
const maxRounds = 8

// A part is a run of one report's facts: all of them, or as many as are stored
// before others get their turn.
type part struct {
	*submission

	from, to int
}

// store stores the events of all reports, one handover after the other, and
// fills in what became of them.
func (g *Ingester) store(ctx context.Context, reports []submission) error {
	parts := make([]part, 0, len(reports))
	for i := range reports {
		r := &reports[i]
		r.stored = make([]delivery.Stored, len(r.facts))
		for from := 0; from < len(r.facts); from += partSize {
			parts = append(parts, part{r, from, min(from+partSize, len(r.facts))})
		}
	}
	for len(parts) > 0 {
		n := portion(parts)
		if err := g.storeParts(ctx, parts[:n]); err != nil {
			return err
		}
		parts = parts[n:]
	}
	return nil
}

// portion returns how many of the parts make one handover: about partSize
// events, and never one fact twice.
func portion(parts []part) int {
	keys := make(map[factKey]bool)
	events := 0
	for n, p := range parts {
		if n > 0 && events+p.to-p.from > partSize {
			return n
		}
		events += p.to - p.from
		for _, f := range p.facts[p.from:p.to] {
			if keys[factKey{p.org.ID, f.Key}] {
				return n
			}
		}
		for _, f := range p.facts[p.from:p.to] {
			keys[factKey{p.org.ID, f.Key}] = true
		}
	}
	return len(parts)
}

// storeParts matches and stores one handover. Parts whose organization has
// changed its webhooks in the meantime are matched again.
func (g *Ingester) storeParts(ctx context.Context, parts []part) error {
	for range maxRounds {
		units, err := g.match(ctx, parts)
		if err != nil {
			return err
		}
		answers, err := g.enqueuer.enqueue(ctx, units)
		if err != nil {
			return err
		}
		var stale []part
		for i, p := range parts {
			if answers[i].Stale {
				g.webhooks.Drop(p.org.ID)
				stale = append(stale, p)
				continue
			}
			copy(p.stored[p.from:p.to], answers[i].Events)
		}
		if len(stale) == 0 {
			return nil
		}
		parts = stale
	}
	return delivery.Errorf(delivery.Unavailable, "",
		"The organization's webhooks are being changed all the time. "+
			"Send the events again: nothing is stored twice.")
}

// match returns the parts' events, with a delivery for every webhook that fires.
func (g *Ingester) match(ctx context.Context, parts []part) ([]delivery.Ingest, error) {
	size := 0
	for _, p := range parts {
		size += p.to - p.from
	}
	units := make([]delivery.Ingest, len(parts))
	events := make([]delivery.NewEvent, size) // of all units: they are many and small
	for i, p := range parts {
		config, err := g.webhooks.Get(ctx, p.org.ID)
		if err != nil {
			return nil, ended(ctx, err)
		}
		n := p.to - p.from
		units[i] = delivery.Ingest{Org: p.org.ID, ConfigVersion: config.Org.ConfigVersion, Events: events[:n:n]}
		for j := range units[i].Events {
			e := &units[i].Events[j]
			*e = p.event(p.from+j, delivery.EventID(g.ids.Next()))
			e.Deliveries = g.deliveries(config, &e.Event)
		}
		events = events[n:]
	}
	return units, nil
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
