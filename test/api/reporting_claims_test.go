package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// A claimsTest checks what docs/reporting.md claims beside its examples.
type claimsTest struct {
	*reportingPage

	admin string
}

func newClaimsTest(t *testing.T, s *harness.APIServer) *claimsTest {
	t.Helper()
	return &claimsTest{newReportingPage(t, s), s.Key(t, delivery.AdminKey, "claims")}
}

// report returns the JSON of a report, whose event is JSON too.
func report(source, members, event string) string {
	return fmt.Sprintf(
		`{"organizationId": "claims", "sourceEventId": %q%s, "event": {%s}}`, source, members, event,
	)
}

func alertNamed(name string) string {
	return fmt.Sprintf(
		`"activeAlert": {"alert": {"id": "disk", "name": %q, "start": "2026-01-14T09:30:58Z"}}`, name,
	)
}

// executed returns the event of an operation with devices that have these results.
func executed(id, members string, devices ...string) string {
	list := make([]string, len(devices))
	for i, d := range devices {
		device, result, _ := strings.Cut(d, " ")
		list[i] = fmt.Sprintf(`{"workspace": {"id": %q, "name": "W"}, "result": %q,
			"startDate": "2026-01-14T09:30:00Z", "endDate": "2026-01-14T09:31:00Z"}`, device, result)
	}
	return fmt.Sprintf(`"operation": {"operationId": %q, "typeId": "restart", "typeName": "Restart",
		"startDate": "2026-01-14T09:30:00Z"%s, "workspaces": [%s]}`, id, members, strings.Join(list, ","))
}

// submit sends reports in one call, and returns the status of each with the number
// of its events and the codes of its warnings and errors, in the order of the page.
func (c *claimsTest) submit(t *testing.T, key string, reports ...string) []string {
	t.Helper()
	a := c.Ask(t, key, c.operations["report"],
		map[string]any{"input": json.RawMessage("[" + strings.Join(reports, ",") + "]")})
	var all []string
	for i, status := range statuses(t, a) {
		path := fmt.Sprintf("ingestEvents.results.%d.", i)
		text := fmt.Sprintf("%s %d", status, len(a.List(t, path+"eventIds")))
		for _, list := range []string{"warnings", "userErrors"} {
			for j := range a.List(t, path+list) {
				code := a.At(t, fmt.Sprintf("%s%s.%d.code", path, list, j))
				if code != "NOTHING_MATCHED" && code != "ITEM_REGISTERED" {
					text += " " + code
				}
			}
		}
		all = append(all, text)
	}
	return all
}

// step submits reports in one call, and wants these answers.
func (c *claimsTest) step(t *testing.T, what, want string, reports ...string) {
	t.Helper()
	if got := strings.Join(c.submit(t, c.portal, reports...), ", "); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestClaimsOfReportingAboutWhatIsTheSame(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		c := newClaimsTest(t, s)
		disk := alertNamed("Disk")
		c.step(t, "twice in a call", "ACCEPTED 1, DUPLICATE 1", report("a", "", disk), report("a", "", disk))
		c.step(t, "what is around the event", "DUPLICATE 1",
			report("a", `, "organizationName": "X", "occurredAt": "2026-01-14T09:30:59Z"`, disk))
		c.step(t, "another zone", "DUPLICATE 1",
			report("a", "", strings.Replace(disk, "T09:30:58Z", "T10:30:58+01:00", 1)))
		c.step(t, "a name in the event", "REJECTED 0 CONFLICT", report("a", "", alertNamed("Disk full")))
		c.step(t, "ids are compared by letter", "ACCEPTED 1", report("A", "", disk))
		c.step(t, "alerts and changes share ids", "REJECTED 0 CONFLICT", report("a", "", `"objectChange": {
			"action": "CREATED", "object": {"typeId": "t", "id": "1", "name": "N"}, "user": {"name": "U"}}`))

		c.step(t, "an operation", "ACCEPTED 3", report("o", "", executed("o", "", "1 ERROR", "2 COMPLETED")))
		c.step(t, "other devices' order and names", "DUPLICATE 3", strings.ReplaceAll(
			report("x", "", executed("o", "", "2 COMPLETED", "1 ERROR")), `"W"`, `"W"`))
		c.step(t, "another result", "DUPLICATE 3 OTHER_VALUES OTHER_VALUES",
			report("o", "", executed("o", "", "1 COMPLETED", "2 COMPLETED")))

		microservice := `"microservice": {"id": "clean", "name": "Clean"}`
		alone := strings.Replace(executed("m", "", "1 COMPLETED"), `"operation": {"operationId": "m",`,
			`"microserviceExecution": {`+microservice+`, "operationId": "m",`, 1)
		alone = strings.Replace(alone, `"typeId": "restart", "typeName": "Restart",
		"startDate": "2026-01-14T09:30:00Z",`, "", 1)
		c.step(t, "a microservice", "ACCEPTED 1", report("m", "", alone))
		operation := executed("m", ", "+microservice, "1 COMPLETED")
		c.step(t, "its operation, too", "ACCEPTED 2", report("m", "", operation))
	})
}

func TestClaimsOfReportingAboutParts(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		c := newClaimsTest(t, s)
		const expected = `, "expectedWorkspaces": 3`
		devices := []string{"1 COMPLETED", "2 TIMEOUT", "3 ERROR"}
		for i, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
			id := fmt.Sprintf("e%d", i)
			for n, device := range order {
				part := report(fmt.Sprintf("%s-%d", id, n), "", executed(id, expected, devices[device]))
				c.step(t, id, []string{"ACCEPTED 1", "ACCEPTED 1", "ACCEPTED 2"}[n], part)
				c.step(t, id+" again", []string{"DUPLICATE 1", "DUPLICATE 1", "DUPLICATE 2"}[n], part)
			}
			c.counts(t, id, "3 Error")
		}
		c.step(t, "a part", "ACCEPTED 1", report("x", "", executed("x", expected, "1 COMPLETED")))
		c.step(t, "a report that ends the waiting", "ACCEPTED 1", report("x", "", executed("x", "")))
		c.counts(t, "x", "1 Completed")

		c.step(t, "a partial one", "ACCEPTED 1", report("p", "", executed("p", `, "partial": true`, "1 TIMEOUT")))
		c.step(t, "the last one, without devices", "ACCEPTED 1", report("p2", "", executed("p", "")))
		c.counts(t, "p", "1 Timeout")
		c.step(t, "a device that is late", "ACCEPTED 1 AFTER_WHOLE",
			report("p3", "", executed("p", `, "partial": true`, "2 ERROR")))
		c.counts(t, "p", "1 Timeout")
		c.step(t, "a clock that is wrong", "ACCEPTED 2 ENDS_BEFORE_START",
			report("w", "", strings.Replace(executed("w", "", "1 ERROR"), "T09:31", "T08:31", 1)))
	})
}

// counts wants the number of devices and the result in the event of an operation.
func (c *claimsTest) counts(t *testing.T, id, want string) {
	t.Helper()
	a := c.Must(t, c.admin, `{ organization { events(first: 100, filter: {types: [OPERATION_EXECUTED]}) {
		nodes { variables } } } }`, nil)
	for i := range a.List(t, "organization.events.nodes") {
		path := fmt.Sprintf("organization.events.nodes.%d.variables.", i)
		if a.At(t, path+"operation_id") != id {
			continue
		}
		if got := a.At(t, path+"workspaces_count") + " " + a.At(t, path+"operation_result"); got != want {
			t.Errorf("the operation %s has %s, want %s", id, got, want)
		}
		return
	}
	t.Errorf("the operation %s has no event", id)
}

func TestClaimsOfReportingAboutNames(t *testing.T) {
	t.Parallel()
	c := newClaimsTest(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	at := func(time, name string) string {
		return fmt.Sprintf(`, "occurredAt": "2026-01-14T%s:00Z", "organizationName": %q`, time, name)
	}
	for _, tt := range []struct{ report, want string }{
		{report("1", "", alertNamed("")), "claims disk"},
		{report("2", at("10:00", "Ten"), alertNamed("Ten")), "Ten Ten"},
		{report("3", at("09:00", "Nine"), alertNamed("Nine")), "Ten Ten"},
		{report("4", at("11:00", "Eleven"), alertNamed("Eleven")), "Eleven Eleven"},
		{report("2", at("12:00", "Again"), alertNamed("Ten")), "Eleven Eleven"},
		{report("3", at("12:00", "Rejected"), alertNamed("Rejected")), "Eleven Eleven"},
		{report("5", at("12:00", ""), alertNamed("")), "Eleven Eleven"},
		{report("6", strings.Replace(at("12:00", "Future"), "2026", "2999", 1), alertNamed("Future")), "Future Future"},
		{report("7", `, "organizationName": "Now"`, alertNamed("Now")), "Now Now"},
	} {
		c.submit(t, c.portal, tt.report)
		a := c.Must(t, c.admin, `{ organization { name items(kind: ALERT) { nodes { name } } } }`, nil)
		got := a.At(t, "organization.name") + " " + a.At(t, "organization.items.nodes.0.name")
		if got != tt.want {
			t.Errorf("after %s the names are %s, want %s", tt.report, got, tt.want)
		}
	}
}

func TestClaimsOfReportingAboutKeysAndRaces(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		c := newClaimsTest(t, s)
		other := strings.Replace(report("k1", "", alertNamed("Disk")), `"claims"`, `"others"`, 1)
		got := c.submit(t, s.Key(t, delivery.PortalKey, "claims"), other, report("k2", "", alertNamed("Disk")))
		if want := []string{"REJECTED 0 NOT_FOUND", "ACCEPTED 1"}; !slices.Equal(got, want) {
			t.Errorf("with a key of one organization: %v, want %v", got, want)
		}
		const senders = 8
		var mu sync.Mutex
		count := make(map[string]int)
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				for _, got := range c.submit(t, c.portal, report("race", "", alertNamed("Disk"))) {
					mu.Lock()
					count[got]++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if count["ACCEPTED 1"] != 1 || count["DUPLICATE 1"] != senders-1 {
			t.Errorf("of %d senders of one report: %v, want one ACCEPTED, the others DUPLICATE", senders, count)
		}
	})
}

// The page has a row for the status and code of each refusal.
func TestClaimsOfReportingAboutRefusals(t *testing.T) {
	t.Parallel()
	c := newClaimsTest(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	page := docsPage(t, "reporting.md")
	fine := `{"query": "{ viewer { name } }", "variables": {"x": "` + strings.Repeat("x", 8<<20) + `"}}`
	for name, tt := range map[string]struct {
		key, contentType, body, row string
		status                      int
	}{
		"no JSON":         {c.portal, "", `{`, "| 200, 400 | BAD_USER_INPUT |", 400},
		"an unknown type": {c.portal, "", `{"query": "{ nothing }"}`, "| 200, 400 | BAD_USER_INPUT |", 200},
		"another role": {
			c.admin, "", `{"query": "mutation { ingestEvents(input: []) { userErrors { code } } }"}`,
			"| 200 | FORBIDDEN |", 200,
		},
		"a wrong key": {"phk_wrong", "", `{"query": "{ viewer { name } }"}`, "| 401 | UNAUTHENTICATED |", 401},
		"a long body": {c.portal, "", fine, "| 413 | LIMIT_EXCEEDED |", 413},
		"many values": {
			c.portal, "",
			`{"query": "{ viewer { name } }", "variables": {"x": [` + strings.Repeat("1,", 250_001) + `1]}}`,
			"| 200, 400 | LIMIT_EXCEEDED |", 400,
		},
		"other text": {c.portal, "text/plain", `{}`, "| 415 | BAD_USER_INPUT |", 415},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if tt.contentType != "" {
			req.Header.Set("Content-Type", tt.contentType)
		}
		req.Header.Set("Authorization", "Bearer "+tt.key)
		a := c.Exchange(t, req)
		if a.Status != tt.status || !strings.Contains(tt.row, " "+a.Code()+" ") || !strings.Contains(page, tt.row) {
			t.Errorf("%s: %d %.200s, want %d and the row %s of the page", name, a.Status, a.Body, tt.status, tt.row)
		}
	}
}

// The page has the limits that the server has, and every code of a warning.
func TestClaimsOfReportingAboutLimitsAndWarnings(t *testing.T) {
	t.Parallel()
	page := docsPage(t, "reporting.md")
	thousands := func(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
	for _, row := range []string{
		"| reports in a call | " + thousands(delivery.MaxReports) + " |",
		"| devices of a report | " + thousands(delivery.MaxWorkspaces) + " |",
		"| changes of an object | " + thousands(delivery.MaxChanges) + " |",
		fmt.Sprintf("| %d characters; %s characters; %d KiB; 2 KiB |",
			delivery.MaxIDLength, thousands(delivery.MaxNameLength), delivery.MaxTextSize>>10),
		fmt.Sprintf("has up to %d errors", delivery.MaxErrors),
		fmt.Sprintf("warnings, up to %d", delivery.MaxErrors),
	} {
		if !strings.Contains(page, row) {
			t.Errorf("the page lacks %q", row)
		}
	}
	for _, code := range []delivery.WarningCode{
		delivery.OrganizationRegistered, delivery.ItemRegistered, delivery.OtherValues, delivery.AfterWhole,
		delivery.EndsBeforeStart, delivery.NothingMatched,
	} {
		if !strings.Contains(page, "\n| "+string(code)+" | ") {
			t.Errorf("the page does not say what to do about %s", code)
		}
	}
}
