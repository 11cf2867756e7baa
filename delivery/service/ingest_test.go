package service

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/memstore"
	"portalhooks/delivery/seal"
)

var testPortal = delivery.Caller{Name: "portal", Portal: true}

// newFront returns a service that takes reports in but delivers nothing.
func newFront(t testing.TB, store *memstore.Faulty, change ...func(*Options)) *Service {
	t.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Owner: delivery.Owner{Slot: 1, Epoch: 1}, Keyring: ring, Registry: prometheus.NewRegistry(),
		Egress: egress.Policy{AllowHTTP: true}, Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	return New(store, o)
}

// taking runs the service's ingester until the test ends.
func taking(t testing.TB, s *Service) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); _ = s.pipeline.Ingester.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

// take ingests one report and returns its result.
func take(t testing.TB, s *Service, r delivery.Report) delivery.IngestResult {
	t.Helper()
	results, err := s.Ingest(t.Context(), testPortal, []delivery.Report{r})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// listen makes a webhook for all items of a type in the organization acme.
func listen(
	t testing.TB, s *Service, et delivery.EventType, status delivery.WebhookStatus,
) *delivery.Webhook {
	t.Helper()
	org, err := s.pipeline.Ingester.Organization(t.Context(), 0, "acme", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.create(t.Context(), delivery.System, org, CreateWebhookInput{
		Name: string(et), Type: et, TargetURL: "https://receiver.example/" + string(et),
		Selection: SelectionInput{All: true}, Status: status,
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.Webhook
}

func TestIngestAnswersAReSendWithTheFirstAnswer(t *testing.T) {
	for name, report := range map[string]delivery.Report{
		"alert":     deliverytest.AlertReport("s-1"),
		"operation": deliverytest.OperationOn(3),
	} {
		t.Run(name, func(t *testing.T) {
			s := newFront(t, memstore.NewFaulty())
			taking(t, s)
			listen(t, s, delivery.ActiveAlert, delivery.Enabled)
			listen(t, s, delivery.OperationInWorkspace, delivery.Enabled)
			first := take(t, s, report)
			report.OrganizationName, report.OccurredAt = "Renamed", deliverytest.Now.Add(time.Hour)
			second := take(t, s, report)
			if first.Status != delivery.Accepted || first.Deliveries == 0 {
				t.Fatalf("first = %+v", first)
			}
			if second.Status != delivery.Duplicated || !slices.Equal(second.Events, first.Events) ||
				second.Deliveries != first.Deliveries {
				t.Errorf("second = %+v, want the first answer %+v", second, first)
			}
		})
	}
}

func TestIngestTellsAClashFromAReSend(t *testing.T) {
	changed := func(r delivery.Report, change func(*delivery.Report)) delivery.Report {
		if r.ActiveAlert != nil {
			alert := *r.ActiveAlert
			r.ActiveAlert = &alert
		}
		if r.Operation != nil {
			operation := *r.Operation
			operation.Workspaces = slices.Clone(operation.Workspaces)
			r.Operation = &operation
		}
		change(&r)
		return r
	}
	for name, tt := range map[string]struct {
		first, second delivery.Report
		want          delivery.IngestStatus
		events        int
	}{
		"another alert by the same id": {
			deliverytest.AlertReport("s"),
			changed(deliverytest.AlertReport("s"), func(r *delivery.Report) { r.ActiveAlert.Alert.Name = "CPU" }),
			delivery.Rejected, 0,
		},
		"a repeat has an id of its own": {deliverytest.AlertReport("s-1"), deliverytest.AlertReport("s-2"), delivery.Accepted, 1},
		"another operation result": {
			deliverytest.OperationOn(2),
			changed(deliverytest.OperationOn(2), func(r *delivery.Report) {
				r.Operation.Result = delivery.ResultError
			}), delivery.Duplicated, 3,
		},
		"devices in another order": {
			deliverytest.OperationOn(2),
			changed(deliverytest.OperationOn(2), func(r *delivery.Report) { slices.Reverse(r.Operation.Workspaces) }),
			delivery.Duplicated, 3,
		},
		"one more device": {deliverytest.OperationOn(2), deliverytest.OperationOn(3), delivery.Accepted, 1},
		"a part after the whole": {
			deliverytest.OperationOn(2), changed(deliverytest.OperationOn(1), func(r *delivery.Report) {
				r.Operation.Partial = true
				r.Operation.Workspaces[0].Result = delivery.ResultError
			}), delivery.Duplicated, 1,
		},
		"times in another zone": {
			deliverytest.OperationOn(2), changed(deliverytest.OperationOn(2), func(r *delivery.Report) {
				r.Operation.StartDate = r.Operation.StartDate.In(time.FixedZone("", 3600))
				r.Operation.Workspaces[0].EndDate = r.Operation.Workspaces[0].EndDate.In(time.FixedZone("", 3600))
			}), delivery.Duplicated, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFront(t, memstore.NewFaulty())
			taking(t, s)
			if got := take(t, s, tt.first); got.Status != delivery.Accepted {
				t.Fatalf("first = %+v", got)
			}
			got := take(t, s, tt.second)
			if got.Status != tt.want || len(got.Events) != tt.events {
				t.Fatalf("second = %+v, want %s with %d events", got, tt.want, tt.events)
			}
			if tt.want == delivery.Rejected && delivery.CodeOf(got.Errors) != delivery.Conflict {
				t.Errorf("errors = %+v, want a conflict", got.Errors)
			}
		})
	}
}

func TestIngestRejectsOneReportAndAcceptsTheOthers(t *testing.T) {
	s := newFront(t, memstore.NewFaulty())
	taking(t, s)
	bad := deliverytest.AlertReport("bad")
	bad.ActiveAlert.Alert.ID = ""
	got, err := s.Ingest(t.Context(), testPortal, []delivery.Report{
		deliverytest.AlertReport("a"), bad, deliverytest.AlertReport("b"),
		deliverytest.AlertReport("a"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []delivery.IngestStatus{delivery.Accepted, delivery.Rejected, delivery.Accepted, delivery.Duplicated}
	for i := range got {
		if got[i].Status != want[i] {
			t.Errorf("report %d: %s, want %s", i, got[i].Status, want[i])
		}
	}
	if f := got[1].Errors[0].Field; f != "event.activeAlert.alert.id" {
		t.Errorf("field = %s", f)
	}
	if got[3].Events[0] != got[0].Events[0] {
		t.Error("the repeat inside one call has another event")
	}
}

func TestIngestChecksWhoCalls(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	acme := listen(t, s, delivery.ActiveAlert, delivery.Enabled).Org
	for name, tt := range map[string]struct {
		caller delivery.Caller
		code   delivery.Code
	}{
		"unauthenticated": {delivery.Caller{}, delivery.Unauthenticated},
		"an admin":        {delivery.Caller{Name: "a", Grants: map[delivery.OrgID]delivery.Role{acme: delivery.Admin}}, delivery.Forbidden},
		"operator":        {delivery.Caller{Name: "o", Operator: true}, delivery.Forbidden},
	} {
		if _, err := s.Ingest(t.Context(), tt.caller,
			[]delivery.Report{deliverytest.AlertReport("s")}); delivery.CodeOf(
			err,
		) != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	if _, err := s.Ingest(t.Context(), testPortal, make([]delivery.Report,
		delivery.MaxReports+1)); delivery.CodeOf(
		err,
	) != delivery.LimitExceeded {
		t.Errorf("too many reports: %v", err)
	}
	scoped := delivery.Caller{Name: "p", Portal: true, Scope: acme}
	mine, foreign, opaque := deliverytest.AlertReport(
		"1",
	), deliverytest.AlertReport(
		"2",
	), deliverytest.AlertReport(
		"3",
	)
	foreign.OrganizationID, opaque.OrganizationID = "other", acme.String()
	got, err := s.Ingest(t.Context(), scoped, []delivery.Report{mine, foreign, opaque})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Status != delivery.Accepted || got[2].Status != delivery.Accepted {
		t.Errorf("its own organization: %+v and by our id %+v", got[0], got[2])
	}
	if got[1].Status != delivery.Rejected || delivery.CodeOf(got[1].Errors) != delivery.NotFound {
		t.Errorf("another organization: %+v", got[1])
	}
	if len(store.OrgRows) != 1 {
		t.Errorf("%d organizations: one outside the key's scope was learnt", len(store.OrgRows))
	}
}

func TestIngestMakesDeliveriesForWhoListens(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	on, off := listen(
		t, s, delivery.OperationExecuted, delivery.Enabled,
	), listen(
		t,
		s,
		delivery.OperationInWorkspace,
		delivery.Disabled,
	)
	admin := delivery.Caller{Name: "admin", Grants: map[delivery.OrgID]delivery.Role{on.Org: delivery.Admin}}
	if got := take(t, s, deliverytest.OperationOn(3)); got.Deliveries != 1 || len(got.Events) != 4 {
		t.Fatalf("got %+v, want 4 events and the enabled webhook's delivery", got)
	}
	if _, err := s.SetWebhookStatus(t.Context(), admin, SetStatusInput{
		ID: off.ID, Status: delivery.Disabled,
		Hold: true,
	}); err != nil {
		t.Fatal(err)
	}
	more := deliverytest.OperationOn(2)
	more.Operation.OperationID = "op-2"
	if got := take(t, s, more); got.Deliveries != 3 {
		t.Fatalf("got %+v, want 1 delivery and 2 held ones", got)
	}
	states := make(map[delivery.State]int)
	owned := 0
	for _, job := range store.Queued() {
		states[job.Delivery.State]++
		if job.Owner == s.opts.Owner {
			owned++
		}
	}
	if states[delivery.Sending] != 2 || states[delivery.Held] != 2 || owned != 2 {
		t.Errorf("states %v, %d owned", states, owned)
	}
	if held := s.pipeline.Dispatcher.Held(); held != 2 {
		t.Errorf("room for %d deliveries is taken, want 2", held)
	}
}

func TestIngestOfKnownThingsMakesNoQueryButOne(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	take(t, s, deliverytest.AlertReport("s-0"))
	store.Change(func() { clear(store.Calls) })
	for i := range 5 {
		take(t, s, deliverytest.AlertReport(fmt.Sprint("s-", i+1)))
	}
	store.Change(func() {
		delete(store.Calls, "OrganizationsByID") // the configuration may be compared once a second
		if store.Calls["Ingest"] != 5 || len(store.Calls) != 1 {
			t.Errorf("calls = %v, want Ingest only", store.Calls)
		}
	})
}

func TestIngestMatchesAgainWhenTheWebhooksHaveChanged(t *testing.T) {
	store := memstore.NewFaulty()
	s, other := newFront(t, store), newFront(t, store)
	other.ids = delivery.NewIDs(2)
	taking(t, s)
	take(t, s, deliverytest.AlertReport("s-0"))              // the configuration is cached
	listen(t, other, delivery.ActiveAlert, delivery.Enabled) // in another process
	if got := take(t, s, deliverytest.AlertReport("s-1")); got.Deliveries != 1 {
		t.Errorf("got %+v: the new webhook was missed", got)
	}
}
