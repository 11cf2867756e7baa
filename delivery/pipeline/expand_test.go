package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
)

func event(f fact) delivery.Event {
	return delivery.Event{
		ID: 1, Org: deliverytest.Org.ID, Type: f.Type, Group: f.Group, OccurredAt: f.At, WorkspaceID: f.WorkspaceID,
		WorkspaceName: f.WorkspaceName, Variables: f.Variables,
	}
}

// expand returns the facts of one report.
func expand(org delivery.Organization, r *delivery.Report, now time.Time, earlier []deviceResult) []fact {
	x := expansion{now: now}
	return x.facts(org, r, earlier)
}

// VariablesOf reads back what a fact's variables say.
func VariablesOf(t *testing.T, f fact) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(f.Variables, &v); err != nil {
		t.Fatalf("%v in %s", err, f.Variables)
	}
	return v
}

func TestExpand(t *testing.T) {
	microservice := &delivery.ReportedItem{ID: "clean", Name: "Clean Disk"}
	operation := func(change func(*delivery.OperationReport)) delivery.Report {
		r := deliverytest.OperationOn(3)
		change(r.Operation)
		return r
	}
	object := func(action delivery.ObjectAction) delivery.Report {
		return delivery.Report{
			SourceEventID: "s",
			ObjectChange:  &delivery.ObjectReport{Action: action, TypeID: "user", ID: "1"},
		}
	}
	for name, tt := range map[string]struct {
		report delivery.Report
		want   map[delivery.EventType]int
	}{
		"alert":           {deliverytest.AlertReport("s"), map[delivery.EventType]int{delivery.ActiveAlert: 1}},
		"object created":  {object("CREATED"), map[delivery.EventType]int{delivery.ObjectCreated: 1}},
		"object modified": {object("MODIFIED"), map[delivery.EventType]int{delivery.ObjectModified: 1}},
		"object deleted":  {object("DELETED"), map[delivery.EventType]int{delivery.ObjectDeleted: 1}},
		"whole operation": {
			deliverytest.OperationOn(3),
			map[delivery.EventType]int{delivery.OperationExecuted: 1, delivery.OperationInWorkspace: 3},
		},
		"whole operation without devices": {deliverytest.OperationOn(0), map[delivery.EventType]int{delivery.OperationExecuted: 1}},
		"partial operation raises no global event": {
			operation(func(o *delivery.OperationReport) { o.Partial = true }),
			map[delivery.EventType]int{delivery.OperationInWorkspace: 3},
		},
		"operation that waits for devices raises no global event": {
			operation(func(o *delivery.OperationReport) { o.ExpectedWorkspaces = 3 }),
			map[delivery.EventType]int{delivery.OperationInWorkspace: 3},
		},
		"operation that runs a microservice": {
			operation(func(o *delivery.OperationReport) { o.Microservice = microservice }),
			map[delivery.EventType]int{
				delivery.OperationExecuted: 1, delivery.OperationInWorkspace: 3,
				delivery.ExecutedMicroservice: 3,
			},
		},
		"microservice": {
			delivery.Report{MicroserviceExecution: &delivery.MicroserviceReport{
				OperationID: "op", Microservice: *microservice, Workspaces: deliverytest.Devices(0, 2),
			}},
			map[delivery.EventType]int{delivery.ExecutedMicroservice: 2},
		},
		"a device listed twice counts once": {
			operation(func(o *delivery.OperationReport) { o.Workspaces = append(o.Workspaces, o.Workspaces[0]) }),
			map[delivery.EventType]int{delivery.OperationExecuted: 1, delivery.OperationInWorkspace: 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(map[delivery.EventType]int)
			keys := make(map[string]bool)
			for _, f := range expand(deliverytest.Org, &tt.report, deliverytest.Now, nil) {
				got[f.Type]++
				keys[f.Key] = true
				if !json.Valid(f.Variables) || f.Group == "" || f.At.IsZero() {
					t.Errorf("fact = %+v", f)
				}
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("raises %v, want %v", got, tt.want)
			}
			total := 0
			for _, n := range tt.want {
				total += n
			}
			if len(keys) != total {
				t.Errorf("%d keys for %d facts", len(keys), total)
			}
		})
	}
}

func TestRestartExampleRendersTheCataloguesBodies(t *testing.T) {
	r := deliverytest.ReadReports(t, "../../examples/restart.jsonl")[0]
	if problems := validateReport(&r); problems != nil {
		t.Fatal(problems)
	}
	org := delivery.Organization{ID: 1, ExternalID: r.OrganizationID, Name: r.OrganizationName}
	facts := expand(org, &r, deliverytest.Now, nil)
	want := readTexts(t).Restart.Notifications
	if len(facts) != len(want) || len(facts) != 4 {
		t.Fatalf("%d events, want %d", len(facts), len(want))
	}
	for i, f := range facts {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if f.Type != want[i].Type {
				t.Fatalf("type = %s, want %s", f.Type, want[i].Type)
			}
			e := event(f)
			sameBody(t, renderDefault(t, &e), want[i].Body)
		})
	}
}

// The catalogue's previews all have the time of the report; what happens on
// a device happens when it ends there.
func TestEveryTypeExampleRendersTheCataloguesPreviews(t *testing.T) {
	previews := make(map[delivery.EventType]json.RawMessage)
	for _, info := range readTexts(t).Types {
		previews[info.ID] = info.Preview
	}
	raised := make(map[delivery.EventType]bool)
	for _, r := range deliverytest.ReadReports(t, "../../examples/every-type.jsonl") {
		if problems := validateReport(&r); problems != nil {
			t.Fatal(problems)
		}
		org := delivery.Organization{ID: 1, ExternalID: r.OrganizationID, Name: r.OrganizationName}
		for _, f := range expand(org, &r, deliverytest.Now, nil) {
			sample := delivery.SampleEvent(f.Type, delivery.Organization{}, deliverytest.Now)
			if f.WorkspaceID != sample.WorkspaceID {
				continue // the previews show one of the devices
			}
			raised[f.Type] = true
			want := string(previews[f.Type])
			if info, _ := delivery.TypeInfoOf(f.Type); info.PerWorkspace {
				want = strings.Replace(want, `"timestamp": "2026-01-14T09:31:07Z"`,
					`"timestamp": "`+delivery.FormatTime(f.At)+`"`, 1)
			}
			t.Run(string(f.Type), func(t *testing.T) {
				e := event(f)
				sameBody(t, renderDefault(t, &e), json.RawMessage(want))
			})
		}
	}
	if len(raised) != len(delivery.EventTypes()) {
		t.Errorf("raises %v, not every type", raised)
	}
}

func TestResultOfTheWhole(t *testing.T) {
	for name, tt := range map[string]struct {
		sent    delivery.OperationResult
		devices []delivery.OperationResult
		want    string
	}{
		"error is worst":        {"", []delivery.OperationResult{"COMPLETED", "CANCELLED", "TIMEOUT", "ERROR"}, "Error"},
		"then timeout":          {"", []delivery.OperationResult{"CANCELLED", "TIMEOUT", "COMPLETED"}, "Timeout"},
		"then cancelled":        {"", []delivery.OperationResult{"COMPLETED", "CANCELLED"}, "Cancelled"},
		"completed":             {"", []delivery.OperationResult{"COMPLETED"}, "Completed"},
		"no device at all":      {"", nil, "Completed"},
		"what Portal sent wins": {"COMPLETED", []delivery.OperationResult{"ERROR"}, "Completed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := deliverytest.OperationOn(len(tt.devices))
			r.Operation.Result = tt.sent
			for i, result := range tt.devices {
				r.Operation.Workspaces[i].Result = result
			}
			v := VariablesOf(t, expand(deliverytest.Org, &r, deliverytest.Now, nil)[0])
			if v["operation_result"] != tt.want {
				t.Errorf("result = %v, want %s", v["operation_result"], tt.want)
			}
		})
	}
}

// The end of the whole is what Portal says, or else the end of the last device, if
// every device has one.
func TestEndOfTheWhole(t *testing.T) {
	at := func(hour int) time.Time { return deliverytest.Now.Add(time.Duration(hour) * time.Hour) }
	for name, tt := range map[string]struct {
		sent    time.Time
		devices []time.Time
		earlier []deviceResult
		want    any // nil when it is not known
	}{
		"the last device's": {devices: []time.Time{at(2), at(3), at(1)}, want: delivery.FormatTime(at(3))},
		"an earlier device's": {
			devices: []time.Time{at(2)}, earlier: []deviceResult{{id: "x", end: at(5)}},
			want: delivery.FormatTime(at(5)),
		},
		"a device without an end":      {devices: []time.Time{at(2), {}}},
		"an earlier one without":       {devices: []time.Time{at(2)}, earlier: []deviceResult{{id: "x"}}},
		"no device":                    {},
		"what Portal sent wins":        {sent: at(1), devices: []time.Time{at(2)}, want: delivery.FormatTime(at(1))},
		"what Portal sent without any": {sent: at(1), want: delivery.FormatTime(at(1))},
	} {
		t.Run(name, func(t *testing.T) {
			r := deliverytest.OperationOn(len(tt.devices))
			r.Operation.EndDate = tt.sent
			for i, end := range tt.devices {
				r.Operation.Workspaces[i].EndDate = end
			}
			v := VariablesOf(t, expand(deliverytest.Org, &r, deliverytest.Now, tt.earlier)[0])
			if got := v["operation_enddate"]; got != tt.want {
				t.Errorf("end = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWholeReportCountsEarlierDevices(t *testing.T) {
	r := deliverytest.OperationOn(2)
	earlier := []deviceResult{
		{"ws-1", "WS 1", delivery.ResultError, time.Time{}},
		{"ws-9", "WS 9", delivery.ResultTimeout, time.Time{}},
		{"ws-9", "WS 9", delivery.ResultError, time.Time{}},
	}
	v := VariablesOf(t, expand(deliverytest.Org, &r, deliverytest.Now, earlier)[0])
	for name, want := range map[string]any{
		"workspaces_count": 3.0, "workspaces_completed": 2.0, "workspaces_timeout": 1.0, "workspaces_error": 0.0,
		"operation_result": "Timeout", "workspaces_names": "WS 0, WS 1, WS 9",
	} {
		if v[name] != want {
			t.Errorf("%s = %v, want %v", name, v[name], want)
		}
	}
}

func TestEarlierDevicesAreReadBack(t *testing.T) {
	r := deliverytest.OperationOn(2)
	r.Operation.Workspaces[1].Result = delivery.ResultError
	var events []delivery.Event
	for _, f := range expand(deliverytest.Org, &r, deliverytest.Now, nil)[1:] {
		events = append(events, event(f))
	}
	want := []deviceResult{
		{"ws-0", "WS 0", delivery.ResultCompleted, deliverytest.Now},
		{"ws-1", "WS 1", delivery.ResultError, deliverytest.Now.Add(time.Second)},
	}
	if got := earlierDevices(events); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestListsStopAtAHundredDevicesAndCountsDoNot(t *testing.T) {
	r := deliverytest.OperationOn(250)
	v := VariablesOf(t, expand(deliverytest.Org, &r, deliverytest.Now, nil)[0])
	if n := len(v["workspaces"].([]any)); n != 100 {
		t.Errorf("workspaces lists %d", n)
	}
	if n := strings.Count(v["workspaces_names"].(string), ", ") + 1; n != 100 {
		t.Errorf("workspaces_names lists %d", n)
	}
	if v["workspaces_count"] != 250.0 || v["workspaces_completed"] != 250.0 {
		t.Errorf("counts %v and %v, want 250", v["workspaces_count"], v["workspaces_completed"])
	}
}

func TestGroups(t *testing.T) {
	group := func(change func(*delivery.Report)) delivery.GroupID {
		r := deliverytest.AlertReport("s-1")
		change(&r)
		return expand(deliverytest.Org, &r, deliverytest.Now, nil)[0].Group
	}
	first := group(func(*delivery.Report) {})
	if again := group(func(r *delivery.Report) {
		r.SourceEventID, r.ActiveAlert.Alert.Start = "s-2",
			deliverytest.Now.Add(1)
	}); again != first {
		t.Error("an alert's repeat has another group")
	}
	for name, other := range map[string]delivery.GroupID{
		"another device": group(func(r *delivery.Report) { r.ActiveAlert.Workspace.ID = "ws-2" }),
		"another alert":  group(func(r *delivery.Report) { r.ActiveAlert.Alert.ID = "cpu" }),
		"no device":      group(func(r *delivery.Report) { r.ActiveAlert.Workspace = nil }),
	} {
		if other == first {
			t.Errorf("%s has the same group", name)
		}
	}
	r := deliverytest.OperationOn(2)
	r.Operation.Microservice = &delivery.ReportedItem{ID: "m", Name: "M"}
	for _, f := range expand(deliverytest.Org, &r, deliverytest.Now, nil) {
		if f.Group != delivery.OperationGroup(deliverytest.Org, "op-1") {
			t.Errorf("%s of one operation has the group %s", f.Type, f.Group)
		}
	}
	// Receivers have these in their tickets: the spelling never changes.
	if want := delivery.GroupID(delivery.Hashed("grp_", "operation", "acme", "op-1")); delivery.OperationGroup(
		deliverytest.Org, "op-1",
	) != want {
		t.Errorf("group = %s, want %s", delivery.OperationGroup(deliverytest.Org, "op-1"), want)
	}
}

func BenchmarkIngestExpand(b *testing.B) {
	for _, n := range []int{1, 100, 20_000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			r := deliverytest.OperationOn(n)
			b.ReportAllocs()
			for b.Loop() {
				if got := len(expand(deliverytest.Org, &r, deliverytest.Now, nil)); got != n+1 {
					b.Fatalf("%d facts", got)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(n+1)), "ns/event")
		})
	}
}
