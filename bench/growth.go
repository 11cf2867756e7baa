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

// growthRepeats is how often each query runs on each database.
const growthRepeats = 21

// A query is an operation whose duration must not depend on the size of the database.
type query struct {
	name, title string
	run         func(ctx context.Context, s *ent.Store, h *subject) error
}

// A subject has the parameters of the queries.
type subject struct {
	owner   delivery.Owner
	webhook delivery.WebhookID // with the most deliveries
	org     delivery.OrgID     // of webhook
	event   delivery.EventID
	now     time.Time
	start   time.Time // of the history
}

func queries() []query {
	type narrowing func(h *subject) delivery.DeliveryFilter
	list := func(filter narrowing) func(context.Context, *ent.Store, *subject) error {
		return func(ctx context.Context, s *ent.Store, h *subject) error {
			page, err := s.Deliveries(ctx, h.org, filter(h), delivery.Page{First: delivery.DefaultPageSize})
			if err == nil && len(page.Items) == 0 {
				err = errors.New("the page is empty")
			}
			return err
		}
	}
	return []query{
		{"claim", "claim of 200", queryClaim},
		{"webhook", "newest 25 of a webhook", list(func(h *subject) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{Webhooks: []delivery.WebhookID{h.webhook}}
		})},
		{"state", "newest 25 that failed", list(func(*subject) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{States: []delivery.State{delivery.Failed}}
		})},
		{"time", "newest 25 of a past day", list(func(h *subject) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{After: h.start, Before: h.start.AddDate(0, 0, 1)}
		})},
		{"event", "deliveries of an event", list(func(h *subject) delivery.DeliveryFilter {
			return delivery.DeliveryFilter{Event: h.event}
		})},
		{"feed", "100 entries of the delivery log", queryFeed},
		{"stats", "statistics of 30 days", queryStats},
		{"retention", "one batch of retention", queryRetention},
	}
}

func queryClaim(ctx context.Context, s *ent.Store, h *subject) error {
	jobs, err := s.Claim(ctx, delivery.ClaimRequest{
		Owner: h.owner, N: claimed, PerWebhook: claimed / 2, Lease: delivery.MaxTimeout,
	})
	if err == nil && len(jobs) == 0 {
		err = errors.New("the claim is empty although deliveries are due")
	}
	return err
}

func queryFeed(ctx context.Context, s *ent.Store, h *subject) error {
	after := map[int]delivery.LogID{h.owner.Slot: delivery.IDAt[delivery.LogID](h.now.Add(-12 * time.Hour))}
	_, err := s.Follow(ctx, after, 100)
	return err
}

func queryStats(ctx context.Context, s *ent.Store, h *subject) error {
	hour := h.now.Truncate(time.Hour)
	_, err := s.Counts(ctx, h.org, delivery.CountQuery{
		From: hour.AddDate(0, 0, -30), To: hour.Add(time.Hour), Step: 24 * time.Hour,
	})
	return err
}

// errIdle is returned by a query that had nothing to do, so that its duration is not
// counted.
var errIdle = errors.New("there was nothing to do")

// queryRetention discards one batch of the first half of the history.
func queryRetention(ctx context.Context, s *ent.Store, h *subject) error {
	more, err := s.Discard(ctx, h.start.Add(h.now.Sub(h.start)/2))
	if err == nil && !more {
		err = errIdle // or less than a full batch
	}
	return err
}

// growth compares the duration of the same queries in a small and a large database.
// The queries alternate between both, so that other load on the machine affects both.
// If the small database has less than a full batch to discard, there is no ratio.
func (b *bench) growth(ctx context.Context) (err error) {
	small, large := b.o.size(300, 10_000, 100_000), b.o.size(3_000, 300_000, 10_000_000)
	few, err := b.newHistory(ctx, small)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, few.close(ctx)) }()
	many, err := b.newHistory(ctx, large)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.close(ctx)) }()
	for _, q := range queries() {
		var before, after []float64
		for range growthRepeats {
			if before, err = few.time(ctx, q, before); err != nil {
				return err
			}
			if after, err = many.time(ctx, q, after); err != nil {
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

// A history is a database filled by a generator.
type history struct {
	*database

	generator *generator
	store     *ent.Store
	subject   *subject
}

// newHistory creates a database with n deliveries in a final state, and n/10 due ones
// or as many as all claims take.
func (b *bench) newHistory(ctx context.Context, n int) (_ *history, err error) {
	o := &history{}
	if o.database, err = b.databases.create(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close(ctx))
		}
	}()
	g := &generator{
		History: History{
			Database: o.url, Deliveries: n, Due: max(n/10, 2*growthRepeats*claimed), Days: b.o.size(3, 30, 30),
			Organizations: b.o.size(2, 50, 100), Webhooks: 10, Progress: b.o.Progress,
		},
		now: time.Now().UTC(),
	}
	if g.Keyring, err = newRandomKeyring(); err != nil {
		return nil, err
	}
	if g.db, g.sqlite, err = openForBulkInsert(ctx, o.url); err != nil {
		return nil, err
	}
	o.generator = g
	logger := slog.New(slog.DiscardHandler)
	if o.store, err = ent.Open(ctx, ent.Options{URL: o.url, Logger: logger}); err != nil {
		return nil, err
	}
	if err = g.fill(ctx, o.store); err == nil {
		o.subject, err = g.subject(ctx, o.store)
	}
	return o, err
}

// time appends the duration of a query in milliseconds.
func (o *history) time(ctx context.Context, q query, took []float64) ([]float64, error) {
	began := time.Now()
	err := q.run(ctx, o.store, o.subject)
	if errors.Is(err, errIdle) {
		return took, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.title, err)
	}
	return append(took, milliseconds(time.Since(began))), nil
}

func (o *history) close(ctx context.Context) (err error) {
	if o.store != nil {
		err = o.store.Close()
	}
	if o.generator != nil {
		err = errors.Join(err, o.generator.db.Close())
	}
	return errors.Join(err, o.drop(ctx))
}

func (g *generator) subject(ctx context.Context, store *ent.Store) (*subject, error) {
	h := &subject{now: g.now, start: g.start()}
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
