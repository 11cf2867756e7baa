package delivery

import (
	"context"
	"errors"
	"time"
)

// A piece is a run of one report's events: all of them, or as many as are
// stored before others get their turn.
type piece struct {
	in       *intake
	from, to int
}

// storeIntakes stores the events of all reports, one handover after the other,
// and fills in what became of them.
func (s *Service) storeIntakes(ctx context.Context, intakes []intake) error {
	var pieces []piece
	for i := range intakes {
		in := &intakes[i]
		in.stored = make([]Stored, len(in.events))
		for from := 0; from < len(in.events); from += partSize {
			pieces = append(pieces, piece{in, from, min(from+partSize, len(in.events))})
		}
	}
	for len(pieces) > 0 {
		n := portion(pieces)
		if err := s.storePieces(ctx, pieces[:n]); err != nil {
			return err
		}
		pieces = pieces[n:]
	}
	return nil
}

// portion says how many of the pieces make one handover: about partSize events,
// and never one fact twice.
func portion(pieces []piece) int {
	keys := make(map[factKey]bool)
	events := 0
	for n, p := range pieces {
		if n > 0 && events+p.to-p.from > partSize {
			return n
		}
		events += p.to - p.from
		for _, f := range p.in.facts[p.from:p.to] {
			if keys[factKey{p.in.org.ID, f.Key}] {
				return n
			}
		}
		for _, f := range p.in.facts[p.from:p.to] {
			keys[factKey{p.in.org.ID, f.Key}] = true
		}
	}
	return len(pieces)
}

// storePieces matches and stores one handover. Pieces whose organization has
// changed its webhooks in the meantime are matched again.
func (s *Service) storePieces(ctx context.Context, pieces []piece) error {
	for range maxRounds {
		units := make([]Ingest, len(pieces))
		for i, p := range pieces {
			config, err := s.configs.get(ctx, p.in.org.ID)
			if err != nil {
				return ended(ctx, err)
			}
			units[i] = s.matched(config, p)
		}
		answers, err := s.ingester.submit(ctx, units)
		if err != nil {
			return err
		}
		var stale []piece
		for i, p := range pieces {
			if answers[i].Stale {
				s.configs.drop(p.in.org.ID)
				stale = append(stale, p)
				continue
			}
			copy(p.in.stored[p.from:p.to], answers[i].Events)
		}
		if len(stale) == 0 {
			return nil
		}
		pieces = stale
	}
	return Errorf(Unavailable, "",
		"The organization's webhooks are being changed all the time. "+
			"Send the events again: nothing is stored twice.")
}

// ended turns the end of the caller's patience into an answer.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return errUnknown
	}
	return err
}

// matched returns a piece's events with a delivery for every webhook that fires.
func (s *Service) matched(config *orgConfig, p piece) Ingest {
	unit := Ingest{
		Org: p.in.org.ID, ConfigVersion: config.Org.ConfigVersion, Events: make([]NewEvent, 0, p.to-p.from),
	}
	for i := p.from; i < p.to; i++ {
		e := p.in.events[i]
		e.ID = EventID(s.ids.Next())
		e.ReceivedAt = IDTime(e.ID)
		unit.Events = append(unit.Events, NewEvent{
			Event: e, Key: p.in.facts[i].Key, Fingerprint: p.in.facts[i].Fingerprint,
			Deliveries: s.deliveriesFor(config, &e),
		})
	}
	return unit
}

// deliveriesFor returns a new delivery for every webhook that fires for e.
func (s *Service) deliveriesFor(config *orgConfig, e *Event) []Delivery {
	var deliveries []Delivery
	for _, w := range config.listening[e.Type] {
		if match(&w.Version, e) != Matched {
			continue
		}
		d := Delivery{
			ID: DeliveryID(s.ids.Next()), Org: e.Org, Webhook: w.ID, Version: w.Version.ID, Event: e.ID,
			Type: e.Type, Item: e.Item, Trigger: ByEvent, State: Queued, Ordered: w.Version.Policy.Ordered,
		}
		if w.Status != Enabled {
			d.State = Held
		}
		deliveries = append(deliveries, d)
	}
	return deliveries
}

// now returns the time as it is stored with webhooks: as precise as ids are, so
// that what is compared with the time of an event compares exactly.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
