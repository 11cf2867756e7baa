package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// namedBlock matches a named block of JSON or GraphQL.
var namedBlock = regexp.MustCompile("(?ms)^```(?:json|graphql) (\\w+)\n(.*?)^```$")

// A docsReport is an example of docs/reporting.md, and how it is answered.
type docsReport struct {
	name, status, warnings string
	events                 int
}

// The examples of docs/reporting.md are answered as the page says, first and again.
func TestReportsOfTheDocsAreAnswered(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(harness.Root, "docs", "reporting.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]string{}
	for _, found := range namedBlock.FindAllStringSubmatch(string(text), -1) {
		blocks[found[1]] = found[2]
	}
	steps := []docsReport{
		{"alert", "ACCEPTED", "ORGANIZATION_REGISTERED ITEM_REGISTERED NOTHING_MATCHED", 1},
		{"alert", "DUPLICATE", "", 1},
		{"object", "ACCEPTED", "ITEM_REGISTERED NOTHING_MATCHED", 1},
		{"microservice", "ACCEPTED", "ITEM_REGISTERED NOTHING_MATCHED", 1},
		{"operation", "ACCEPTED", "ITEM_REGISTERED NOTHING_MATCHED", 2},
		{"operation", "DUPLICATE", "", 2},
		{"part2", "ACCEPTED", "NOTHING_MATCHED", 1},
		{"part1", "ACCEPTED", "NOTHING_MATCHED", 2}, // with the event of the whole
		{"part2", "DUPLICATE", "", 2},
		{"rejected", "REJECTED", "", 0},
	}
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		portal := s.Key(t, delivery.PortalKey, "")
		for _, step := range steps {
			var report map[string]any
			if err := json.Unmarshal([]byte(blocks[step.name]), &report); err != nil {
				t.Fatalf("the example %q: %v", step.name, err)
			}
			a := s.Ask(t, portal, blocks["report"], map[string]any{"input": []any{report}})
			const result = "ingestEvents.results.0."
			if got := a.At(t, result+"status"); got != step.status {
				t.Errorf("%s: %s, want %s: %s", step.name, got, step.status, a.Body)
			}
			if got := len(a.List(t, result+"eventIds")); got != step.events {
				t.Errorf("%s: %d events, want %d", step.name, got, step.events)
			}
			if got := strings.Join(valuesOf(a.List(t, result+"warnings"), "code"), " "); got != step.warnings {
				t.Errorf("%s: warnings %q, want %q", step.name, got, step.warnings)
			}
			if step.status == "REJECTED" {
				fields := valuesOf(a.List(t, result+"userErrors"), "field")
				want := []string{"occurredAt", "event.activeAlert.alert.start"}
				if !slices.Equal(fields, want) {
					t.Errorf("%s: the faults are in %q, want %q", step.name, fields, want)
				}
			}
		}
	})
	for name := range blocks {
		if name != "report" && !slices.ContainsFunc(steps, func(s docsReport) bool { return s.name == name }) {
			t.Errorf("the example %q is not tried", name)
		}
	}
}

// valuesOf returns a field of each object.
func valuesOf(objects []any, field string) (values []string) {
	for _, o := range objects {
		value, _ := o.(map[string]any)[field].(string)
		values = append(values, value)
	}
	return values
}
