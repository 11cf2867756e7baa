package queue

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/ent/enttest"
)

// batchSize is about what batches reach under load.
const batchSize = 256

// A load makes rows of a typical size: a kilobyte of variables.
type load struct {
	b     *testing.B
	store *testQueue
	org   delivery.Organization
	owner delivery.Owner
	ids   *delivery.IDs
	vars  json.RawMessage
}

// onDurable runs a benchmark on each database, as durable as in production.
func onDurable(b *testing.B, bench func(l *load)) {
	for name, url := range map[string]func(testing.TB) string{
		"SQLite": databases["SQLite"], "PostgreSQL": enttest.PostgresDurable,
	} {
		b.Run(name, func(b *testing.B) { bench(newLoad(b, openQueue(b, url(b)))) })
	}
}

func newLoad(b *testing.B, s *testQueue) *load {
	ctx := b.Context()
	owner, err := s.Join(ctx, "bench", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	s.organization(b, 7)
	if err := s.Prepare(ctx, time.Now()); err != nil {
		b.Fatal(err)
	}
	vars := map[string]string{}
	for i := range 20 {
		vars[fmt.Sprintf("variable_%d", i)] = fmt.Sprintf("value %d of a typical length", i)
	}
	text, err := json.Marshal(vars)
	if err != nil {
		b.Fatal(err)
	}
	return &load{b, s, delivery.Organization{ID: 7}, owner, delivery.NewIDs(owner.Slot), text}
}

// batch makes n events with a delivery each, of one of ten webhooks.
func (l *load) batch(n int, owned bool) []delivery.Ingest {
	in := delivery.Ingest{Org: l.org.ID, ConfigVersion: l.org.ConfigVersion}
	for i := range n {
		e := delivery.Event{
			ID: delivery.EventID(l.ids.Next()), Org: l.org.ID, Type: delivery.OperationInWorkspace, Item: 5,
			ItemName: "Restart", Group: "op_01hzy8k3m2n4p5q6r7s8", OccurredAt: time.Now(),
			SourceEventID: fmt.Sprintf("64b0c3a9e1f2d3c4b5a69788-%d", i), WorkspaceID: "64b0c3a9e1f2d3c4b5a69788",
			WorkspaceName: "LAPTOP-4711", Variables: l.vars,
		}
		w := delivery.WebhookID(1 + i%10)
		state := delivery.Queued
		if owned {
			state = delivery.Sending
		}
		in.Events = append(in.Events, delivery.NewEvent{
			Event: e, Key: e.ID.String(),
			Deliveries: []delivery.Delivery{{
				ID: delivery.DeliveryID(l.ids.Next()), Org: l.org.ID, Webhook: w, Version: delivery.VersionID(w),
				Event: e.ID, Type: e.Type, Item: e.Item, Trigger: delivery.ByEvent, State: state,
			}},
		})
	}
	return []delivery.Ingest{in}
}

func (l *load) ingest(batch []delivery.Ingest) {
	if _, err := l.store.Ingest(l.b.Context(), l.owner, time.Hour, batch); err != nil {
		l.b.Fatal(err)
	}
}

// settlements delivers everything that a batch has made.
func (l *load) settlements(batch []delivery.Ingest) []delivery.Settlement {
	var all []delivery.Settlement
	for _, e := range batch[0].Events {
		all = append(all, l.settlement(e.Deliveries[0]))
	}
	return all
}

func (l *load) settlement(d delivery.Delivery) delivery.Settlement {
	now := time.Now()
	d.State, d.Attempts = delivery.Delivered, 1
	return delivery.Settlement{Owner: l.owner, Entry: delivery.LogEntry{
		ID: delivery.LogID(l.ids.Next()), At: now, Delivery: d,
		Attempt: &delivery.Attempt{
			Number: 1, StartedAt: now, Duration: time.Millisecond, Outcome: egress.Success, HTTPStatus: 200,
			Timing:        delivery.Timing{DNS: -1, Connect: -1, TLS: -1, FirstByte: time.Millisecond, Reused: true},
			RemoteAddress: "192.0.2.1:443", ResponseBody: "ok", ResponseBytes: 2,
			ResponseHeaders: []delivery.Header{
				{Name: "Content-Type", Value: "text/plain"}, {Name: "Date", Value: "Mon, 05 Jan 2026 10:00:00 GMT"},
			},
		},
	}}
}

func (l *load) settle(batch []delivery.Settlement) {
	held, err := l.store.Settle(l.b.Context(), batch)
	if err != nil || !held[0] {
		l.b.Fatal(held, err)
	}
}

// perRow reports the pace of what b.N batches of n rows took.
func (l *load) perRow(n int) {
	l.b.ReportMetric(float64(l.b.N*n)/l.b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkIngest(b *testing.B) {
	onDurable(b, func(l *load) {
		for l.b.Loop() {
			l.ingest(l.batch(batchSize, true))
		}
		l.perRow(batchSize)
	})
}

func BenchmarkSettle(b *testing.B) {
	onDurable(b, func(l *load) {
		for l.b.Loop() {
			l.b.StopTimer()
			batch := l.batch(batchSize, true)
			l.ingest(batch)
			l.b.StartTimer()
			l.settle(l.settlements(batch))
		}
		l.perRow(batchSize)
	})
}

// BenchmarkClaim drains a backlog that is mostly one webhook's.
func BenchmarkClaim(b *testing.B) {
	onDurable(b, func(l *load) {
		left := 0
		for l.b.Loop() {
			if left < 200 {
				l.b.StopTimer()
				l.ingest(l.batch(20_000, false))
				left = 20_000
				l.b.StartTimer()
			}
			jobs, err := l.store.Claim(l.b.Context(), delivery.ClaimRequest{
				Owner: l.owner, N: 200, PerWebhook: 200, Lease: time.Hour,
			})
			if err != nil || len(jobs) == 0 {
				l.b.Fatal(len(jobs), err)
			}
			left -= len(jobs)
		}
		l.perRow(200)
	})
}

// BenchmarkStored reports what a successful delivery occupies for good, its
// event, indexes and everything included.
func BenchmarkStored(b *testing.B) {
	onDurable(b, func(l *load) {
		const n = 20_000
		size := func() (bytes int64) {
			query := "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
			if !isSQLite(l.store) {
				query = `SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
					WHERE relkind = 'r' AND relname ~ '^(event|log)_'`
			}
			if err := l.store.read.QueryRowContext(l.b.Context(), query).Scan(&bytes); err != nil {
				l.b.Fatal(err)
			}
			return bytes
		}
		before, rows := size(), 0
		for l.b.Loop() {
			for range n / batchSize {
				batch := l.batch(batchSize, true)
				l.ingest(batch)
				l.settle(l.settlements(batch))
				rows += batchSize
			}
		}
		l.b.ReportMetric(float64(size()-before)/float64(rows), "B/delivery")
		l.b.ReportMetric(float64(len(l.vars)), "B/variables")
	})
}
