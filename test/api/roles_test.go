package api

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/graph"
	"portalhooks/test/harness"
)

// What a role gets as the answer to an operation.
const (
	allowed         = "" // no error
	forbidden       = "FORBIDDEN"
	hidden          = "null" // as if there were no such thing
	unauthenticated = "UNAUTHENTICATED"
)

// An operation is a line of the table of roles. Refused codes are those of
// top-level errors, or, for a hidden thing that is to be changed, of
// userErrors.
type operation struct {
	query                           string
	admin, viewer, operator, portal string
}

// operations has every query and mutation; names are a's.
var operations = map[string]operation{
	"Query.viewer":       {`{ viewer { name } }`, allowed, allowed, allowed, allowed},
	"Query.eventTypes":   {`{ eventTypes { id } }`, allowed, allowed, allowed, allowed},
	"Query.eventType":    {`{ eventType(name: ACTIVE_ALERT) { id } }`, allowed, allowed, allowed, allowed},
	"Query.organization": {`{ organization(id: @organization) { id } }`, allowed, allowed, allowed, hidden},
	"Query.organizations": {
		`{ organizations { nodes { id } } }`, allowed, allowed, allowed, allowed,
	},
	"Query.node":         {`{ node(id: @webhook) { id } }`, allowed, allowed, allowed, hidden},
	"Query.nodes":        {`{ nodes(ids: [@event]) { id } }`, allowed, allowed, allowed, allowed},
	"Query.deliveries":   {`{ deliveries { nodes { id } } }`, forbidden, forbidden, allowed, forbidden},
	"Query.systemStatus": {`{ systemStatus { database } }`, forbidden, forbidden, allowed, forbidden},
	"Query.previewMessage": {
		`{ previewMessage(input: {organizationId: @organization, eventType: ACTIVE_ALERT}) { message } }`,
		allowed, allowed, allowed, "NOT_FOUND",
	},
	"Mutation.ingestEvents": {
		`mutation { ingestEvents(input: []) { userErrors { code } } }`, forbidden, forbidden, forbidden, allowed,
	},
	"Mutation.syncItems": {
		`mutation { syncItems(input: {organizationId: @externalId, kind: OBJECT, items: []}) { userErrors { code } } }`,
		forbidden, forbidden, forbidden, allowed,
	},
	"Mutation.createWebhook": {
		`mutation { createWebhook(input: {organizationId: @externalId, name: "new", eventType: OBJECT_CREATED,
			targetUrl: "https://example.com/x", selection: {all: true}}) { userErrors { code } } }`,
		allowed, forbidden, forbidden, "NOT_FOUND",
	},
	"Mutation.updateWebhook": {
		`mutation { updateWebhook(input: {id: @webhook, expectedVersion: 2, name: "changed"}) { userErrors { code } } }`,
		allowed, forbidden, forbidden, "NOT_FOUND",
	},
	"Mutation.rotateWebhookSecret": {
		`mutation { rotateWebhookSecret(input: {id: @webhook}) { userErrors { code } } }`,
		allowed, forbidden, forbidden, "NOT_FOUND",
	},
	"Mutation.testWebhook": {
		`mutation { testWebhook(input: {webhookId: @webhook}) { userErrors { code } } }`,
		allowed, forbidden, forbidden, "NOT_FOUND",
	},
	"Mutation.redeliver": {
		`mutation { redeliver(input: {ids: [@delivery]}) { userErrors { code } } }`,
		allowed, forbidden, allowed, "NOT_FOUND",
	},
	"Mutation.setWebhookStatus": {
		`mutation { setWebhookStatus(input: {id: @webhook, status: ENABLED}) { userErrors { code } } }`,
		allowed, forbidden, forbidden, "NOT_FOUND",
	},
	"Query.auditLog": {`{ auditLog { nodes { id } } }`, forbidden, forbidden, allowed, forbidden},
	"Mutation.createApiKey": {
		`mutation { createApiKey(input: {organizationId: @externalId, name: "x", role: PORTAL}) {
			key userErrors { code } } }`,
		allowed, forbidden, forbidden, "NOT_FOUND",
	},
	"Mutation.revokeApiKey": {
		`mutation { revokeApiKey(input: {id: @key}) { userErrors { code } } }`,
		allowed, forbidden, allowed, "NOT_FOUND",
	},
	"Organization.apiKeys": {
		`{ organization(id: @organization) { apiKeys { id } } }`, allowed, forbidden, allowed, hidden,
	},
	"Organization.auditLog": {
		`{ organization(id: @organization) { auditLog { nodes { id } } } }`, allowed, forbidden, allowed, hidden,
	},
	"Mutation.deleteWebhook": {
		`mutation { deleteWebhook(input: {id: @webhook}) { userErrors { code } } }`,
		allowed, forbidden, forbidden, "NOT_FOUND",
	},
}

// A page asks for several things at once. What its caller may not see is null,
// with an error, and does not take the rest of the answer with it.
func TestForbiddenFieldLeavesTheRestOfTheAnswer(t *testing.T) {
	t.Parallel()
	schema := apiSchema()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	w := harness.NewWorld(t, s)
	for name, op := range operations {
		root, field, _ := strings.Cut(name, ".")
		answers := []string{op.admin, op.viewer, op.operator, op.portal}
		if root == "Mutation" || !slices.Contains(answers, forbidden) {
			continue
		}
		if schema.Types[root].Fields.ForName(field).Type.NonNull {
			t.Errorf("%s is not nullable, and may be FORBIDDEN", name)
		}
		query := strings.Replace(fill(op.query, w.A.Names, w.A.Names), "{", "{ viewer { name }", 1)
		if root == "Organization" {
			query = strings.Replace(query, "{ "+field, "{ name "+field, 1)
		}
		a := w.Ask(t, w.A.Viewer, query, nil)
		if a.Code() != forbidden || a.Find("viewer.name") == nil ||
			root == "Organization" && a.Find("organization.name") == nil {
			t.Errorf("%s by a viewer: got %s, want FORBIDDEN beside the rest of the answer", name, a.Body)
		}
	}
}

// verdict sums an answer up in the words of the table.
func verdict(a *harness.Answer) string {
	if code := a.Code(); code != "" {
		return code
	}
	for _, field := range a.Data {
		payload, ok := field.(map[string]any)
		if field == nil {
			return hidden
		}
		if problems, _ := payload["userErrors"].([]any); ok && len(problems) > 0 {
			return (&harness.Answer{Data: payload}).Find("userErrors.0.code").(string)
		}
	}
	return allowed
}

func TestRoles(t *testing.T) {
	t.Parallel()
	schema := apiSchema()
	for _, root := range []string{"Query", "Mutation"} {
		for _, field := range schema.Types[root].Fields {
			if _, ok := operations[root+"."+field.Name]; !ok && !strings.HasPrefix(field.Name, "__") {
				t.Errorf("%s.%s is not in the table of roles", root, field.Name)
			}
		}
	}
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		// Roles that change something come last: first nothing is changed.
		for _, name := range slices.Sorted(maps.Keys(operations)) {
			op := operations[name]
			query := fill(op.query, w.A.Names, w.A.Names)
			for _, by := range []struct{ role, key, want string }{
				{"an unauthenticated caller", "", unauthenticated},
				{"a viewer", w.A.Viewer, op.viewer},
				{"Portal", w.Portal, op.portal},
				{"Portal for one", w.A.Portal, op.portal},
				{"an operator", w.Operator, op.operator},
			} {
				a := w.Ask(t, by.key, query, nil)
				if got := verdict(a); got != by.want {
					t.Errorf("%s by %s: got %q, want %q: %s", name, by.role, got, by.want, a.Body)
				}
				told := name != "Query.viewer" && strings.Contains(string(a.Body), "canary")
				if strings.HasPrefix(by.role, "Portal") && told {
					t.Errorf("%s tells Portal: %s", name, a.Body)
				}
			}
		}
		const last = "Mutation.deleteWebhook"
		order := slices.Sorted(maps.Keys(operations))
		order = slices.DeleteFunc(order, func(name string) bool { return name == last })
		for _, name := range append(order, last) {
			a := w.Ask(t, w.A.Admin, fill(operations[name].query, w.A.Names, w.A.Names), nil)
			if got := verdict(a); got != operations[name].admin {
				t.Errorf("%s by an admin: got %q, want %q: %s", name, got, operations[name].admin, a.Body)
			}
		}
	})
}

// TestThingsOfTwoOrganizationsDoNotMix asks as an operator, who may see both.
func TestThingsOfTwoOrganizationsDoNotMix(t *testing.T) {
	t.Parallel()
	w := harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	for _, with := range []string{"webhookId: @webhook", "eventId: @event"} {
		query := `{ previewMessage(input: {
			organizationId: ~organization, eventType: ACTIVE_ALERT, ` + with + `}) { message } }`
		if got := verdict(w.Ask(t, w.Operator, fill(query, w.B.Names, w.B.Names), nil)); got != allowed {
			t.Errorf("%s of the same organization: got %q", with, got)
		}
		if got := verdict(w.Ask(t, w.Operator, fill(query, w.A.Names, w.B.Names), nil)); got != "NOT_FOUND" {
			t.Errorf("%s of another organization: got %q, want NOT_FOUND", with, got)
		}
	}
}

func TestUnauthenticatedCallersDoNotWatch(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	org := s.Key(t, "admin", "somebody") // so that there is an organization
	const query = `subscription { deliveryLog(organizationId: "somebody") { __typename } }`
	for role, by := range map[string]struct{ key, want string }{
		"an unauthenticated caller": {"", unauthenticated}, "Portal": {s.Key(t, "portal", ""), "NOT_FOUND"},
		"another organization's admin": {s.Key(t, "admin", "else"), "NOT_FOUND"},
	} {
		if sent := watchLog(s, t, by.key, query); len(sent) != 1 || !strings.Contains(sent[0], `"`+by.want+`"`) {
			t.Errorf("%s is told %q, want %s", role, sent, by.want)
		}
	}
	if got := s.Ask(t, org, query, nil); got.Status != http.StatusNotAcceptable {
		t.Errorf("a subscription in a single answer: %d %s, want 406", got.Status, got.Body)
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	development := httptest.NewServer(graph.New(s.Service, graph.Options{
		Authenticate: s.Auth, Development: true, Logger: s.Log, Registry: prometheus.NewRegistry(),
	}))
	t.Cleanup(development.Close)
	const query = `{ __schema { queryType { name } } }`
	if got := verdict(s.Ask(t, "", query, nil)); got != forbidden {
		t.Errorf("without a key, the schema in production: got %q, want %q", got, forbidden)
	}
	if got := verdict(s.Ask(t, s.Key(t, "portal", ""), query, nil)); got != allowed {
		t.Errorf("with a key, the schema in production: got %q", got)
	}
	open := &harness.APIServer{App: s.App, URL: development.URL, Client: s.Client}
	if got := verdict(open.Ask(t, "", query, nil)); got != allowed {
		t.Errorf("without a key, the schema in development: got %q", got)
	}
	if got := verdict(open.Ask(t, "", `{ eventTypes { id } }`, nil)); got != unauthenticated {
		t.Errorf("without a key, anything else: got %q, want %q", got, unauthenticated)
	}
	for _, key := range []string{"phk_nonsense", "phk_00000000" + strings.Repeat("0", 43)} {
		got := open.Ask(t, key, query, nil)
		if got.Status != http.StatusUnauthorized || verdict(got) != unauthenticated {
			t.Errorf("a wrong key: %d %q, want 401 %s", got.Status, verdict(got), unauthenticated)
		}
	}
}
