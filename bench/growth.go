package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent"
)

// growthTries is how often each question is asked of a database.
const growthTries = 21

// A question is something that must take as long in an old database as in a
// young one.
type question struct {
	name, title string
	ask         func(ctx context.Context, s *ent.Store, h *holding) error
}

// A holding is what the questions are about.
type holding struct {
	owner   delivery.Owner
	webhook delivery.WebhookID // the busiest, and its organization
	org     delivery.OrgID
	event   delivery.EventID
	now     time.Time
	start   time.Time // of the history
}

func questions() []question {
	type narrowing func(h *holding) delivery.DeliveryFilter
	list := func(filter narrowing) func(context.Context, *ent.Store, *holding) error {
		return func(ctx context.Context, s *ent.Store, h *holding) error {
			page, err := s.Deliveries(ctx, h.org, filter(h), delivery.Page{First: delivery.DefaultPageSize})
			if err == nil && len(page.Items) == 0 {
				err = errors.New("the page is empty")
			}
			return err
		}
	}
	return []question{
		{"claim", "claim of 200", askClaim},
		{"webhook", "newest 25 of a webhook", list(func(h *holding) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{Webhooks: []delivery.WebhookID{h.webhook}}
		})},
		{"state", "newest 25 that failed", list(func(*holding) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{States: []delivery.State{delivery.Failed}}
		})},
		{"time", "newest 25 of a past day", list(func(h *holding) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{After: h.start, Before: h.start.AddDate(0, 0, 1)}
		})},
		{"event", "deliveries of an event", list(func(h *holding) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{Event: h.event}
		})},
		{"feed", "100 entries of the live log", askFeed},
		{"stats", "statistics of 30 days", askStats},
		{"retention", "a portion of retention", askRetention},
	}
}

func askClaim(ctx context.Context, s *ent.Store, h *holding) error {
	jobs, err := s.Claim(ctx, delivery.ClaimRequest{
		Owner: h.owner, N: claimed, PerWebhook: claimed / 2, Lease: delivery.MaxTimeout,
	})
	if err == nil && len(jobs) == 0 {
		err = errors.New("nothing was claimed although deliveries are due")
	}
	return err
}

func askFeed(ctx context.Context, s *ent.Store, h *holding) error {
	after := map[int]delivery.LogID{h.owner.Slot: delivery.IDAt[delivery.LogID](h.now.Add(-12 * time.Hour))}
	_, err := s.Follow(ctx, after, 100)
	return err
}

func askStats(ctx context.Context, s *ent.Store, h *holding) error {
	hour := h.now.Truncate(time.Hour)
	_, err := s.Tallies(ctx, h.org, delivery.TallyQuery{
		From: hour.AddDate(0, 0, -30), To: hour.Add(time.Hour), Step: 24 * time.Hour,
	})
	return err
}

// errIdle is returned by a question that had nothing to do: its time is no
// answer.
var errIdle = errors.New("there was nothing to do")

// askRetention discards from the first half of the history.
func askRetention(ctx context.Context, s *ent.Store, h *holding) error {
	more, err := s.Discard(ctx, h.start.Add(h.now.Sub(h.start)/2))
	if err == nil && !more {
		err = errIdle // or less than a whole portion
	}
	return err
}

// growth compares how long the same questions take in two databases of the same
// shape, one of which has many times the deliveries of the other. They are asked
// in turns: whatever else the machine does then troubles both. A young database
// may have less than a whole portion to discard: then there is no ratio.
func (b *bench) growth(ctx context.Context) (err error) {
	small, large := b.o.size(300, 10_000, 100_000), b.o.size(3_000, 300_000, 10_000_000)
	young, err := b.grow(ctx, small)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, young.close(ctx)) }()
	old, err := b.grow(ctx, large)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.close(ctx)) }()
	for _, q := range questions() {
		var before, after []float64
		for range growthTries {
			if before, err = young.time(ctx, q, before); err != nil {
				return err
			}
			if after, err = old.time(ctx, q, after); err != nil {
				return err
			}
		}
		b.report.add(Figure{
			Name: "growth-" + q.name, Title: q.title, Value: median(after), Unit: "ms",
			Score: ratio(median(after), median(before)), Scale: scaleTimes,
			Note: fmt.Sprintf("%s ms with %d deliveries, this with %d.", short(median(before)), small, large),
		})
	}
	return nil
}

// A grown is a database with a history.
type grown struct {
	*database

	filler *generator
	store  *ent.Store
	about  *holding
}

// grow makes a database of n deliveries that are over, and a tenth of that, or
// what all claims take, that wait.
func (b *bench) grow(ctx context.Context, n int) (_ *grown, err error) {
	o := &grown{}
	if o.database, err = b.server.create(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close(ctx))
		}
	}()
	g := &generator{
		History: History{
			Database: o.url, Deliveries: n, Due: max(n/10, 2*growthTries*claimed), Days: b.o.size(3, 30, 30),
			Organizations: b.o.size(2, 50, 100), Webhooks: 10, Progress: b.o.Progress,
		},
		now: time.Now().UTC(),
	}
	if g.Keyring, err = unknownKey(); err != nil {
		return nil, err
	}
	if g.db, g.sqlite, err = openForFilling(ctx, o.url); err != nil {
		return nil, err
	}
	o.filler = g
	logger := slog.New(slog.DiscardHandler)
	if o.store, err = ent.Open(ctx, ent.Options{URL: o.url, Logger: logger}); err != nil {
		return nil, err
	}
	if err = g.fill(ctx, o.store); err == nil {
		o.about, err = g.holding(ctx, o.store)
	}
	return o, err
}

// time adds how long the answer to a question takes, in milliseconds.
func (o *grown) time(ctx context.Context, q question, took []float64) ([]float64, error) {
	began := time.Now()
	err := q.ask(ctx, o.store, o.about)
	if errors.Is(err, errIdle) {
		return took, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.title, err)
	}
	return append(took, milliseconds(time.Since(began))), nil
}

func (o *grown) close(ctx context.Context) (err error) {
	if o.store != nil {
		err = o.store.Close()
	}
	if o.filler != nil {
		err = errors.Join(err, o.filler.db.Close())
	}
	return errors.Join(err, o.drop(ctx))
}

func (g *generator) holding(ctx context.Context, store *ent.Store) (*holding, error) {
	h := &holding{now: g.now, start: g.start()}
	err := g.db.QueryRowContext(ctx, "SELECT webhook, org FROM generated WHERE place = 0").
		Scan(&h.webhook, &h.org)
	if err != nil {
		return nil, err
	}
	err = g.db.QueryRowContext(ctx, fmt.Sprintf(`SELECT event FROM log WHERE webhook = %d AND state >= 5
		ORDER BY delivery DESC LIMIT 1`, h.webhook)).Scan(&h.event)
	if err != nil {
		return nil, err
	}
	h.owner, err = store.Join(ctx, "bench", time.Hour)
	return h, err
}
