package api

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

const makeKeyMutation = `mutation ($o: ID!, $n: String!, $r: ApiKeyRole!) {
	createApiKey(input: {organizationId: $o, name: $n, role: $r}) {
		key apiKey { id name role prefix createdBy revokedAt } userErrors { code message field } } }`

// TestAKeyIsReplaced goes through a rotation as a client does, and finds it in
// the audit log.
func TestAKeyIsReplaced(t *testing.T) {
	t.Parallel()
	harness.OnEveryDatabase(t, func(t *testing.T, s *harness.APIServer) {
		admin := s.Key(t, delivery.AdminKey, "acme")
		org := map[string]any{"o": "acme", "n": "console", "r": "ADMIN"}
		first := s.Must(t, admin, makeKeyMutation, org)
		old := first.At(t, "createApiKey.key")
		second := s.Must(t, old, makeKeyMutation, org) // with its own rights, no more
		if refused := s.Ask(t, admin, makeKeyMutation, org); verdict(refused) != "CONFLICT" {
			t.Errorf("a third key of the client: %s", refused.Body)
		}
		const revoke = `mutation ($id: ID!) { revokeApiKey(input: {id: $id}) {
			apiKey { revokedAt } userErrors { code } } }`
		oldID := map[string]any{"id": first.At(t, "createApiKey.apiKey.id")}
		if refused := s.Ask(t, old, revoke, oldID); verdict(refused) != "CONFLICT" {
			t.Errorf("a key revokes itself: %s", refused.Body)
		}
		revoked := s.Must(t, second.At(t, "createApiKey.key"), revoke, oldID)
		if revoked.At(t, "revokeApiKey.apiKey.revokedAt") == "" {
			t.Errorf("the revoked key is %s", revoked.Body)
		}

		a := s.Must(t, admin, `{ organization { apiKeys { id revokedAt lastUsedAt }
			auditLog(first: 1) { nodes {
				action actor { kind apiKeyId } object { type objectId name } changes { field before after }
				requestId remoteAddress organization { externalId } } } } }`, nil)
		if n := len(a.List(t, "organization.apiKeys")); n != 3 {
			t.Errorf("%d keys are listed, want 3: %s", n, a.Body)
		}
		for path, want := range map[string]string{
			"action": "API_KEY_REVOKED", "actor.kind": "API_KEY", "actor.apiKeyId": second.At(t, "createApiKey.apiKey.id"),
			"object.type": "API_KEY", "object.objectId": oldID["id"].(string), "object.name": "console",
			"changes.0.field": "revokedAt", "requestId": revoked.Header.Get("X-Request-Id"),
			"remoteAddress": "127.0.0.1", "organization.externalId": "acme",
		} {
			if got := a.At(t, "organization.auditLog.nodes.0."+path); got != want {
				t.Errorf("the last entry's %s is %q, want %q", path, got, want)
			}
		}
		if a.Find("organization.auditLog.nodes.0.changes.0.before") != nil {
			t.Errorf("it was revoked before: %s", a.Body)
		}
	})
}

// A key that is revoked at one server closes its sockets and event streams at
// all of them.
func TestARevokedKeyClosesItsConnections(t *testing.T) {
	t.Parallel()
	for name, database := range harness.APIDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := harness.APISettings(t, database(t), "http://127.0.0.1:9")
			harness.MakeFirstKey(t, settings)
			here, there := harness.StartApp(t, settings), harness.StartApp(t, settings)
			admin := here.Key(t, delivery.AdminKey, "acme")
			made := here.Must(t, admin, makeKeyMutation, map[string]any{"o": "acme", "n": "view", "r": "VIEWER"})
			view := made.At(t, "createApiKey.key")
			header := http.Header{"Authorization": {"Bearer " + view}}
			sockets := []*websocket.Conn{here.Socket(t, header), there.Socket(t, header), there.Socket(t, header)}
			stays := there.Socket(t, http.Header{"Authorization": {"Bearer " + admin}})
			stream := there.Request(t, view, `subscription { deliveryLog { __typename } }`, nil)
			stream.Header.Set("Accept", "text/event-stream")
			events, err := there.Client.Do(stream)
			if err != nil {
				t.Fatal(err)
			}
			defer events.Body.Close()

			here.Must(t, admin, `mutation ($id: ID!) { revokeApiKey(input: {id: $id}) { userErrors { code } } }`,
				map[string]any{"id": made.At(t, "createApiKey.apiKey.id")})
			for _, socket := range sockets {
				harness.WantUnauthorized(t, socket)
			}
			last, err := io.ReadAll(events.Body)
			if err != nil || !strings.Contains(string(last), "UNAUTHENTICATED") {
				t.Errorf("the event stream: %s (%v)", last, err)
			}
			if err := stays.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)); err != nil {
				t.Error(err)
			}
			if _, message, err := stays.ReadMessage(); err != nil || !strings.Contains(string(message), "pong") {
				t.Errorf("the socket of another key: %s (%v)", message, err)
			}
		})
	}
}

func TestEveryAnswerHasARequestID(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	seen := map[string]bool{}
	for range 2 {
		for _, key := range []string{"", "phk_nonsense", s.Key(t, delivery.OperatorKey, "")} {
			req := s.Request(t, key, `{ viewer { name } }`, nil)
			req.Header.Set("X-Request-Id", "mine") // which is not believed
			id := s.Exchange(t, req).Header.Get("X-Request-Id")
			if len(id) < 20 || seen[id] {
				t.Errorf("the id of a request is %q", id)
			}
			seen[id] = true
		}
	}
}
