package api

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// TestRefusals sends what the API refuses, and wants the code and the argument
// to blame.
func TestRefusals(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		w.B.Names["tampered"] = w.B.Names["webhookCursor"][:12] + "AAAAAA"
		of := func(field string) string { return `{ organization(id: ~organization) { ` + field + ` } }` }
		for name, tt := range map[string]struct{ query, code, field string }{
			"more than a page": {of(`webhooks(first: 101) { totalCount }`), "LIMIT_EXCEEDED", "first"},
			"more than a page from the end": {
				of(`deliveries(last: 101) { nodes { id } }`), "LIMIT_EXCEEDED", "last",
			},
			"none of a page":              {of(`items(kind: ALERT, first: 0) { totalCount }`), "LIMIT_EXCEEDED", "first"},
			"less than none":              {of(`events(first: -1) { nodes { id } }`), "LIMIT_EXCEEDED", "first"},
			"both ends":                   {of(`webhooks(first: 1, last: 1) { totalCount }`), "BAD_USER_INPUT", "last"},
			"a page beyond 32 bits":       {of(`webhooks(first: 2147483648) { totalCount }`), "BAD_USER_INPUT", ""},
			"a cursor that is none":       {of(`webhooks(after: "x") { totalCount }`), "BAD_USER_INPUT", "after"},
			"a cursor with other letters": {of(`events(after: "#ü") { nodes { id } }`), "BAD_USER_INPUT", "after"},
			"a cursor of another list":    {of(`webhooks(after: ~itemCursor) { totalCount }`), "BAD_USER_INPUT", "after"},
			"a cursor of another list by id": {
				of(`events(after: ~deliveryCursor) { nodes { id } }`), "BAD_USER_INPUT", "after",
			},
			"a cursor that was changed": {of(`webhooks(after: ~tampered) { totalCount }`), "BAD_USER_INPUT", "after"},
			"a cursor before": {
				of(`deliveries(last: 1, before: "x") { nodes { id } }`), "BAD_USER_INPUT", "before",
			},
			"an id that is none in a filter": {
				of(`deliveries(filter: {webhookIds: ["wh_1"]}) { nodes { id } }`),
				"BAD_USER_INPUT", "filter.webhookIds.0",
			},
			"an id of another type in a filter": {
				of(`events(filter: {itemId: ~webhook}) { nodes { id } }`), "BAD_USER_INPUT", "filter.itemId",
			},
			"a text that is too long in a filter": {
				of(`deliveries(filter: {text: "` + strings.Repeat("a", 201) + `"}) { nodes { id } }`),
				"BAD_USER_INPUT", "filter.text",
			},
			"no organization named": {`{ organization { id } }`, "BAD_USER_INPUT", "id"},
			"too many nodes": {
				`{ nodes(ids: [` + strings.Repeat(`"x",`, delivery.MaxPageSize+1) + `]) { id } }`, "LIMIT_EXCEEDED", "ids",
			},
			"lists in lists": {
				`{ organizations(first: 100) { nodes { webhooks(first: 100) { nodes { id } } } } }`, "LIMIT_EXCEEDED", "",
			},
			"lists in lists by the default": {
				`{ organizations { nodes { events { nodes { deliveries { nodes { id } } } } } } }`, "LIMIT_EXCEEDED", "",
			},
			"lists in lists by edges": {
				of(`webhooks(first: 50) { edges { node { deliveries(first: 100) { edges { node { id } } } } } }`),
				"LIMIT_EXCEEDED", "",
			},
			"two ingests in one mutation": {
				`mutation { a: ingestEvents(input: []) { results { status } } b: ingestEvents(input: []) { results { status } } }`,
				"LIMIT_EXCEEDED", "",
			},
			"too many root fields": {
				"{ " + manyTimes(21, func(i int) string { return fmt.Sprintf("f%d: viewer { name } ", i) }) + "}", "LIMIT_EXCEEDED", "",
			},
		} {
			key := w.B.Admin
			if name == "no organization named" || strings.HasPrefix(name, "lists") {
				key = w.Operator
			}
			a := w.Ask(t, key, fill(tt.query, nil, w.B.Names), nil)
			if a.Code() != tt.code {
				t.Errorf("%s: got %s, want %s", name, a.Body, tt.code)
			} else if got := joined(a.Errors[0].Extensions.InputPath); got != tt.field {
				t.Errorf("%s: the fault is in %q, want %q", name, got, tt.field)
			}
		}
	})
}

// joined returns an input path as the table has it.
func joined(steps []any) string {
	texts := make([]string, len(steps))
	for i, step := range steps {
		texts[i] = fmt.Sprint(step)
	}
	return strings.Join(texts, ".")
}

func manyTimes(n int, text func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(text(i))
	}
	return b.String()
}

// TestUsefulQueriesAreCheapEnough proves that the limits leave room for what
// clients ask.
func TestUsefulQueriesAreCheapEnough(t *testing.T) {
	t.Parallel()
	w := harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	for _, query := range []string{
		`{ organization(id: ~organization) { deliveries(first: 100) { nodes { id state createdAt webhook { id name }
			event { id item { name } } attempts { outcome httpStatus } } pageInfo { endCursor } } } }`,
		`{ organization(id: ~organization) { webhooks(first: 100) { totalCount nodes { id name targetUrl status
			eventType { name } health { lastSuccessAt pending } } pageInfo { endCursor } } } }`,
	} {
		w.Must(t, w.B.Admin, fill(query, nil, w.B.Names), nil)
	}
}

// TestUnknownIDs asks for things by ids of every wrong form.
func TestUnknownIDs(t *testing.T) {
	t.Parallel()
	w := harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	real := w.B.Names["webhook"]
	wrong := []string{
		"", "_", "x", "wh_", "wh_1", "x_" + real, real + "0", real[:len(real)-1], strings.ToUpper(real),
		"dlv_" + strings.TrimPrefix(
			real, "wh_",
		), "wh_zzzzzzzzzzzzz", "wh_0000000000000", "type_NOTHING", "key_" + real[3:],
		"wh_\u0000", strings.Repeat("w", 10_000), "org_" + strings.Repeat("é", 13),
	}
	for _, id := range wrong {
		a := w.Ask(t, w.B.Admin, `query ($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": id})
		if got := verdict(a); got != hidden {
			t.Errorf("node(%.40q): got %s, want null", id, a.Body)
		}
	}
	all := w.Must(t, w.B.Admin, `query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`,
		map[string]any{"ids": append(wrong, real, "type_ACTIVE_ALERT")})
	nodes := all.List(t, "nodes")
	found := fmt.Sprintf("nodes.%d.id", len(wrong))
	if len(nodes) != len(wrong)+2 || nodes[0] != nil || all.At(t, found) != real {
		t.Errorf("nodes: got %s", all.Body)
	}
	for mutation, input := range map[string]map[string]any{
		"deleteWebhook(input: $in) { userErrors { code field } } } # DeleteWebhookInput":             {},
		"rotateWebhookSecret(input: $in) { userErrors { code field } } } # RotateWebhookSecretInput": {},
		"setWebhookStatus(input: $in) { userErrors { code field } } } # SetWebhookStatusInput":       {"status": "ENABLED"},
		"updateWebhook(input: $in) { userErrors { code field } } } # UpdateWebhookInput":             {"expectedVersion": 1},
	} {
		field, inputType, _ := strings.Cut(mutation, " # ")
		in := maps.Clone(input)
		in["id"] = "wh_1"
		a := w.Ask(t, w.B.Admin, "mutation ($in: "+inputType+"!) { "+field, map[string]any{"in": in})
		if got := verdict(a); got != "INVALID" || !bytes.Contains(a.Body, []byte(`"field":"id"`)) {
			t.Errorf("%s: got %s, want INVALID of id", inputType, a.Body)
		}
	}
}

// TestBodyLimits proves that only Portal may send much.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	portal, admin := s.Key(t, delivery.PortalKey, ""), s.Key(t, delivery.AdminKey, "somebody")
	for name, tt := range map[string]struct {
		key    string
		size   int
		status int
	}{
		"an admin, 1 MiB":              {admin, 1 << 20, http.StatusOK},
		"an admin, one byte more":      {admin, 1<<20 + 1, http.StatusRequestEntityTooLarge},
		"without a key, one byte more": {"", 1<<20 + 1, http.StatusRequestEntityTooLarge},
		"Portal, much more":            {portal, 1<<20 + 1, http.StatusOK},
		"Portal, 8 MiB":                {portal, 8 << 20, http.StatusOK},
		"Portal, 8 MiB and one byte ":  {portal, 8<<20 + 1, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			const start, end = `{"query":"{ viewer { name } }","variables":{"x":"`, `"}}`
			body := start + strings.Repeat("x", tt.size-len(start)-len(end)) + end
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if tt.key != "" {
				req.Header.Set("Authorization", "Bearer "+tt.key)
			}
			a := s.Exchange(t, req)
			if a.Status != tt.status || (tt.status != http.StatusOK) != (a.Code() == "LIMIT_EXCEEDED") {
				t.Errorf("got %d %s, want %d", a.Status, a.Body, tt.status)
			}
		})
	}
}
