package service

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
	"portalhooks/delivery/memstore"
)

// namedReport reports an alert by a source id that calls organization and alert by
// a name.
func namedReport(source, name string, hour int) delivery.Report {
	r := deliverytest.AlertReport(source)
	r.OrganizationName, r.OccurredAt = name, deliverytest.Now.Add(time.Duration(hour)*time.Hour)
	alert := *r.ActiveAlert
	alert.Alert.Name = name
	r.ActiveAlert = &alert
	return r
}

// Of the names in fresh reports the one that was true last wins; a re-send says
// nothing new.
func TestNamesComeFromFreshReports(t *testing.T) {
	first, second := namedReport("1", "Old", 1), namedReport("2", "New", 2)
	for name, tt := range map[string]struct {
		calls [][]delivery.Report
		want  string
	}{
		"a re-send renames nothing":          {[][]delivery.Report{{first}, {second}, {first}}, "New"},
		"the last of a call":                 {[][]delivery.Report{{first, second}}, "New"},
		"in whatever order":                  {[][]delivery.Report{{second, first}}, "New"},
		"a late report":                      {[][]delivery.Report{{second}, {first}}, "New"},
		"the last of those of one time":      {[][]delivery.Report{{namedReport("1", "A", 1), namedReport("2", "B", 1)}}, "B"},
		"a re-send beside a fresh report":    {[][]delivery.Report{{first}, {second, first}}, "New"},
		"a report without names":             {[][]delivery.Report{{second}, {namedReport("3", "", 3)}}, "New"},
		"a time in the future binds nothing": {[][]delivery.Report{{namedReport("1", "A", 1e6)}, {namedReport("2", "B", 2e6)}}, "B"},
	} {
		t.Run(name, func(t *testing.T) {
			store := memstore.NewFaulty()
			s := newFront(t, store)
			taking(t, s)
			for _, call := range tt.calls {
				if _, err := s.Ingest(t.Context(), testPortal, call); err != nil {
					t.Fatal(err)
				}
			}
			if got := store.OrgRows[0].Name; got != tt.want {
				t.Errorf("the organization is %q, want %q", got, tt.want)
			}
			if got := store.ItemRows[0].Name; got != tt.want {
				t.Errorf("the item is %q, want %q", got, tt.want)
			}
		})
	}
}

// The events of a report call the organization as the report does.
func TestEventsHaveTheNamesOfTheirReports(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	reports := []delivery.Report{namedReport("1", "New", 2), namedReport("2", "Old", 1), namedReport("3", "", 3)}
	if _, err := s.Ingest(t.Context(), testPortal, reports[:2]); err != nil {
		t.Fatal(err)
	}
	take(t, s, reports[2])
	for source, want := range map[string]string{"1": "New", "2": "Old", "3": "New"} {
		for _, e := range store.EventRows {
			var v map[string]any
			if err := json.Unmarshal(e.Variables, &v); err != nil {
				t.Fatal(err)
			}
			if got := v[delivery.VarOrgName]; e.SourceEventID == source && got != want {
				t.Errorf("the event of report %s has the name %v, want %s", source, got, want)
			}
		}
	}
}

// Reports are answered although their names can't be stored.
func TestNamesDoNotKeepReportsFromBeingAnswered(t *testing.T) {
	store := memstore.NewFaulty()
	s := newFront(t, store)
	taking(t, s)
	take(t, s, namedReport("1", "Old", 1))
	store.Change(func() {
		store.Fail = func(method string) error {
			if method == "RegisterOrganizations" {
				return errors.New("no connection")
			}
			return nil
		}
	})
	if got := take(t, s, namedReport("2", "New", 2)); got.Status != delivery.Accepted {
		t.Errorf("got %+v", got)
	}
	store.Change(func() { store.Fail = nil })
	take(t, s, namedReport("3", "New", 3))
	if got := store.OrgRows[0].Name; got != "New" {
		t.Errorf("the organization is %q, want New", got)
	}
}

func TestIngestWarnsOfWhatItRegisters(t *testing.T) {
	s := newFront(t, memstore.NewFaulty())
	taking(t, s)
	listen(t, s, delivery.ActiveAlert, delivery.Enabled)
	listen(t, s, delivery.OperationExecuted, delivery.Enabled)
	elsewhere := deliverytest.AlertReport("s")
	elsewhere.OrganizationID = "elsewhere"
	run := operation(2, func(o *delivery.OperationReport) { o.Microservice = &delivery.ReportedItem{ID: "m"} })
	for _, tt := range []struct {
		report delivery.Report
		want   []warned
	}{
		{deliverytest.AlertReport("1"), []warned{{delivery.ItemRegistered, "event.activeAlert.alert.id"}}},
		{deliverytest.AlertReport("2"), nil},
		{elsewhere, []warned{
			{delivery.OrganizationRegistered, "organizationId"},
			{delivery.ItemRegistered, "event.activeAlert.alert.id"},
			{delivery.NothingMatched, ""},
		}},
		{run, []warned{
			{delivery.ItemRegistered, "event.operation.typeId"},
			{delivery.ItemRegistered, "event.operation.microservice.id"},
		}},
	} {
		if got := warnedOf(take(t, s, tt.report)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: warnings %v, want %v", tt.report.SourceEventID, got, tt.want)
		}
	}
}
