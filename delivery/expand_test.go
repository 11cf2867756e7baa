package delivery

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func event(f fact) Event {
	return Event{
		ID: 1, Org: testOrg.ID, Type: f.Type, Group: f.Group, OccurredAt: f.At, WorkspaceID: f.WorkspaceID,
		WorkspaceName: f.WorkspaceName, Variables: f.Variables,
	}
}

// expand returns the facts of one report.
func expand(org Organization, r *Report, now time.Time, earlier []deviceResult) []fact {
	x := expansion{now: now}
	return x.facts(org, r, earlier)
}

// variablesOf reads back what a fact's variables say.
func variablesOf(t *testing.T, f fact) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(f.Variables, &v); err != nil {
		t.Fatalf("%v in %s", err, f.Variables)
	}
	return v
}

func TestExpand(t *testing.T) {
	microservice := &ReportedItem{ID: "clean", Name: "Clean Disk"}
	operation := func(change func(*OperationReport)) Report {
		r := operationOn(3)
		change(r.Operation)
		return r
	}
	object := func(action string) Report {
		return Report{SourceEventID: "s", ObjectChange: &ObjectReport{Action: action, TypeID: "user", ID: "1"}}
	}
	for name, tt := range map[string]struct {
		report Report
		want   map[EventType]int
	}{
		"alert":           {alertReport("s"), map[EventType]int{ActiveAlert: 1}},
		"object created":  {object("CREATED"), map[EventType]int{ObjectCreated: 1}},
		"object modified": {object("MODIFIED"), map[EventType]int{ObjectModified: 1}},
		"object deleted":  {object("DELETED"), map[EventType]int{ObjectDeleted: 1}},
		"complete operation": {
			operationOn(3), map[EventType]int{OperationExecuted: 1, OperationInWorkspace: 3},
		},
		"complete operation without devices": {operationOn(0), map[EventType]int{OperationExecuted: 1}},
		"partial operation raises no global event": {
			operation(func(o *OperationReport) { o.Complete = false }), map[EventType]int{OperationInWorkspace: 3},
		},
		"operation that runs a microservice": {
			operation(func(o *OperationReport) { o.Microservice = microservice }),
			map[EventType]int{OperationExecuted: 1, OperationInWorkspace: 3, ExecutedMicroservice: 3},
		},
		"microservice": {
			Report{MicroserviceExecution: &MicroserviceReport{
				OperationID: "op", Microservice: *microservice, Workspaces: devices(0, 2),
			}},
			map[EventType]int{ExecutedMicroservice: 2},
		},
		"a device listed twice counts once": {
			operation(func(o *OperationReport) { o.Workspaces = append(o.Workspaces, o.Workspaces[0]) }),
			map[EventType]int{OperationExecuted: 1, OperationInWorkspace: 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(map[EventType]int)
			keys := make(map[string]bool)
			for _, f := range expand(testOrg, &tt.report, testNow, nil) {
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
	r := readReports(t, "../examples/restart.jsonl")[0]
	if problems := validateReport(&r); problems != nil {
		t.Fatal(problems)
	}
	org := Organization{ID: 1, ExternalID: r.OrganizationID, Name: r.OrganizationName}
	facts := expand(org, &r, testNow, nil)
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
	previews := make(map[EventType]json.RawMessage)
	for _, info := range readTexts(t).Types {
		previews[info.ID] = info.Preview
	}
	raised := make(map[EventType]bool)
	for _, r := range readReports(t, "../examples/every-type.jsonl") {
		if problems := validateReport(&r); problems != nil {
			t.Fatal(problems)
		}
		org := Organization{ID: 1, ExternalID: r.OrganizationID, Name: r.OrganizationName}
		for _, f := range expand(org, &r, testNow, nil) {
			sample := sampleEvent(f.Type, Organization{}, testNow)
			if f.WorkspaceID != sample.WorkspaceID {
				continue // the previews show one of the devices
			}
			raised[f.Type] = true
			want := string(previews[f.Type])
			if info, _ := TypeInfoOf(f.Type); info.PerWorkspace {
				want = strings.Replace(want, `"timestamp": "2026-01-14T09:31:07Z"`,
					`"timestamp": "`+formatTime(f.At)+`"`, 1)
			}
			t.Run(string(f.Type), func(t *testing.T) {
				e := event(f)
				sameBody(t, renderDefault(t, &e), json.RawMessage(want))
			})
		}
	}
	if len(raised) != len(eventTypes) {
		t.Errorf("raises %v, not every type", raised)
	}
}

func TestResultOfTheWhole(t *testing.T) {
	for name, tt := range map[string]struct {
		sent    OperationResult
		devices []OperationResult
		want    string
	}{
		"error is worst":        {"", []OperationResult{"COMPLETED", "CANCELLED", "TIMEOUT", "ERROR"}, "Error"},
		"then timeout":          {"", []OperationResult{"CANCELLED", "TIMEOUT", "COMPLETED"}, "Timeout"},
		"then cancelled":        {"", []OperationResult{"COMPLETED", "CANCELLED"}, "Cancelled"},
		"completed":             {"", []OperationResult{"COMPLETED"}, "Completed"},
		"no device at all":      {"", nil, "Completed"},
		"what Portal sent wins": {"COMPLETED", []OperationResult{"ERROR"}, "Completed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := operationOn(len(tt.devices))
			r.Operation.Result = tt.sent
			for i, result := range tt.devices {
				r.Operation.Workspaces[i].Result = result
			}
			v := variablesOf(t, expand(testOrg, &r, testNow, nil)[0])
			if v["operation_result"] != tt.want {
				t.Errorf("result = %v, want %s", v["operation_result"], tt.want)
			}
		})
	}
}

func TestCompleteReportCountsEarlierDevices(t *testing.T) {
	r := operationOn(2)
	earlier := []deviceResult{{"ws-1", "WS 1", ResultError}, {"ws-9", "WS 9", ResultTimeout}, {
		"ws-9", "WS 9",
		ResultError,
	}}
	v := variablesOf(t, expand(testOrg, &r, testNow, earlier)[0])
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
	r := operationOn(2)
	r.Operation.Workspaces[1].Result = ResultError
	var events []Event
	for _, f := range expand(testOrg, &r, testNow, nil)[1:] {
		events = append(events, event(f))
	}
	want := []deviceResult{{"ws-0", "WS 0", ResultCompleted}, {"ws-1", "WS 1", ResultError}}
	if got := earlierDevices(events); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestListsStopAtAHundredDevicesAndCountsDoNot(t *testing.T) {
	r := operationOn(250)
	v := variablesOf(t, expand(testOrg, &r, testNow, nil)[0])
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
	group := func(change func(*Report)) GroupID {
		r := alertReport("s-1")
		change(&r)
		return expand(testOrg, &r, testNow, nil)[0].Group
	}
	first := group(func(*Report) {})
	if again := group(func(r *Report) {
		r.SourceEventID, r.ActiveAlert.Alert.Start = "s-2",
			testNow.Add(1)
	}); again != first {
		t.Error("an alert's repeat has another group")
	}
	for name, other := range map[string]GroupID{
		"another device": group(func(r *Report) { r.ActiveAlert.Workspace.ID = "ws-2" }),
		"another alert":  group(func(r *Report) { r.ActiveAlert.Alert.ID = "cpu" }),
		"no device":      group(func(r *Report) { r.ActiveAlert.Workspace = nil }),
	} {
		if other == first {
			t.Errorf("%s has the same group", name)
		}
	}
	r := operationOn(2)
	r.Operation.Microservice = &ReportedItem{ID: "m", Name: "M"}
	for _, f := range expand(testOrg, &r, testNow, nil) {
		if f.Group != operationGroup(testOrg, "op-1") {
			t.Errorf("%s of one operation has the group %s", f.Type, f.Group)
		}
	}
	// Receivers have these in their tickets: the spelling never changes.
	if want := GroupID(hashed("grp_", "operation", "acme", "op-1")); operationGroup(testOrg, "op-1") != want {
		t.Errorf("group = %s, want %s", operationGroup(testOrg, "op-1"), want)
	}
}

func TestHashedTellsPartsApart(t *testing.T) {
	if hashed("", "a", "bc") == hashed("", "ab", "c") || hashed("", "a") == hashed("", "a", "") {
		t.Error("two lists of parts have the same hash")
	}
	if n := len(hashed("", strings.Repeat("x", 10_000))); n != 26 {
		t.Errorf("%d digits, want 26 whatever is hashed", n)
	}
}

// Keys are stored, and migrations spell them too: their spelling never changes.
func TestKeysTellFactsApart(t *testing.T) {
	const hex24 = "64b0c3a9e1f2d3c4b5a69788"
	packed := "x\x0c\x64\xb0\xc3\xa9\xe1\xf2\xd3\xc4\xb5\xa6\x97\x88"
	long := strings.Repeat("\U0001F525", MaxIDLength)
	hash := sha256.Sum256([]byte("wt" + long + "\x00t" + long + "\x00"))
	all := map[string]bool{}
	for got, want := range map[string]string{
		SourceKey(hex24):                      "s" + packed,
		SourceKey(strings.ToUpper(hex24)):     "st64B0C3A9E1F2D3C4B5A69788\x00",
		SourceKey("64b"):                      "st64b\x00",
		SourceKey("change-1"):                 "stchange-1\x00",
		SourceKey(strings.Repeat("00", 128)):  "sx\x80" + strings.Repeat("\x00", 128),
		SourceKey(strings.Repeat("00", 129)):  "st" + strings.Repeat("00", 129) + "\x00",
		operationKey("op-1"):                  "otop-1\x00",
		operationKey("64b0c3a9"):              "ox\x04\x64\xb0\xc3\xa9",
		workspaceKey("op-1", "00ff"):          "wtop-1\x00x\x02\x00\xff",
		workspaceKey(hex24, hex24):            "w" + packed + packed,
		microserviceKey("op-1", "0a", "ws-1"): "mtop-1\x00x\x01\x0atws-1\x00",
		SourceKey(long):                       "st" + long + "\x00",
		workspaceKey(long, long):              "wh" + string(hash[:]),
	} {
		if got != want {
			t.Errorf("key %q, want %q", got, want)
		}
		all[got] = true
	}
	if len(all) != 13 {
		t.Errorf("%d keys, want 13", len(all))
	}
}

// FuzzKey checks that two lists of ids never have the same key, and that keys
// of ids that are spelled alike are in the order of the ids.
func FuzzKey(f *testing.F) {
	f.Add("a", "bc", "ab", "c")
	f.Add("x\x01", "00", "00", "x\x01")
	f.Add("64b0c3a9e1f2d3c4b5a69788", "", "64b0c3a9e1f2d3c4b5a69789", "")
	f.Add("op-1", "t", "op-2", "t")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		if strings.IndexByte(a+b+c+d, 0) >= 0 {
			return // no id has one
		}
		first, second := workspaceKey(a, b), workspaceKey(c, d)
		if (first == second) != (a == c && b == d) {
			t.Errorf("keys of %q, %q and %q, %q: %q and %q", a, b, c, d, first, second)
		}
		if len(a) == len(c) && packable(a) == packable(c) && a < c && first > second {
			t.Errorf("the key of %q is behind that of %q", a, c)
		}
	})
}

func TestFormatTime(t *testing.T) {
	madrid := time.FixedZone("", 3600)
	for want, at := range map[string]time.Time{
		"":                         {},
		"2026-01-14T09:31:07Z":     time.Date(2026, 1, 14, 10, 31, 7, 0, madrid),
		"2026-01-14T09:31:07.120Z": time.Date(2026, 1, 14, 9, 31, 7, 120_456_789, time.UTC),
		"0990-01-01T00:00:00Z":     time.Date(990, 1, 1, 0, 0, 0, 999, time.UTC),
	} {
		if got := formatTime(at); got != want {
			t.Errorf("%s is written %q, want %q", at, got, want)
		}
	}
}

func TestVariablesAreValidJSONWhateverIsReported(t *testing.T) {
	for _, text := range []string{
		"", `"\`, "\x00\x01\x1f\x7f", "\xff\xfe", "a\tb\r\n", "é😀\u2028",
		"\xed\xa0\x80",
	} {
		var v variables
		v.text("b", text)
		v.number("a", 1)
		encoded := v.encode()
		var got map[string]any
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Errorf("%q: %v in %s", text, err, encoded)
			continue
		}
		want := strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		if text == "\xff\xfe" || text == "\xed\xa0\x80" {
			want = strings.Repeat("\uFFFD", len(text)) // one for each bad byte
		}
		if value, _ := got["b"].(string); value != want {
			t.Errorf("%q is read back as %q, want %q", text, value, want)
		}
	}
}

func TestEncodeSortsAndTakesTheLastValue(t *testing.T) {
	var v variables
	v.text("b", "1")
	v.text("a", "x")
	v.text("b", "2")
	if got := string(v.encode()); got != `{"a":"x","b":"2"}` {
		t.Errorf("encoded %s", got)
	}
}

func BenchmarkIngestExpand(b *testing.B) {
	for _, n := range []int{1, 100, 20_000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			r := operationOn(n)
			b.ReportAllocs()
			for b.Loop() {
				if got := len(expand(testOrg, &r, testNow, nil)); got != n+1 {
					b.Fatalf("%d facts", got)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(n+1)), "ns/event")
		})
	}
}
