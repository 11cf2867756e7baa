package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery/egress"
	"portalhooks/delivery/seal"
)

var testPortal = Caller{Name: "portal", Portal: true}

// newFront returns a service that takes reports in but delivers nothing.
func newFront(t testing.TB, store *fakeStore, change ...func(*Options)) *Service {
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
		Owner: Owner{Slot: 1, Epoch: 1}, Keyring: ring, Registry: prometheus.NewRegistry(),
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
	go func() { defer close(done); _ = s.pipeline.Ingester.enqueuer.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

// take ingests one report and returns its result.
func take(t testing.TB, s *Service, r Report) IngestResult {
	t.Helper()
	results, err := s.Ingest(t.Context(), testPortal, []Report{r})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// listen makes a webhook for all items of a type in the organization acme.
func listen(t testing.TB, s *Service, et EventType, status WebhookStatus) *Webhook {
	t.Helper()
	orgs, err := s.pipeline.Ingester.register.organizations(t.Context(), []namedOrg{{"acme", "Acme"}})
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.create(t.Context(), system, orgs["acme"], CreateWebhookInput{
		Name: string(et), Type: et, TargetURL: "https://receiver.example/" + string(et),
		Selection: SelectionInput{All: true}, Status: status,
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.Webhook
}

func TestIngestAnswersAReSendWithTheFirstAnswer(t *testing.T) {
	for name, report := range map[string]Report{"alert": AlertReport("s-1"), "operation": OperationOn(3)} {
		t.Run(name, func(t *testing.T) {
			s := newFront(t, newFakeStore())
			taking(t, s)
			listen(t, s, ActiveAlert, Enabled)
			listen(t, s, OperationInWorkspace, Enabled)
			first := take(t, s, report)
			report.OrganizationName, report.OccurredAt = "Renamed", TestNow.Add(time.Hour)
			second := take(t, s, report)
			if first.Status != Accepted || first.Deliveries == 0 {
				t.Fatalf("first = %+v", first)
			}
			if second.Status != Duplicated || !slices.Equal(second.Events, first.Events) ||
				second.Deliveries != first.Deliveries {
				t.Errorf("second = %+v, want the first answer %+v", second, first)
			}
		})
	}
}

func TestIngestTellsAClashFromAReSend(t *testing.T) {
	changed := func(r Report, change func(*Report)) Report {
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
		first, second Report
		want          IngestStatus
		events        int
	}{
		"another alert by the same id": {
			AlertReport("s"), changed(AlertReport("s"), func(r *Report) { r.ActiveAlert.Alert.Name = "CPU" }),
			Rejected, 0,
		},
		"a repeat has an id of its own": {AlertReport("s-1"), AlertReport("s-2"), Accepted, 1},
		"another operation result": {
			OperationOn(2), changed(OperationOn(2), func(r *Report) { r.Operation.Result = ResultError }), Rejected, 0,
		},
		"devices in another order": {
			OperationOn(2), changed(OperationOn(2), func(r *Report) { slices.Reverse(r.Operation.Workspaces) }),
			Duplicated, 3,
		},
		"one more device": {OperationOn(2), OperationOn(3), Accepted, 1},
		"a part after the whole": {
			OperationOn(2), changed(OperationOn(1), func(r *Report) {
				r.Operation.Complete = false
				r.Operation.Workspaces[0].Result = ResultError
			}), Duplicated, 1,
		},
		"times in another zone": {
			OperationOn(2), changed(OperationOn(2), func(r *Report) {
				r.Operation.StartDate = r.Operation.StartDate.In(time.FixedZone("", 3600))
				r.Operation.Workspaces[0].EndDate = r.Operation.Workspaces[0].EndDate.In(time.FixedZone("", 3600))
			}), Duplicated, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFront(t, newFakeStore())
			taking(t, s)
			if got := take(t, s, tt.first); got.Status != Accepted {
				t.Fatalf("first = %+v", got)
			}
			got := take(t, s, tt.second)
			if got.Status != tt.want || len(got.Events) != tt.events {
				t.Fatalf("second = %+v, want %s with %d events", got, tt.want, tt.events)
			}
			if tt.want == Rejected && CodeOf(got.Errors) != Conflict {
				t.Errorf("errors = %+v, want a conflict", got.Errors)
			}
		})
	}
}

func TestIngestRejectsOneReportAndAcceptsTheOthers(t *testing.T) {
	s := newFront(t, newFakeStore())
	taking(t, s)
	bad := AlertReport("bad")
	bad.ActiveAlert.Alert.ID = ""
	got, err := s.Ingest(t.Context(), testPortal, []Report{
		AlertReport("a"), bad, AlertReport("b"),
		AlertReport("a"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []IngestStatus{Accepted, Rejected, Accepted, Duplicated}
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
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	acme := listen(t, s, ActiveAlert, Enabled).Org
	for name, tt := range map[string]struct {
		caller Caller
		code   Code
	}{
		"nobody":   {Caller{}, Unauthenticated},
		"an admin": {Caller{Name: "a", Grants: map[OrgID]Role{acme: Admin}}, Forbidden},
		"operator": {Caller{Name: "o", Operator: true}, Forbidden},
	} {
		if _, err := s.Ingest(t.Context(), tt.caller, []Report{AlertReport("s")}); CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	if _, err := s.Ingest(t.Context(), testPortal, make([]Report, MaxReports+1)); CodeOf(err) != LimitExceeded {
		t.Errorf("too many reports: %v", err)
	}
	scoped := Caller{Name: "p", Portal: true, Scope: acme}
	mine, foreign, opaque := AlertReport("1"), AlertReport("2"), AlertReport("3")
	foreign.OrganizationID, opaque.OrganizationID = "other", acme.String()
	got, err := s.Ingest(t.Context(), scoped, []Report{mine, foreign, opaque})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Status != Accepted || got[2].Status != Accepted {
		t.Errorf("its own organization: %+v and by our id %+v", got[0], got[2])
	}
	if got[1].Status != Rejected || CodeOf(got[1].Errors) != NotFound {
		t.Errorf("another organization: %+v", got[1])
	}
	if len(store.orgs) != 1 {
		t.Errorf("%d organizations: one outside the key's scope was learnt", len(store.orgs))
	}
}

func TestIngestMakesDeliveriesForWhoListens(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	on, off := listen(t, s, OperationExecuted, Enabled), listen(t, s, OperationInWorkspace, Disabled)
	admin := Caller{Name: "admin", Grants: map[OrgID]Role{on.Org: Admin}}
	if got := take(t, s, OperationOn(3)); got.Deliveries != 1 || len(got.Events) != 4 {
		t.Fatalf("got %+v, want 4 events and the enabled webhook's delivery", got)
	}
	if _, err := s.SetWebhookStatus(t.Context(), admin, SetStatusInput{
		ID: off.ID, Status: Disabled,
		Hold: true,
	}); err != nil {
		t.Fatal(err)
	}
	more := OperationOn(2)
	more.Operation.OperationID = "op-2"
	if got := take(t, s, more); got.Deliveries != 3 {
		t.Fatalf("got %+v, want 1 delivery and 2 held ones", got)
	}
	states := make(map[State]int)
	owned := 0
	for _, row := range store.queue {
		states[row.delivery.State]++
		if row.owner == s.opts.Owner {
			owned++
		}
	}
	if states[Queued] != 2 || states[Held] != 2 || owned != 2 {
		t.Errorf("states %v, %d owned", states, owned)
	}
	if held := s.pipeline.Dispatcher.Held(); held != 2 {
		t.Errorf("room for %d deliveries is taken, want 2", held)
	}
}

func TestIngestOfKnownThingsMakesNoQueryButOne(t *testing.T) {
	store := newFakeStore()
	s := newFront(t, store)
	taking(t, s)
	take(t, s, AlertReport("s-0"))
	store.change(func() { clear(store.calls) })
	for i := range 5 {
		take(t, s, AlertReport(fmt.Sprint("s-", i+1)))
	}
	store.change(func() {
		delete(store.calls, "OrganizationsByID") // the configuration may be compared once a second
		if store.calls["Ingest"] != 5 || len(store.calls) != 1 {
			t.Errorf("calls = %v, want Ingest only", store.calls)
		}
	})
}

func TestIngestMatchesAgainWhenTheWebhooksHaveChanged(t *testing.T) {
	store := newFakeStore()
	s, other := newFront(t, store), newFront(t, store)
	other.ids = NewIDs(2)
	taking(t, s)
	take(t, s, AlertReport("s-0"))         // the configuration is cached
	listen(t, other, ActiveAlert, Enabled) // in another process
	if got := take(t, s, AlertReport("s-1")); got.Deliveries != 1 {
		t.Errorf("got %+v: the new webhook was missed", got)
	}
}
