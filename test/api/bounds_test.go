package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"portalhooks/delivery"
	"portalhooks/test/harness"
)

// costOf returns what an answer says its operation costs.
func costOf(t *testing.T, a *harness.Answer) int {
	t.Helper()
	var said struct {
		Extensions struct {
			Cost struct{ Requested, Limit int }
		}
	}
	if err := json.Unmarshal(a.Body, &said); err != nil || said.Extensions.Cost.Limit != 5000 {
		t.Fatalf("%v, cost %+v: %.300s", err, said.Extensions.Cost, a.Body)
	}
	return said.Extensions.Cost.Requested
}

// A long text costs what it weighs, under each of its names.
func TestLongFieldsCostWhatTheyWeigh(t *testing.T) {
	t.Parallel()
	w := harness.NewWorld(t, harness.StartAPI(t, harness.APIDatabases["SQLite"](t)))
	of := func(field string) string {
		query := `{ organization(id: ~organization) { deliveries(first: 10) { nodes { ` + field + ` } } } }`
		return fill(query, nil, w.B.Names)
	}
	costs := map[string]int{}
	for _, field := range []string{"id", "message", "a: message b: message"} {
		costs[field] = costOf(t, w.Ask(t, w.B.Admin, of(field), nil))
	}
	if message := costs["message"] - costs["id"]; message < 600 {
		t.Errorf("ten messages cost %d more than ten ids, want 64 each", message)
	}
	if got, want := costs["a: message b: message"], 2*costs["message"]; got < want-100 {
		t.Errorf("under two names they cost %d, want about %d", got, want)
	}
	names := manyTimes(49, func(i int) string { return fmt.Sprintf(" m%d: message", i) })
	a := w.Ask(t, w.B.Admin, strings.Replace(of(names), "first: 10", "first: 96", 1), nil)
	if a.Code() != "LIMIT_EXCEEDED" || costOf(t, a) < 250_000 {
		t.Errorf("4,704 messages: %.300s, want LIMIT_EXCEEDED", a.Body)
	}
}

// An answer that would be too long is refused, with nothing of it, and others are
// answered.
func TestLongAnswersAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.StartAPI(t, harness.APIDatabases["SQLite"](t))
	admin := s.Key(t, delivery.AdminKey, "long")
	for i := range 4 {
		s.Must(t, admin, `mutation ($in: CreateWebhookInput!) {
			createWebhook(input: $in) { userErrors { message } } }`, map[string]any{"in": map[string]any{
			"organizationId": "long", "name": fmt.Sprint(i), "eventType": "ACTIVE_ALERT", "targetUrl": fmt.Sprint(s.Receiver, "/", i),
			"selection": map[string]any{"all": true}, "template": `{"a": "` + strings.Repeat("x", 60<<10) + `"}`,
		}})
	}
	ask := func(names int) *harness.Answer {
		return s.Ask(t, admin, `{ organization { webhooks(first: 4) { nodes {`+manyTimes(names, func(i int) string {
			return fmt.Sprintf(" t%d: template", i)
		})+` } } } }`, nil)
	}
	if a := ask(10); a.Code() != "" || len(a.Body) < 2<<20 {
		t.Errorf("2 MiB: %d bytes, %s", len(a.Body), a.Code())
	}
	if a := ask(49); a.Code() != "LIMIT_EXCEEDED" || len(a.Body) > 1000 || a.Data != nil {
		t.Errorf("12 MiB: %d bytes, %.300s, want LIMIT_EXCEEDED alone", len(a.Body), a.Body)
	}
}
