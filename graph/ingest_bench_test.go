package graph

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/service"
)

// quietStore accepts all events and has no deliveries.
type quietStore struct{ delivery.Store }

func (quietStore) RegisterOrganizations(
	_ context.Context, orgs []delivery.Organization,
) ([]delivery.Organization, error) {
	return orgs, nil
}

func (quietStore) RegisterItems(
	_ context.Context, _ delivery.OrgID, items []delivery.Item,
) ([]delivery.Item, error) {
	return items, nil
}

func (quietStore) Config(
	_ context.Context, org delivery.OrgID,
) (delivery.Organization, []delivery.Webhook, error) {
	return delivery.Organization{ID: org, ExternalID: "bench"}, nil, nil
}

func (quietStore) Ingest(
	_ context.Context, _ delivery.Owner, _ time.Duration, batch []delivery.Ingest,
) ([]delivery.Ingested, error) {
	stored := make([]delivery.Ingested, len(batch))
	for i, unit := range batch {
		for _, e := range unit.Events {
			stored[i].Events = append(stored[i].Events, delivery.Stored{ID: e.Event.ID, Fresh: true})
		}
	}
	return stored, nil
}

func (quietStore) ItemsByExternalID(
	context.Context, delivery.OrgID, delivery.ItemKind, []string,
) ([]delivery.Item, error) {
	return nil, nil
}

func (quietStore) StoredByKey(
	context.Context, delivery.OrgID, []string,
) (map[string]delivery.Stored, error) {
	return nil, nil
}

func (quietStore) OrganizationsByID(
	_ context.Context, ids []delivery.OrgID,
) ([]delivery.Organization, error) {
	return []delivery.Organization{{ID: ids[0], ExternalID: "bench"}}, nil
}

func (quietStore) Release(
	context.Context, delivery.Owner, []delivery.DeliveryID, time.Duration,
) (int, error) {
	return 0, nil
}

func (quietStore) Claim(context.Context, delivery.ClaimRequest) ([]delivery.Job, error) {
	return nil, nil
}

func (quietStore) Tail(context.Context) (map[int]delivery.LogID, error) { return nil, nil }

func (quietStore) FollowClock(context.Context, delivery.Owner) (bool, error) { return false, nil }

func (quietStore) LatestID(context.Context, int, time.Time) (int64, error) { return 0, nil }

func (quietStore) Follow(context.Context, map[int]delivery.LogID, int) ([]delivery.LogEntry, error) {
	return nil, nil
}

func (quietStore) Wake() <-chan struct{}                                   { return nil }
func (quietStore) Notify()                                                 {}
func (quietStore) Leave(context.Context, delivery.Owner) error             { return nil }
func (quietStore) Reap(context.Context, delivery.Owner, bool) (int, error) { return 0, nil }
func (quietStore) Prepare(context.Context, time.Time) error                { return nil }
func (quietStore) Discard(context.Context, time.Time) (bool, error)        { return false, nil }
func (quietStore) Depth(context.Context) (q delivery.QueueDepth, _ error)  { return q, nil }

func (quietStore) Heartbeat(context.Context, delivery.Owner, time.Duration, bool) error { return nil }

func (quietStore) OldestTransaction(context.Context) (time.Duration, error) { return 0, nil }

// Members returns another server, which is the leader.
func (quietStore) Members(context.Context) ([]delivery.Member, error) {
	return make([]delivery.Member, 1), nil
}

func (quietStore) FailingWebhooks(context.Context, time.Time) ([]delivery.Webhook, error) {
	return nil, nil
}

// serveQuiet returns the API, for Portal, over a store that takes no time.
func serveQuiet(b *testing.B) http.Handler {
	b.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	keyring, err := seal.NewKeyring(key)
	if err != nil {
		b.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	service := service.New(quietStore{}, service.Options{
		Owner: delivery.Owner{Slot: 1}, Keyring: keyring, Registry: registry, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	who := fixedCaller{caller: delivery.Caller{Name: "portal", Portal: true}}
	return New(service, Options{Authenticate: who, Registry: registry, Logger: slog.New(slog.DiscardHandler)})
}

const benchMutation = `mutation($input: [PortalEventInput!]!) { ingestEvents(input: $input) {` +
	` results { status userErrors { message } } } }`

// alerts returns a request with n reports of alerts.
func alerts(n int) []byte {
	body := fmt.Appendf(nil, `{"query":%q,"variables":{"input":[`, benchMutation)
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"organizationId": "bench", "sourceEventId": "event-%d",
			"occurredAt": "2026-01-14T09:31:07.123456Z", "event": {"activeAlert": {"alert": {
			"id": "quiet", "name": "Low disk space", "information": "Drive C: 2 GB free of 237 GB",
			"start": "2026-01-14T09:31:07.123456Z", "element": "none", "severity": "WARNING",
			"category": "Performance"}}}}`, i)
	}
	return append(body, "]}}"...)
}

// operation returns a request with a report of an operation on n devices.
func operation(n int) []byte {
	body := fmt.Appendf(nil, `{"query":%q,"variables":{"input":[{"organizationId": "bench",
		"sourceEventId": "event", "event": {"operation": {"operationId": "operation", "typeId": "restart",
		"typeName": "Restart", "partial": true, "startDate": "2026-01-14T10:00:02Z", "workspaces": [`, benchMutation)
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"workspace": {"id": "66b1d0f47c5e2a91d3%06d", "name": "WS-%d",
			"lastUser": "ACME\\somebody"}, "startDate": "2026-01-14T10:00:03Z",
			"endDate": "2026-01-14T10:02:41Z", "result": "COMPLETED"}`, i, i)
	}
	return append(body, "]}}}]}}"...)
}

// BenchmarkIngestMutation measures ingest from the bytes of a request to those of
// its response, without the network and the database.
func BenchmarkIngestMutation(b *testing.B) {
	for _, tt := range []struct {
		name   string
		body   []byte
		events int
	}{
		{"alerts=1", alerts(1), 1},
		{"alerts=100", alerts(100), 100},
		{"devices=1000", operation(1_000), 1_000},
	} {
		b.Run(tt.name, func(b *testing.B) {
			handler := serveQuiet(b)
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", bytes.NewReader(tt.body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK || !bytes.Contains(w.Body.Bytes(), []byte("ACCEPTED")) {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tt.events), "ns/event")
		})
	}
}
