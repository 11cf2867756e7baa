package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"portalhooks/test/harness"
)

const (
	anAlert = `{"organizationId": "reports", "sourceEventId": "ID", "event": {"activeAlert": {"alert": {` +
		`"id": "disk", "name": "Disk", "severity": "CRITICAL", "start": "2026-01-14T09:30:58Z"}}}}`
	anOperation = `{"organizationId": "reports", "sourceEventId": "ID", "event": {"operation": {` +
		`"operationId": "ID", "typeId": "restart", "typeName": "Restart", "startDate": "2026-01-14T09:30:00Z",` +
		`"workspaces": [{"workspace": {"id": "w", "name": "W"}, "startDate": "2026-01-14T09:30:00Z",` +
		`"result": "COMPLETED"}]}}}`
	aChange = `{"organizationId": "reports", "sourceEventId": "ID", "event": {"objectChange": {` +
		`"action": "CREATED", "object": {"typeId": "user", "id": "1", "name": "One"}, "user": {"name": "Nora"}}}}`

	ingestReports = `mutation ($input: [PortalEventInput!]!) { ingestEvents(input: $input) {
		results { sourceEventId status userErrors { code field message } } userErrors { message } } }`
)

// A batchTest sends three reports, of which the one in the middle is the test's.
type batchTest struct {
	*harness.World

	sent int
}

func (b *batchTest) report(text string) string {
	b.sent++
	return strings.ReplaceAll(text, `"ID"`, fmt.Sprintf(`"r-%d"`, b.sent))
}

func (b *batchTest) send(t *testing.T, middle string) *harness.Answer {
	t.Helper()
	batch := "[" + b.report(anAlert) + "," + b.report(middle) + "," + b.report(anAlert) + "]"
	return b.Ask(t, b.Portal, ingestReports, map[string]any{"input": json.RawMessage(batch)})
}

// A report with a bad value is rejected, with the value's field; its neighbors are
// stored. The first call goes the general way, the second is decoded directly.
func TestABadValueRejectsOneReport(t *testing.T) {
	t.Parallel()
	b := batchTest{World: harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))}
	const path, device = "event.operation.", "event.operation.workspaces.0."
	for name, tt := range map[string]struct{ report, good, bad, field string }{
		"a day that does not exist":       {anAlert, `"2026-01-14T`, `"2026-02-30T`, "event.activeAlert.alert.start"},
		"a time that is none":             {anAlert, `"2026-01-14T09:30:58Z"`, `"yesterday"`, "event.activeAlert.alert.start"},
		"an empty time":                   {anAlert, `"2026-01-14T09:30:58Z"`, `""`, "event.activeAlert.alert.start"},
		"a time without a zone":           {anAlert, `58Z"`, `58"`, "event.activeAlert.alert.start"},
		"when it happened":                {aChange, `"event"`, `"occurredAt": "now", "event"`, "occurredAt"},
		"a severity that is none":         {anAlert, "CRITICAL", "HIGH", "event.activeAlert.alert.severity"},
		"a severity in lower case":        {anAlert, "CRITICAL", "critical", "event.activeAlert.alert.severity"},
		"an action that is none":          {aChange, "CREATED", "RENAMED", "event.objectChange.action"},
		"an empty action":                 {aChange, "CREATED", "", "event.objectChange.action"},
		"the operation's start":           {anOperation, `"2026-01-14T09:30:00Z"`, `"x"`, path + "startDate"},
		"the operation's end":             {anOperation, `"startDate"`, `"endDate": "x", "startDate"`, path + "endDate"},
		"the operation's result":          {anOperation, `"startDate"`, `"result": "DONE", "startDate"`, path + "result"},
		"a device's result":               {anOperation, "COMPLETED", "DONE", device + "result"},
		"a device's end":                  {anOperation, `"result"`, `"endDate": "x", "result"`, device + "endDate"},
		"an id that is empty":             {anAlert, `"disk"`, `""`, "event.activeAlert.alert.id"},
		"a link that is none":             {anAlert, `"name"`, `"viewUrl": "x", "name"`, "event.activeAlert.alert.viewUrl"},
		"an organization without its id.": {anAlert, `"reports"`, `""`, "organizationId"},
	} {
		for _, way := range []string{"generally", "directly"} {
			a := b.send(t, strings.Replace(tt.report, tt.good, tt.bad, 1))
			if got := statuses(t, a); !slices.Equal(got, []string{"ACCEPTED", "REJECTED", "ACCEPTED"}) {
				t.Errorf("%s, %s: %s", name, way, a.Body)
				continue
			}
			if got := a.At(t, "ingestEvents.results.1.userErrors.0.field"); got != tt.field {
				t.Errorf("%s, %s: the field is %s, want %s", name, way, got, tt.field)
			}
		}
	}
}

// statuses returns the status of each report.
func statuses(t *testing.T, a *harness.Answer) []string {
	t.Helper()
	if a.Code() != "" {
		return nil
	}
	var list []string
	for i := range a.List(t, "ingestEvents.results") {
		list = append(list, a.At(t, fmt.Sprintf("ingestEvents.results.%d.status", i)))
	}
	return list
}

// What does not fit the types is refused as a whole, and the report is named.
func TestAReportOfAnotherTypeRefusesTheRequest(t *testing.T) {
	t.Parallel()
	b := batchTest{World: harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))}
	for name, tt := range map[string]struct{ report, good, bad string }{
		"an unknown field":         {anAlert, `"severity"`, `"severityy"`},
		"a missing field":          {anAlert, `"id": "disk",`, ``},
		"a null":                   {anAlert, `"disk"`, `null`},
		"a number for a text":      {anAlert, `"disk"`, `5`},
		"a number for a time":      {anAlert, `"2026-01-14T09:30:58Z"`, `5`},
		"a number for a severity":  {anAlert, `"CRITICAL"`, `5`},
		"a list for an action":     {aChange, `"CREATED"`, `[]`},
		"a boolean for a result":   {anOperation, `"COMPLETED"`, `true`},
		"two payloads":             {anAlert, `"activeAlert"`, `"objectChange": {}, "activeAlert"`},
		"no payload":               {anAlert, `"activeAlert"`, `"other"`},
		"a text instead of a list": {anOperation, `[{`, `"x", "w": [{`},
	} {
		for _, way := range []string{"first", "again"} {
			a := b.send(t, strings.Replace(tt.report, tt.good, tt.bad, 1))
			if a.Code() != "BAD_USER_INPUT" || !strings.Contains(string(a.Body), `"input",1`) {
				t.Errorf("%s, %s: got %s, want BAD_USER_INPUT that names the report 1", name, way, a.Body)
			}
		}
	}
}

// The text of a query is judged as GraphQL does, except that the names of open
// enumerations are judged with the report.
func TestReportsInTheTextOfAQuery(t *testing.T) {
	t.Parallel()
	w := harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	query := func(id, severity, start string) string {
		return fmt.Sprintf(`mutation { ingestEvents(input: [{organizationId: "text", sourceEventId: %q, event: {
			activeAlert: {alert: {id: "a", name: "A", severity: %s, start: %q}}}}]) {
			results { status userErrors { field } } } }`, id, severity, start)
	}
	const now = "2026-01-14T09:30:58Z"
	for _, tt := range []struct{ severity, start, want, field string }{
		{"CRITICAL", now, "ACCEPTED", ""},
		{"HIGH", now, "REJECTED", "event.activeAlert.alert.severity"},
		{"CRITICAL", "x", "REJECTED", "event.activeAlert.alert.start"},
	} {
		a := w.Ask(t, w.Portal, query(tt.severity+tt.start, tt.severity, tt.start), nil)
		if got := a.At(t, "ingestEvents.results.0.status"); got != tt.want {
			t.Errorf("%s %s: %s", tt.severity, tt.start, a.Body)
		} else if tt.field != "" && a.At(t, "ingestEvents.results.0.userErrors.0.field") != tt.field {
			t.Errorf("%s %s: %s, want the field %s", tt.severity, tt.start, a.Body, tt.field)
		}
	}
	for _, literal := range []string{`"CRITICAL"`, "5", "true", "[]", "{}"} {
		if a := w.Ask(t, w.Portal, query("x", literal, now), nil); a.Code() != "BAD_USER_INPUT" {
			t.Errorf("%s is taken for a severity: %s", literal, a.Body)
		}
	}
}
