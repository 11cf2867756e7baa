package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Whoever may read a webhook sees since when it fails and when it will be
// disabled for that, as long as both are so.
func TestHealthSaysWhenAWebhookWillBeDisabled(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, s *apiServer) {
		w := newWorld(t, s)
		made := w.must(t, w.b.admin, `mutation ($in: CreateWebhookInput!) {
			createWebhook(input: $in) { webhook { id } userErrors { message } } }`,
			map[string]any{"in": map[string]any{
				"organizationId": "tenant-b", "name": "Broken", "eventType": "ACTIVE_ALERT",
				"targetUrl": strings.Replace(w.receiver, "http:", "https:", 1), "selection": map[string]any{"all": true},
				"policy": map[string]any{"retrySeconds": []int{1}},
			}})
		broken := map[string]any{"id": made.at(t, "createWebhook.webhook.id")}
		const query = `query ($id: ID!) { node(id: $id) { ... on Webhook { health { failingSince disablesAt } } } }`
		w.report(t, "tenant-b", 70, 1)

		var since, until string
		err := eventually(t.Context(), "the webhook fails", func(context.Context) (bool, error) {
			a := w.must(t, w.b.viewer, query, broken)
			since, _ = a.find("node.health.failingSince").(string)
			until, _ = a.find("node.health.disablesAt").(string)
			return since != "", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.Parse(time.RFC3339, since)
		if err != nil {
			t.Fatal(err)
		}
		if to, err := time.Parse(time.RFC3339, until); err != nil || to.Sub(from) != 5*24*time.Hour {
			t.Errorf("it fails since %s and will be disabled at %s, want that five days later", since, until)
		}
		fine := w.must(t, w.b.viewer, query, map[string]any{"id": w.b.names["webhook"]})
		if got := fine.find("node.health.disablesAt"); got != nil {
			t.Errorf("one that works will be disabled at %v", got)
		}
		if got := w.ask(t, w.a.viewer, query, broken).find("node"); got != nil {
			t.Errorf("another organization sees %v", got)
		}
		w.must(t, w.b.admin, `mutation ($id: ID!) {
			setWebhookStatus(input: {id: $id, status: DISABLED}) { userErrors { message } } }`, broken)
		if got := w.must(t, w.b.viewer, query, broken).find("node.health.disablesAt"); got != nil {
			t.Errorf("a disabled one will be disabled at %v", got)
		}
	})
}
