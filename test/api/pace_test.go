package api

import (
	"net/http"
	"testing"

	"portalhooks/app"
	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// twoAtOnce is a rate that lets two calls through at once and the third two
// seconds later.
const twoAtOnce = 2.0 / app.Burst

// startPaced starts a server that lets each caller make few calls: a bucket
// holds them, and next to nothing flows in while the test runs.
func startPaced(t *testing.T, apiRate, addressRate float64) *harness.APIServer {
	t.Helper()
	settings := harness.APISettings(t, harness.APIDatabases["SQLite"](t), "http://127.0.0.1:9")
	settings.IngestRate, settings.IngestBurst = 0.001, 4
	settings.APIRate, settings.AddressRate = apiRate, addressRate
	harness.MakeFirstKey(t, settings)
	return harness.StartApp(t, settings)
}

// wantSlowDown fails t unless a is a refusal that says when to come back.
func wantSlowDown(t *testing.T, what string, a *harness.Answer) {
	t.Helper()
	told := a.Code() == "LIMIT_EXCEEDED" && a.Header.Get("Retry-After") != ""
	if a.Status != http.StatusTooManyRequests || !told {
		t.Errorf("%s: %d %v %s, want 429 with Retry-After", what, a.Status, a.Header, a.Body)
	}
}

// Portal may report so many events and no more. Refused events are not stored, and
// the answers to the others hold.
func TestPortalIsPaced(t *testing.T) {
	t.Parallel()
	s := startPaced(t, 10, twoAtOnce)
	portal, operator := s.Key(t, delivery.PortalKey, ""), s.Key(t, delivery.OperatorKey, "")
	s.Must(t, portal, harness.IngestMutation, alertsOf("acme", "1", "2", "3"))
	wantSlowDown(t, "three more", s.Ask(t, portal, harness.IngestMutation, alertsOf("acme", "4", "5", "6")))
	s.Must(t, portal, harness.IngestMutation, alertsOf("acme", "7")) // what was refused has cost nothing
	a := s.Must(t, operator, `{ organization(id: "acme") { events { nodes { id } } } }`, nil)
	if n := len(a.List(t, "organization.events.nodes")); n != 4 {
		t.Errorf("%d events are stored, want the four that were accepted", n)
	}
}

// alertsOf returns a report of an organization's alert for each id.
func alertsOf(organization string, ids ...string) map[string]any {
	var reports []any
	for _, id := range ids {
		reports = append(reports, map[string]any{
			"organizationId": organization, "sourceEventId": id,
			"event": map[string]any{"activeAlert": map[string]any{"alert": map[string]any{
				"id": "disk", "name": "Low disk", "start": "2026-01-14T09:30:58Z",
			}}},
		})
	}
	return map[string]any{"input": reports}
}

// An organization may report so much, however many keys it has, and what its
// webhooks make of it counts. Portal's own reports and other organizations' are
// not held up.
func TestAnOrganizationsKeysShareItsRates(t *testing.T) {
	t.Parallel()
	s := startPaced(t, twoAtOnce, 0)
	portal := s.Key(t, delivery.PortalKey, "")
	both := alertsOf("acme", "1")
	both["input"] = append(both["input"].([]any), alertsOf("other", "1")["input"].([]any)...)
	s.Must(t, portal, harness.IngestMutation, both)
	s.Must(t, s.Key(t, delivery.AdminKey, "acme"), `mutation($in: CreateWebhookInput!) {
		createWebhook(input: $in) { webhook { id } userErrors { message } } }`,
		map[string]any{"in": map[string]any{
			"organizationId": "acme", "name": "All", "eventType": "ACTIVE_ALERT", "targetUrl": "https://127.0.0.1:9/in",
			"selection": map[string]any{"all": true},
		}})
	own := func() string { return s.Key(t, delivery.PortalKey, "acme") }
	s.Must(t, own(), harness.IngestMutation, alertsOf("acme", "2", "3")) // two events and two deliveries
	wantSlowDown(t, "an event by another key", s.Ask(t, own(), harness.IngestMutation, alertsOf("acme", "4")))
	s.Must(t, s.Key(t, delivery.PortalKey, "other"), harness.IngestMutation, alertsOf("other", "2"))
	s.Must(t, portal, harness.IngestMutation, alertsOf("acme", "5"))

	const query = `{ viewer { name } }`
	s.Must(t, s.Key(t, delivery.ViewerKey, "acme"), query, nil) // the second call of its organization
	wantSlowDown(t, "a call by a third key", s.Ask(t, s.Key(t, delivery.ViewerKey, "acme"), query, nil))
	s.Must(t, s.Key(t, delivery.ViewerKey, "other"), query, nil)
}

// One caller who asks too much is told to wait, and no other one.
func TestCallersArePaced(t *testing.T) {
	t.Parallel()
	s := startPaced(t, twoAtOnce, twoAtOnce)
	greedy, other := s.Key(t, delivery.OperatorKey, ""), s.Key(t, delivery.OperatorKey, "")
	const query = `{ viewer { name } }`
	s.Must(t, greedy, query, nil)
	s.Must(t, greedy, query, nil)
	wantSlowDown(t, "the third call", s.Ask(t, greedy, query, nil))
	s.Must(t, other, query, nil)
}

// A client that guesses keys is told to wait before the next one is checked; callers
// from the same address with a valid key go on.
func TestUnauthenticatedCallersArePaced(t *testing.T) {
	t.Parallel()
	s := startPaced(t, twoAtOnce, twoAtOnce)
	known := s.Key(t, delivery.OperatorKey, "")
	const query = `{ viewer { name } }`
	s.Must(t, known, query, nil)
	if a := s.Ask(t, "phk_no-such-key", query, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("a wrong key: %d %s, want 401", a.Status, a.Body)
	}
	wantSlowDown(t, "another wrong key", s.Ask(t, "phk_another-one", query, nil))
	wantSlowDown(t, "no key", s.Ask(t, "", query, nil))
	s.Must(t, known, query, nil)
}

// A query that may read much counts for many, so that the rate bounds what an
// organization reads.
func TestComplexQueriesCountForMany(t *testing.T) {
	t.Parallel()
	s := startPaced(t, twoAtOnce*5, 0) // ten calls at once
	key := s.Key(t, delivery.AdminKey, "acme")
	const big = `{ organization { deliveries(first: 50) { nodes { message attempts { responseBody } } } } }`
	s.Must(t, key, big, nil)
	wantSlowDown(t, "the next one", s.Ask(t, key, harness.WhoAmI, nil))
	other := s.Key(t, delivery.AdminKey, "other")
	for range 10 {
		s.Must(t, other, harness.WhoAmI, nil)
	}
}
