package harness

import (
	"context"
	"fmt"
	"testing"

	"portalhooks/delivery"
)

// Names gives the things of one organization by what they are: ids, cursors
// and Portal's own ids.
type Names map[string]string

// A Tenant is an organization in full use: every list has entries.
type Tenant struct {
	Names
	Admin, Viewer, Portal string // API keys
}

// A World has two organizations, which must not know of each other, and people
// of the platform. Everything that is a's carries the mark "canary".
type World struct {
	*APIServer
	A, B             Tenant
	Operator, Portal string
}

// Ghosts are ids of the right form that nothing has.
var Ghosts = Names{
	"organization": delivery.OrgID(1).String(), "externalId": "nobody", "item": delivery.ItemID(1).String(),
	"itemExternalId": "no-item", "webhook": delivery.WebhookID(1).String(),
	"version": delivery.VersionID(1).String(),
	"event":   delivery.EventID(1).String(), "delivery": delivery.DeliveryID(1).String(),
	"attempt": delivery.LogID(1).
		String(),
	"group": "00000000000000000000000000000000", "workspaceId": "no-device",
	"sourceEventId": "no-report", "key": delivery.KeyID(1).String(),
	"adminKey": delivery.KeyID(1).String(), "text": "no such text",
}

// NewWorld fills a server with two organizations.
func NewWorld(t *testing.T, s *APIServer) *World {
	t.Helper()
	w := &World{
		APIServer: s,
		Operator:  s.Key(t, delivery.OperatorKey, ""), Portal: s.Key(t, delivery.PortalKey, ""),
	}
	w.A = w.settle(t, "canary-a")
	w.B = w.settle(t, "tenant-b")
	return w
}

// settle makes an organization that uses everything.
func (w *World) settle(t *testing.T, id string) Tenant {
	t.Helper()
	o := Tenant{
		Names: Names{
			"externalId": id, "itemExternalId": id + "-disk", "workspaceId": id + "-ws", "text": id + " device",
			"sourceEventId": id + "-report-0",
		},
		Admin: w.Key(t, delivery.AdminKey, id), Viewer: w.Key(t, delivery.ViewerKey, id),
		Portal: w.Key(t, delivery.PortalKey, id),
	}
	w.Key(t, delivery.ViewerKey, id) // to spare
	w.Must(t, w.Portal, `mutation ($o: ID!, $items: [SyncItemInput!]!) {
		syncItems(input: {organizationId: $o, kind: ALERT, items: $items}) { created userErrors { message } } }`,
		map[string]any{"o": id, "items": []any{
			map[string]any{"id": id + "-disk", "name": id + " Disk full", "attributes": map[string]any{"group": id}},
			map[string]any{"id": id + "-fan", "name": id + " Fan stopped"},
			map[string]any{"id": id + "-ups", "name": id + " On battery"},
		}})
	for i, selection := range []map[string]any{{"all": true}, {"externalIds": []string{id + "-disk"}}} {
		made := w.Must(t, o.Admin, `mutation ($in: CreateWebhookInput!) {
			createWebhook(input: $in) { webhook { id } userErrors { message } } }`,
			map[string]any{"in": map[string]any{
				"organizationId": id, "name": fmt.Sprintf("%s hook %d", id, i), "eventType": "ACTIVE_ALERT",
				"targetUrl": w.Receiver + "/" + id + "?token=" + id + "-token", "selection": selection,
				"template": fmt.Sprintf(`{"n": "%d", "alert": "#alert_name"}`, i),
				"headers":  []any{map[string]any{"name": "X-Key", "value": id + "-header"}},
			}})
		o.Names["webhook"] = made.At(t, "createWebhook.webhook.id")
	}
	w.Must(t, o.Admin, `mutation ($in: UpdateWebhookInput!) {
		updateWebhook(input: $in) { userErrors { message } } }`,
		map[string]any{"in": map[string]any{"id": o.Names["webhook"], "expectedVersion": 1, "name": id + " hook"}})
	w.Report(t, id, 0, 3)
	w.lookUp(t, &o)
	return o
}

// Report reports alerts of an organization, numbered from the first, and waits
// until their deliveries are done.
func (w *World) Report(t *testing.T, id string, first, n int) {
	t.Helper()
	reports := make([]any, n)
	for i := range reports {
		reports[i] = map[string]any{
			"organizationId": id, "sourceEventId": fmt.Sprintf("%s-report-%d", id, first+i),
			"event": map[string]any{"activeAlert": map[string]any{
				"alert": map[string]any{
					"id": id + "-disk", "name": id + " Disk full", "start": "2026-01-14T09:30:58Z",
					"information": id + " has no room",
				},
				"workspace": map[string]any{"id": id + "-ws", "name": id + " device"},
			}},
		}
	}
	a := w.Must(t, w.Portal, `mutation ($in: [PortalEventInput!]!) {
		ingestEvents(input: $in) { results { status eventIds } userErrors { message } } }`,
		map[string]any{"in": reports})
	if got := a.At(t, "ingestEvents.results.0.status"); got != "ACCEPTED" {
		t.Fatalf("ingest: %s", a.Body)
	}
	err := Eventually(t.Context(), id+"'s deliveries are done", func(context.Context) (bool, error) {
		a := w.Must(t, w.Operator, `query ($o: ID!) { organization(id: $o) {
			deliveries(first: 1, filter: {states: [QUEUED, SENDING, RETRYING]}) { nodes { id } } } }`,
			map[string]any{"o": id})
		return len(a.List(t, "organization.deliveries.nodes")) == 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lookUp finds the ids and cursors of what an organization has.
func (w *World) lookUp(t *testing.T, o *Tenant) {
	t.Helper()
	a := w.Must(t, o.Admin, `query ($o: ID!, $w: ID!) {
		organization(id: $o) {
			id
			webhooks(first: 1) { edges { cursor } }
			items(kind: ALERT, first: 1) { edges { cursor node { id } } }
			events(first: 1) { edges { cursor node { id group } } }
			deliveries(first: 1) { edges { cursor node { id attempts { id } } } }
		}
		keys: organization(id: $o) { apiKeys { id } auditLog(first: 1) { edges { cursor node { id } } } }
		organizations(first: 1) { edges { cursor } }
		node(id: $w) { ... on Webhook { versions(first: 1) { edges { cursor node { id } } } } }
	}`, map[string]any{"o": o.Names["externalId"], "w": o.Names["webhook"]})
	for name, path := range map[string]string{
		"organization":       "organization.id",
		"webhookCursor":      "organization.webhooks.edges.0.cursor",
		"item":               "organization.items.edges.0.node.id",
		"itemCursor":         "organization.items.edges.0.cursor",
		"event":              "organization.events.edges.0.node.id",
		"eventCursor":        "organization.events.edges.0.cursor",
		"group":              "organization.events.edges.0.node.group",
		"delivery":           "organization.deliveries.edges.0.node.id",
		"deliveryCursor":     "organization.deliveries.edges.0.cursor",
		"attempt":            "organization.deliveries.edges.0.node.attempts.0.id",
		"key":                "keys.apiKeys.0.id",
		"adminKey":           "keys.apiKeys.3.id",
		"audit":              "keys.auditLog.edges.0.node.id",
		"auditCursor":        "keys.auditLog.edges.0.cursor",
		"organizationCursor": "organizations.edges.0.cursor",
		"version":            "node.versions.edges.0.node.id",
		"versionCursor":      "node.versions.edges.0.cursor",
	} {
		o.Names[name] = a.At(t, path)
	}
}
