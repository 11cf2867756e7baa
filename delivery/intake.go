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
	pieces := make([]piece, 0, len(intakes))
	for i := range intakes {
		in := &intakes[i]
		in.stored = make([]Stored, len(in.facts))
		for from := 0; from < len(in.facts); from += partSize {
			pieces = append(pieces, piece{in, from, min(from+partSize, len(in.facts))})
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
		events := make([]NewEvent, eventsIn(pieces)) // of all units: they are many and small
		for i, p := range pieces {
			config, err := s.configs.get(ctx, p.in.org.ID)
			if err != nil {
				return ended(ctx, err)
			}
			n := p.to - p.from
			units[i] = Ingest{Org: p.in.org.ID, ConfigVersion: config.Org.ConfigVersion, Events: events[:n:n]}
			s.matchPiece(config, p, units[i].Events)
			events = events[n:]
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

func eventsIn(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += p.to - p.from
	}
	return n
}

// matchPiece fills in a piece's events, with a delivery for every webhook that fires.
func (s *Service) matchPiece(config *orgConfig, p piece, events []NewEvent) {
	for i := range events {
		e := &events[i]
		e.Event = p.in.event(p.from + i)
		e.Event.ID = EventID(s.ids.Next())
		e.Event.ReceivedAt = IDTime(e.Event.ID)
		e.Key, e.Fingerprint = p.in.facts[p.from+i].Key, p.in.facts[p.from+i].Fingerprint
		e.BySource = p.in.report.ActiveAlert != nil || p.in.report.ObjectChange != nil
		e.Deliveries = s.deliveriesFor(config, &e.Event)
	}
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
