package pipeline

import (
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/deliverytest"
)

var update = flag.Bool("update", false,
	"rewrite testdata/facts.golden: databases hold what is in it, so a re-send would be taken for something new")

// oddTexts have everything in them that JSON writes in a special way.
var oddTexts = []string{
	"plain", "", "é 😀 \u2028\u2029 \ufffd", `"\/<>&'`, "\x00\x01\b\f\n\r\t\x1f\x7f", "\xff\xed\xa0\x80a\xc3",
}

// wholeReports returns a report of each kind, with everything in it. Every text
// has text in it.
func wholeReports(text string, at time.Time) []delivery.Report {
	workspace := delivery.ReportedWorkspace{
		ID: "w" + text, Name: "n" + text, LastUser: "u" + text, ReportingGroupID: "g" + text,
		ReportingGroupName: "gn" + text,
	}
	other := delivery.ReportedWorkspace{ID: "a" + text, Name: text}
	devices := []delivery.WorkspaceExecution{
		{Workspace: workspace, StartDate: at, EndDate: at.Add(time.Minute), Result: delivery.ResultTimeout},
		{Workspace: other, StartDate: at, EndDate: time.Time{}, Result: delivery.ResultError},
		{Workspace: workspace, StartDate: at, EndDate: at.Add(time.Minute), Result: delivery.ResultTimeout},
	}
	item := delivery.ReportedItem{ID: "i" + text, Name: text, ViewURL: "https://example.com/" + text}
	reports := []delivery.Report{
		{ActiveAlert: &delivery.ActiveAlertReport{
			Alert: delivery.ReportedAlert{
				ID: "i" + text, Name: text, Information: "f" + text, Start: at, Element: "e" + text,
				Severity: "CRITICAL", Category: "c" + text, ViewURL: "v" + text,
			}, Workspace: &workspace,
		}},
		{
			ActiveAlert: &delivery.ActiveAlertReport{
				Alert: delivery.ReportedAlert{ID: "i", Name: text, Start: at, Element: text},
			},
		},
		{
			MicroserviceExecution: &delivery.MicroserviceReport{
				OperationID:  "o" + text,
				Microservice: item,
				Workspaces:   devices,
			},
		},
		{Operation: &delivery.OperationReport{
			OperationID: "o" + text, TypeID: "t" + text, TypeName: text, Description: "d" + text,
			InitiatedBy: "b" + text, StartDate: at, EndDate: at.Add(time.Hour), Microservice: &item,
			Workspaces: devices,
		}},
		{
			Operation: &delivery.OperationReport{
				OperationID: "o",
				TypeID:      "t",
				StartDate:   at,
				Result:      delivery.ResultCancelled,
			},
		},
	}
	for _, action := range []delivery.ObjectAction{"CREATED", "MODIFIED", "DELETED"} {
		reports = append(reports, delivery.Report{ObjectChange: &delivery.ObjectReport{
			Action: action, TypeID: "t" + text, TypeName: text, ID: "i" + text, Name: text,
			Changes: []delivery.FieldChange{
				{Property: "p" + text, OriginalValue: &text},
				{Property: text, NewValue: &text},
			},
			User: delivery.ReportedUser{ID: "u" + text, Name: "n" + text, Email: text},
		}})
	}
	for i := range reports {
		reports[i].OrganizationID, reports[i].SourceEventID = "acme", fmt.Sprint("s", i, text)
		reports[i].OccurredAt = at.Add(time.Duration(i%2) * time.Second)
	}
	return reports
}

// TestFactsStayAsTheyAreStored holds what databases have: keys and fingerprints
// recognise what is sent again, groups are what receivers know, and variables
// are compared by their bytes.
func TestFactsStayAsTheyAreStored(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	zone := time.FixedZone("", 2*60*60+30*60)
	for i, text := range oddTexts {
		at := deliverytest.Now.Add(time.Duration(i) * 123456789 * time.Nanosecond).In(zone)
		for _, r := range wholeReports(text, at) {
			for _, f := range expand(deliverytest.Org, &r, deliverytest.Now, []deviceResult{{
				id: "z", name: "Z", result: delivery.ResultCompleted,
			}}) {
				fmt.Fprintf(&got, "%s %s %q %d %s %q %q\n\t%s\n", f.Type, f.Group, f.Key, f.Fingerprint,
					f.At.UTC().Format(time.RFC3339Nano), f.WorkspaceID, f.WorkspaceName, f.Variables)
			}
		}
	}
	path := filepath.Join("testdata", "facts.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("facts differ from those in %s:\n%s", path, got.String())
	}
}

// encodedFingerprint is how fingerprints are defined: by encoding/json.
func encodedFingerprint(r *delivery.Report, devices []delivery.WorkspaceExecution) uint64 {
	// The structs of the release that stored the first fingerprints.
	type operation struct {
		OperationID, TypeID, TypeName string
		Description, InitiatedBy      string
		StartDate, EndDate            time.Time
		Result                        delivery.OperationResult
		Microservice                  *delivery.ReportedItem
		Complete                      bool
		Workspaces                    []delivery.WorkspaceExecution
	}
	body := struct {
		Alert     *delivery.ActiveAlertReport
		Object    *delivery.ObjectReport
		Operation *operation
		Devices   []delivery.WorkspaceExecution
	}{Object: r.ObjectChange, Devices: devices}
	if r.ActiveAlert != nil {
		alert := *r.ActiveAlert
		alert.Alert.Start = alert.Alert.Start.UTC()
		body.Alert = &alert
	}
	if o := r.Operation; o != nil {
		body.Operation = &operation{
			OperationID: o.OperationID, TypeID: o.TypeID, TypeName: o.TypeName, Description: o.Description,
			InitiatedBy: o.InitiatedBy, StartDate: o.StartDate.UTC(), EndDate: o.EndDate.UTC(), Result: o.Result,
			Microservice: o.Microservice, Complete: true,
		}
	}
	hash := fnv.New64a()
	_ = json.NewEncoder(hash).Encode(body)
	return hash.Sum64()
}

func TestFingerprintIsThatOfTheJSON(t *testing.T) {
	t.Parallel()
	for i, text := range oddTexts {
		for _, at := range []time.Time{
			{},
			deliverytest.Now, time.Date(9999, 12, 31, 12, 59, 59, 999_999_999, time.UTC),
			time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), deliverytest.Now.In(time.FixedZone("", -60*60)),
		} {
			for _, r := range wholeReports(text, at) {
				var list []delivery.WorkspaceExecution
				if r.Operation != nil {
					list = sortedByID(distinct(r.Operation.Workspaces))
				}
				for _, devices := range [][]delivery.WorkspaceExecution{nil, {}, list} {
					if got, want := delivery.ReportFingerprint(&r, devices), encodedFingerprint(&r, devices); got != want {
						t.Errorf("text %d at %s: fingerprint %d, want %d of %+v", i, at, got, want, r)
					}
				}
			}
		}
	}
}
