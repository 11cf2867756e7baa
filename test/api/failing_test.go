package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"portalhooks/test/harness"
)

// Callers that may read a webhook see since when it fails and when it will be
// disabled, as long as it is failing and enabled.
func TestHealthSaysWhenAWebhookWillBeDisabled(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		made := w.Must(t, w.B.Admin, `mutation ($in: CreateWebhookInput!) {
			createWebhook(input: $in) { webhook { id } userErrors { message } } }`,
			map[string]any{"in": map[string]any{
				"organizationId": "tenant-b", "name": "Broken", "eventType": "ACTIVE_ALERT",
				"targetUrl": strings.Replace(w.Receiver, "http:", "https:", 1), "selection": map[string]any{"all": true},
				"policy": map[string]any{"retrySeconds": []int{1}},
			}})
		broken := map[string]any{"id": made.At(t, "createWebhook.webhook.id")}
		const query = `query ($id: ID!) { node(id: $id) { ... on Webhook { health { failingSince disablesAt } } } }`
		w.Report(t, "tenant-b", 70, 1)

		var since, until string
		err := harness.Eventually(t.Context(), "the webhook fails", func(context.Context) (bool, error) {
			a := w.Must(t, w.B.Viewer, query, broken)
			since, _ = a.Find("node.health.failingSince").(string)
			until, _ = a.Find("node.health.disablesAt").(string)
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
		fine := w.Must(t, w.B.Viewer, query, map[string]any{"id": w.B.Names["webhook"]})
		if got := fine.Find("node.health.disablesAt"); got != nil {
			t.Errorf("one that works will be disabled at %v", got)
		}
		if got := w.Ask(t, w.A.Viewer, query, broken).Find("node"); got != nil {
			t.Errorf("another organization sees %v", got)
		}
		w.Must(t, w.B.Admin, `mutation ($id: ID!) {
			setWebhookStatus(input: {id: $id, status: DISABLED}) { userErrors { message } } }`, broken)
		if got := w.Must(t, w.B.Viewer, query, broken).Find("node.health.disablesAt"); got != nil {
			t.Errorf("a disabled one will be disabled at %v", got)
		}
	})
}
