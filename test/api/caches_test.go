package api

import (
	"strings"
	"testing"

	"portalhooks/test/harness"
)

// A normalized cache keeps one object for each type and id. What it shows must be
// what the server answered, in the default settings of the usual clients.
func TestNormalizedCachesShowWhatTheServerAnswers(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		w := harness.NewWorld(t, s)
		w.Must(t, w.A.Admin, `mutation ($id: ID!) {
			setWebhookStatus(input: {id: $id, status: DISABLED}) { userErrors { message } } }`,
			map[string]any{"id": w.A.Names["webhook"]})
		output, ok := runClient(t, "caches.mjs", s.URL, w.A.Admin,
			// One webhook has had several names, and the log tells each.
			`{ organization { id auditLog { nodes { id action object { type objectId name } actor { name apiKeyId }
				changes { field before after } organization { id name } } } } }`,
			`{ organization { id apiKeys { id name } webhooks { nodes { id name status selection { all items { id name } }
				versions { nodes { id number name } } overlaps { id name } } } } }`,
			`{ organization { id deliveries(first: 5) { nodes { id state trigger webhook { id name status }
				event { id type { id name } item { id name } evaluation { matched reason webhook { id name } } }
				attempts { id number outcome } } } events(first: 5) { nodes { id variables } } } }`)
		if !ok || strings.Count("\n"+output, "\nok ") != 6 {
			t.Errorf("caches:\n%s", output)
		}
	})
}
