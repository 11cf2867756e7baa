package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
)

// longLease outlasts any test; noLease has ended when it begins.
const (
	longLease = time.Hour
	noLease   = -time.Second
)

// A scene is the fixture of a test of the queue or the log: an empty store with
// one organization and one server.
type scene struct {
	t     *testing.T
	store delivery.Store
	org   delivery.Organization
	owner delivery.Owner
	ids   *delivery.IDs
	log   *delivery.IDs // the server that writes an entry makes its id
	shift time.Duration // how old events, deliveries and entries are made
}

// next returns an id as old as shift says.
func (s *scene) next(ids *delivery.IDs) int64 {
	return ids.Next() - s.shift.Milliseconds()<<22
}

func newScene(t *testing.T, store delivery.Store) *scene {
	t.Helper()
	s := &scene{t: t, store: store}
	s.owner = s.join("first")
	s.ids, s.log = delivery.NewIDs(s.owner.Slot), delivery.NewIDs(s.owner.Slot)
	s.org = s.organization("acme")
	return s
}

func (s *scene) join(name string) delivery.Owner {
	s.t.Helper()
	owner, err := s.store.Join(s.t.Context(), name, longLease)
	if err != nil {
		s.t.Fatalf("Join: %v", err)
	}
	return owner
}

func (s *scene) organization(name string) delivery.Organization {
	s.t.Helper()
	id := delivery.OrgID(1)
	if s.ids != nil {
		id = delivery.OrgID(s.ids.Next())
	}
	orgs, err := s.store.RegisterOrganizations(s.t.Context(), []delivery.Organization{
		{ID: id, ExternalID: name, Name: name, CreatedAt: time.Now()},
	})
	if err != nil {
		s.t.Fatalf("LearnOrganizations: %v", err)
	}
	return orgs[0]
}

// webhook returns the id of a webhook that is not stored: the queue does not look
// at configuration.
func (s *scene) webhook() delivery.WebhookID { return delivery.WebhookID(s.ids.Next()) }

// event returns a new event with one delivery for each webhook.
func (s *scene) event(key string, webhooks ...delivery.WebhookID) delivery.NewEvent {
	e := delivery.Event{
		ID:            delivery.EventID(s.next(s.ids)),
		Org:           s.org.ID,
		Type:          delivery.OperationInWorkspace,
		Item:          77,
		ItemName:      "Restart",
		Group:         delivery.GroupID("group of " + key),
		OccurredAt:    time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC),
		SourceEventID: "source of " + key,
		WorkspaceID:   "ws-" + key,
		WorkspaceName: "Workspace " + key,
		Variables:     json.RawMessage(`{"event_type":"Operation","item":"\u0000 and \"quotes\""}`),
	}
	e.ReceivedAt = delivery.IDTime(e.ID)
	n := delivery.NewEvent{Event: e, Key: key, Fingerprint: 1<<63 + uint64(len(key))}
	for _, w := range webhooks {
		n.Deliveries = append(n.Deliveries, s.delivery(e, w))
	}
	return n
}

func (s *scene) delivery(e delivery.Event, w delivery.WebhookID) delivery.Delivery {
	return delivery.Delivery{
		ID: delivery.DeliveryID(s.next(s.ids)), Org: e.Org, Webhook: w, Version: delivery.VersionID(w) + 1,
		Event: e.ID, Type: e.Type, Item: e.Item, Trigger: delivery.ByEvent, State: delivery.Queued,
	}
}

// ingest stores events in one batch.
func (s *scene) ingest(events ...delivery.NewEvent) []delivery.Stored {
	s.t.Helper()
	results, err := s.store.Ingest(s.t.Context(), s.owner, longLease, []delivery.Ingest{
		{Org: s.org.ID, ConfigVersion: s.org.ConfigVersion, Events: events},
	})
	if err != nil {
		s.t.Fatalf("Ingest: %v", err)
	}
	if len(results) != 1 || results[0].Stale || len(results[0].Events) != len(events) {
		s.t.Fatalf("Ingest gave %+v for %d events", results, len(events))
	}
	return results[0].Events
}

// queued stores n events with a delivery to w each, due at once, and returns the
// deliveries.
func (s *scene) queued(n int, w delivery.WebhookID) []delivery.Delivery {
	s.t.Helper()
	var events []delivery.NewEvent
	var deliveries []delivery.Delivery
	for range n {
		e := s.event(fmt.Sprint("key ", s.ids.Next()), w)
		events, deliveries = append(events, e), append(deliveries, e.Deliveries...)
	}
	s.ingest(events...)
	return deliveries
}

func (s *scene) claim(owner delivery.Owner, n, perWebhook int, lease time.Duration) []delivery.Job {
	s.t.Helper()
	jobs, err := s.store.Claim(s.t.Context(), delivery.ClaimRequest{
		Owner: owner, N: n, PerWebhook: perWebhook, Lease: lease,
	})
	if err != nil {
		s.t.Fatalf("Claim: %v", err)
	}
	return jobs
}

// settlement moves a job to state after an attempt with the given HTTP status.
func (s *scene) settlement(j delivery.Job, state delivery.State, status int) delivery.Settlement {
	now := time.Now().UTC().Truncate(time.Microsecond)
	d := j.Delivery
	d.Attempts++
	d.State, d.NextAttemptAt, d.FinishedAt = state, time.Time{}, time.Time{}
	set := delivery.Settlement{Owner: j.Owner, Before: j.Delivery.Attempts}
	if state == delivery.Retrying {
		d.NextAttemptAt = now
	}
	if state.Final() {
		d.FinishedAt = now
	}
	a := delivery.Attempt{
		Number: d.Attempts, StartedAt: now.Add(-time.Second), Duration: 1500 * time.Microsecond,
		Timing:  delivery.Timing{DNS: -1, Connect: -1, TLS: -1, FirstByte: time.Millisecond, Body: 0, Reused: true},
		Outcome: egress.Success, HTTPStatus: status, RemoteAddress: "192.0.2.1:443",
		ResponseHeaders: []delivery.Header{{Name: "Content-Type", Value: "text/plain; \"q\""}},
		ResponseBody:    "ok, \\ü", ResponseBytes: 7,
	}
	if status >= 300 {
		a.Outcome, a.Error = egress.HTTPError, "The receiver answered with an error."
	}
	set.Entry = delivery.LogEntry{ID: delivery.LogID(s.next(s.log)), At: now, Delivery: d, Attempt: &a}
	return set
}

func (s *scene) settle(batch ...delivery.Settlement) []bool {
	s.t.Helper()
	held, err := s.store.Settle(s.t.Context(), batch)
	if err != nil {
		s.t.Fatalf("Settle: %v", err)
	}
	if len(held) != len(batch) {
		s.t.Fatalf("Settle gave %d answers for %d settlements", len(held), len(batch))
	}
	return held
}

// finish claims all due deliveries and settles them as delivered.
func (s *scene) finish() {
	s.t.Helper()
	for {
		jobs := s.claim(s.owner, 100, 100, longLease)
		if len(jobs) == 0 {
			return
		}
		for _, j := range jobs {
			s.settle(s.settlement(j, delivery.Delivered, 200))
		}
	}
}

// get reads a delivery.
func (s *scene) get(id delivery.DeliveryID) delivery.Delivery {
	s.t.Helper()
	found, err := s.store.DeliveriesByID(s.t.Context(), s.org.ID, []delivery.DeliveryID{id})
	if err != nil || len(found) != 1 {
		s.t.Fatalf("DeliveriesByID(%s) gave %v, %v", id, found, err)
	}
	return found[0]
}

// entries reads the log entries of a delivery.
func (s *scene) entries(id delivery.DeliveryID) []delivery.LogEntry {
	s.t.Helper()
	all, err := s.store.Entries(s.t.Context(), s.org.ID, []delivery.DeliveryID{id})
	if err != nil {
		s.t.Fatalf("Entries: %v", err)
	}
	return all[id]
}

// idsOf returns the sorted ids of the deliveries of jobs.
func idsOf(jobs []delivery.Job) []delivery.DeliveryID {
	ids := make([]delivery.DeliveryID, len(jobs))
	for i, j := range jobs {
		ids[i] = j.Delivery.ID
	}
	slices.Sort(ids)
	return ids
}

// numbersOf returns the sorted ids of deliveries.
func numbersOf(deliveries []delivery.Delivery) []delivery.DeliveryID {
	ids := make([]delivery.DeliveryID, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	slices.Sort(ids)
	return ids
}

// statesOf returns the states of log entries in one line.
func statesOf(entries []delivery.LogEntry) string {
	var states []string
	for _, e := range entries {
		states = append(states, string(e.Delivery.State))
	}
	return strings.Join(states, " ")
}
