package api

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/cli"
	"portalhooks/test/harness"
)

// printedBy returns what the program's commands print beside a server, failed commands
// included.
func printedBy(w *harness.World, t *testing.T, database string) string {
	t.Helper()
	url := strings.TrimSuffix(w.URL, "/graphql")
	wrong := "phk_canary" + strings.Repeat("0", 45)
	reports := map[string]string{
		"good": `{"organizationId": "canary-a", "sourceEventId": "n", "event": {"activeAlert": {"alert": {
			"id": "x", "name": "X", "start": "2026-01-14T09:30:58Z"}}}}`,
		"rejected": `{"organizationId": "", "sourceEventId": "", "event": {}}`,
		"no JSON":  `{"canary-a-header`,
		"odd":      `{"organizationId": ["canary-a-token"], "sourceEventId": {"x": "canary-a-header"}, "event": "canary-b-token"}`,
	}
	for name, text := range reports {
		reports[name] = filepath.Join(t.TempDir(), "reports.jsonl")
		if err := os.WriteFile(reports[name], []byte(strings.ReplaceAll(text, "\n", "")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(key string, args ...string) []string { return append(args, "--url", url, "--key", key) }
	return runAll(t, [][]string{
		at(w.Operator, "tail", "--organization", "canary-a", "--after", harness.LogStart(), "--count", "5"),
		at(w.A.Viewer, "tail", "--after", harness.LogStart(), "--count", "5", "--json"),
		at(w.A.Admin, "tail", "--after", harness.LogStart(), "--count", "5", "--json"),
		at(w.A.Admin, "tail", "--after", "x"),
		at(w.A.Portal, "tail"),
		at(wrong, "tail"),
		at(w.Portal, "ingest", reports["good"]),
		at(w.Portal, "ingest", reports["rejected"]),
		at(w.Portal, "ingest", reports["no JSON"]),
		at(w.Portal, "ingest", reports["odd"]),
		at(w.A.Viewer, "ingest", reports["good"]),
		at(wrong, "ingest", reports["good"]),
		{"ingest", reports["good"], "--url", "http://me:canary-a-token@127.0.0.1:1", "--key", w.Portal},
		{"key", "list", "--database", database},
		{"key", "revoke", w.Operator, "--database", database}, // the key in the place of its id
		{"key", "list", "--database", "postgres://me:canary-a-token@127.0.0.1:1/db?sslmode=disable"},
		{"key", "list", "--database", "postgres://me:canary-a-token@127.0.0.1:port/db"},
		{"key", "list", "--database", "mysql://me:canary-a-token@127.0.0.1/db"},
		{"migrate", "status", "--database", database},
	})
}

// runAll returns what command lines print, one after the other.
func runAll(t *testing.T, all [][]string) string {
	t.Helper()
	paper, err := os.Create(filepath.Join(t.TempDir(), "paper"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range all {
		cli.Run(t.Context(), args, paper, paper)
	}
	text, err := os.ReadFile(paper.Name())
	if err := errors.Join(err, paper.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// errorAnswersOf returns what the API answers to inputs with secrets in them that
// it refuses.
func errorAnswersOf(w *harness.World, t *testing.T) string {
	t.Helper()
	var all strings.Builder
	ask := func(document string, variables map[string]any) {
		a := w.Ask(t, w.A.Admin, document, variables)
		if len(a.Errors) == 0 && !strings.Contains(string(a.Body), `"userErrors":[{`) {
			t.Errorf("%s is not refused: %s", document, a.Body)
		}
		fmt.Fprintf(&all, "%s\n", a.Body)
	}
	const create = `mutation ($in: CreateWebhookInput!) {
		createWebhook(input: $in) { webhook { id } userErrors { code message field } } }`
	for _, target := range []string{
		"http://10.0.0.1/?token=canary-a-token", "https://user:canary-a-token@example.com/", "canary-a-token",
		"https://exa mple.com/?token=canary-a-token", "https://example.com:99999/canary-a-token",
	} {
		ask(create, map[string]any{"in": hookInput("targetUrl", target)})
	}
	header := func(name, value any) map[string]any {
		return map[string]any{"in": hookInput("headers", []any{map[string]any{"name": name, "value": value}})}
	}
	ask(create, header("X Key", "canary-a-header"))
	ask(create, header("Content-Length", "canary-a-header"))
	ask(create, header("X-Key", "canary-a-header\r\nX: y"))
	ask(create, header("X-Key", map[string]any{"canary-a-header": 1}))
	ask(create, header("X-Key", []any{"canary-a-header", 7, "canary-a-header"}))
	ask(create, map[string]any{"in": hookInput("targetUrl", []any{map[string]any{"x": "canary-a-token"}})})
	ask(create, map[string]any{"in": hookInput("policy", "canary-a-token")})
	ask(fill(`mutation { updateWebhook(input: {id: @webhook, expectedVersion: 1, targetUrl: "canary-a-token"}) {
		userErrors { code message } } }`, w.A.Names, nil), nil)
	ask(`mutation { createWebhook(input: {targetUrl: "canary-a-token"}) { userErrors { code } } }`, nil)
	ask(`mutation { createWebhook(input: {headers: [{name: "X", value: "canary-a-header" }]]}) { x } }`, nil)
	ask(`mutation { createWebhook(input: {expectedVersion: "canary-a-header"}) { userErrors { code } } }`, nil)
	return all.String()
}

// hookInput is the input of a webhook that would be good without this field.
func hookInput(field string, value any) map[string]any {
	in := map[string]any{
		"organizationId": "canary-a", "name": "W", "eventType": "ACTIVE_ALERT",
		"targetUrl": "https://example.com/", "selection": map[string]any{"all": true},
	}
	in[field] = value
	return in
}
