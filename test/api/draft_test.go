package api

import (
	"fmt"
	"testing"

	"portalhooks/test/harness"
)

// Ids are never used again, also those of attempts that are not stored: a client
// that keeps objects by id would show one test in place of the other.
func TestAttemptsOfDraftsHaveIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		seen := map[string]bool{w.A.Names["attempt"]: true}
		for i := range 3 {
			tested := w.Must(t, w.A.Admin, `mutation ($in: TestWebhookInput!) { testWebhook(input: $in) {
				delivery { id } attempt { id outcome requestHeaders { name } } userErrors { message } } }`,
				map[string]any{"in": map[string]any{"draft": map[string]any{
					"organizationId": w.A.Names["externalId"], "name": fmt.Sprint("Draft ", i),
					"eventType": "ACTIVE_ALERT", "targetUrl": w.Receiver, "selection": map[string]any{"all": true},
				}}})
			id := tested.At(t, "testWebhook.attempt.id")
			if seen[id] || id == "att_0000000000000" {
				t.Errorf("the attempt of test %d has the id %s of another", i, id)
			}
			seen[id] = true
			if found := w.Must(t, w.A.Admin, `query ($id: ID!) { node(id: $id) { id } }`,
				map[string]any{"id": id}).Find("node"); found != nil {
				t.Errorf("node returns the attempt of a draft: %v", found)
			}
		}
	})
}
