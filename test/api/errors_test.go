package api

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// Every error has one form: a code, the path of the input at fault, and a sentence.
// A path in the response is only that of a field.
func TestErrorsHaveOneForm(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	w := harness.NewWorld(t, s)
	report := func(change map[string]any) map[string]any {
		alert := map[string]any{"id": "disk", "name": "Disk", "start": "2026-01-14T09:30:58Z"}
		r := map[string]any{
			"organizationId": "canary-a", "sourceEventId": "s",
			"event": map[string]any{"activeAlert": map[string]any{"alert": alert}},
		}
		maps.Copy(r, change)
		return map[string]any{"in": []any{report0(), r}}
	}
	const ingest = `mutation ($in: [PortalEventInput!]!) { ingestEvents(input: $in) { results { status } } }`
	for name, tt := range map[string]struct {
		key, query string
		variables  map[string]any
		input      string // path
		path       string
		says       string
	}{
		"a misspelled field": {
			w.Portal, ingest, report(map[string]any{"ocurredAt": "2026-01-14T09:30:58Z"}),
			"[in 1 ocurredAt]", "[]", "Did you mean occurredAt?",
		},
		"a missing field": {
			w.Portal, ingest, report(map[string]any{"event": map[string]any{"activeAlert": map[string]any{}}}),
			"[in 1 event activeAlert alert]", "[]", "ActiveAlertInput.alert is required",
		},
		"an unknown value in a variable": {
			w.A.Admin,
			`query ($s: [DeliveryState!]) { organization { deliveries(filter: {states: $s}) { nodes { id } } } }`,
			map[string]any{"s": []any{"QUEUED", "LATE"}},
			"[s 1]", "[]", `"LATE" is not a value of DeliveryState, which are QUEUED`,
		},
		"a missing variable": {
			w.A.Admin, `query ($id: ID!) { node(id: $id) { id } }`, nil, "[id]", "[]", "The variable $id is required",
		},
		"an operation that is not there": {
			w.A.Admin, `query A { viewer { name } } query B { viewer { name } }`, nil, "[]", "[]", "one of A and B",
		},
		"a bad time in a filter": {
			w.A.Admin,
			`query ($t: Time) { organization { name deliveries(filter: {createdAfter: $t}) { nodes { id } } } }`,
			map[string]any{"t": "yesterday"},
			"[filter createdAfter]", "[organization deliveries]", "RFC 3339",
		},
		"a bad id in a filter": {
			w.A.Admin, `{ organization { deliveries(filter: {webhookIds: ["wh_1"]}) { nodes { id } } } }`, nil,
			"[filter webhookIds 0]", "[organization deliveries]", "is not the id of a webhook",
		},
		"a page that is too long": {
			w.A.Admin, `{ organization { events(first: 1000) { nodes { id } } } }`, nil,
			"[first]", "[organization events]", "1 to 100",
		},
		"no organization named": {
			w.Operator, `{ organization { name } }`, nil, "[id]", "[organization]", "Say which organization",
		},
		"no organization that a key of Portal may read": {
			w.Portal, `{ organization { name } }`, nil, "[]", "[organization]", "reads nothing",
		},
		"a preview with an id that is none": {
			w.A.Admin, `{ previewMessage(input: {eventType: ACTIVE_ALERT, eventId: "evt_1"}) { message } }`, nil,
			"[input eventId]", "[previewMessage]", "is not the id of an event",
		},
		"a preview with an event that is not there": {
			w.A.Admin, `query ($e: ID!) { previewMessage(input: {eventType: ACTIVE_ALERT, eventId: $e}) { message } }`,
			map[string]any{"e": harness.Ghosts["event"]},
			"[input eventId]", "[previewMessage]", "",
		},
	} {
		a := w.Ask(t, tt.key, tt.query, tt.variables)
		if len(a.Errors) != 1 {
			t.Errorf("%s: got %s, want one error", name, a.Body)
			continue
		}
		e := a.Errors[0]
		if got := fmt.Sprint(e.Extensions.InputPath); got != tt.input {
			t.Errorf("%s: the input path is %s, want %s: %s", name, got, tt.input, a.Body)
		}
		if got := fmt.Sprint(e.Path); got != tt.path {
			t.Errorf("%s: the path is %s, want %s: %s", name, got, tt.path, a.Body)
		}
		if !strings.Contains(e.Message, tt.says) || !strings.ContainsAny(e.Message[len(e.Message)-1:], ".?") {
			t.Errorf("%s: says %q, want a sentence with %q", name, e.Message, tt.says)
		}
		if e.Extensions.Code == "" || e.Extensions.Code == "INTERNAL" {
			t.Errorf("%s: got %s, want a code of the caller's mistake", name, a.Body)
		}
	}
}

// report0 is a report that is right.
func report0() map[string]any {
	return map[string]any{
		"organizationId": "canary-a", "sourceEventId": "right",
		"event": map[string]any{"activeAlert": map[string]any{
			"alert": map[string]any{"id": "disk", "name": "Disk", "start": "2026-01-14T09:30:58Z"},
		}},
	}
}

// A wrong organization is named in the input of a mutation, whether it is there or
// not.
func TestWrongOrganizationIsNamed(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	w := harness.NewWorld(t, s)
	for _, id := range []string{
		w.B.Names["organization"], w.B.Names["externalId"], harness.Ghosts["organization"], "none",
	} {
		a := w.Ask(t, w.A.Admin, `mutation ($id: ID!) { createWebhook(input: {organizationId: $id, name: "x",
			eventType: ACTIVE_ALERT, targetUrl: "https://example.com/", selection: {all: true}}) {
			userErrors { code field message } } }`, map[string]any{"id": id})
		if a.Find("createWebhook.userErrors.0.code") != "NOT_FOUND" ||
			a.Find("createWebhook.userErrors.0.field") != "organizationId" {
			t.Errorf("%s: got %s, want NOT_FOUND of organizationId", id, a.Body)
		}
	}
}

// Introspection is what the specification says: a list that a kind of type does
// not have is null, and a directive that is refused is not announced.
func TestIntrospectionFollowsTheSpecification(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	key := s.Key(t, delivery.AdminKey, "acme")
	a := s.Must(t, key, `{ __schema { directives { name } types { kind name
		fields { name } interfaces { name } possibleTypes { name }
		enumValues { name } inputFields { name } } } }`, nil)
	for i := range a.List(t, "__schema.directives") {
		if name := a.At(t, fmt.Sprintf("__schema.directives.%d.name", i)); name == "defer" {
			t.Error("the schema announces @defer, which is refused")
		}
	}
	has := map[string]string{
		"OBJECT": "fields interfaces", "INTERFACE": "fields interfaces possibleTypes", "UNION": "possibleTypes",
		"ENUM": "enumValues", "INPUT_OBJECT": "inputFields", "SCALAR": "",
	}
	for i := range a.List(t, "__schema.types") {
		at := fmt.Sprintf("__schema.types.%d.", i)
		kind := a.At(t, at+"kind")
		for _, list := range []string{"fields", "interfaces", "possibleTypes", "enumValues", "inputFields"} {
			if isNull := a.Find(at+list) == nil; isNull == strings.Contains(has[kind], list) {
				t.Errorf("%s of %s, a %s: null is %t", list, a.At(t, at+"name"), kind, isNull)
			}
		}
	}
	if got := s.Ask(t, key, `{ ... @defer { viewer { name } } }`, nil); got.Code() != "BAD_USER_INPUT" {
		t.Errorf("@defer: got %s, want BAD_USER_INPUT", got.Body)
	}
}
