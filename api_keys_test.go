package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"portalhooks/delivery"
)

const makeKeyMutation = `mutation ($o: ID!, $n: String!, $r: ApiKeyRole!) {
	createApiKey(input: {organizationId: $o, name: $n, role: $r}) {
		key apiKey { id name role prefix createdBy revokedAt } userErrors { code message field } } }`

// TestAKeyIsReplaced goes through a rotation as a client does, and finds it in
// the audit log.
func TestAKeyIsReplaced(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, s *apiServer) {
		admin := s.key(t, delivery.AdminKey, "acme")
		org := map[string]any{"o": "acme", "n": "console", "r": "ADMIN"}
		first := s.must(t, admin, makeKeyMutation, org)
		old := first.at(t, "createApiKey.key")
		second := s.must(t, old, makeKeyMutation, org) // with its own rights, no more
		if refused := s.ask(t, admin, makeKeyMutation, org); verdict(refused) != "CONFLICT" {
			t.Errorf("a third key of the client: %s", refused.body)
		}
		const revoke = `mutation ($id: ID!) { revokeApiKey(input: {id: $id}) {
			apiKey { revokedAt } userErrors { code } } }`
		oldID := map[string]any{"id": first.at(t, "createApiKey.apiKey.id")}
		if refused := s.ask(t, old, revoke, oldID); verdict(refused) != "CONFLICT" {
			t.Errorf("a key revokes itself: %s", refused.body)
		}
		revoked := s.must(t, second.at(t, "createApiKey.key"), revoke, oldID)
		if revoked.at(t, "revokeApiKey.apiKey.revokedAt") == "" {
			t.Errorf("the revoked key is %s", revoked.body)
		}

		a := s.must(t, admin, `{ organization { apiKeys { id revokedAt lastUsedAt }
			auditLog(first: 1) { nodes {
				action actor { kind apiKeyId } object { type id name } changes { field before after }
				requestId remoteAddress organization { externalId } } } } }`, nil)
		if n := len(a.list(t, "organization.apiKeys")); n != 3 {
			t.Errorf("%d keys are listed, want 3: %s", n, a.body)
		}
		for path, want := range map[string]string{
			"action": "API_KEY_REVOKED", "actor.kind": "API_KEY", "actor.apiKeyId": second.at(t, "createApiKey.apiKey.id"),
			"object.type": "API_KEY", "object.id": oldID["id"].(string), "object.name": "console",
			"changes.0.field": "revokedAt", "requestId": revoked.header.Get("X-Request-Id"),
			"remoteAddress": "127.0.0.1", "organization.externalId": "acme",
		} {
			if got := a.at(t, "organization.auditLog.nodes.0."+path); got != want {
				t.Errorf("the last entry's %s is %q, want %q", path, got, want)
			}
		}
		if a.find("organization.auditLog.nodes.0.changes.0.before") != nil {
			t.Errorf("it was revoked before: %s", a.body)
		}
	})
}

// A key that is revoked at one server closes its sockets and event streams at
// all of them.
func TestARevokedKeyClosesItsConnections(t *testing.T) {
	t.Parallel()
	for name, database := range apiDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := apiSettings(t, database(t), "http://127.0.0.1:9")
			makeFirstKey(t, settings)
			here, there := startApp(t, settings), startApp(t, settings)
			admin := here.key(t, delivery.AdminKey, "acme")
			made := here.must(t, admin, makeKeyMutation, map[string]any{"o": "acme", "n": "view", "r": "VIEWER"})
			view := made.at(t, "createApiKey.key")
			header := http.Header{"Authorization": {"Bearer " + view}}
			sockets := []*websocket.Conn{here.socket(t, header), there.socket(t, header), there.socket(t, header)}
			stays := there.socket(t, http.Header{"Authorization": {"Bearer " + admin}})
			stream := there.request(t, view, `subscription { deliveryLog { __typename } }`, nil)
			stream.Header.Set("Accept", "text/event-stream")
			events, err := there.client.Do(stream)
			if err != nil {
				t.Fatal(err)
			}
			defer events.Body.Close()

			here.must(t, admin, `mutation ($id: ID!) { revokeApiKey(input: {id: $id}) { userErrors { code } } }`,
				map[string]any{"id": made.at(t, "createApiKey.apiKey.id")})
			for _, socket := range sockets {
				wantUnauthorized(t, socket)
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
	s := startAPI(t, apiDatabases["SQLite"](t))
	seen := map[string]bool{}
	for range 2 {
		for _, key := range []string{"", "phk_nonsense", s.key(t, delivery.OperatorKey, "")} {
			req := s.request(t, key, `{ viewer { name } }`, nil)
			req.Header.Set("X-Request-Id", "mine") // which is not believed
			id := s.exchange(t, req).header.Get("X-Request-Id")
			if len(id) < 20 || seen[id] {
				t.Errorf("the id of a request is %q", id)
			}
			seen[id] = true
		}
	}
}
