package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// printed returns what the program's commands print beside a server, those that
// go wrong included.
func (w *world) printed(t *testing.T, database databaseFlag) string {
	t.Helper()
	url := strings.TrimSuffix(w.url, "/graphql")
	at := func(key string) serverFlags { return serverFlags{URL: url, Key: key} }
	dead := serverFlags{URL: "http://me:canary-a-token@127.0.0.1:1", Key: w.portal}
	nowhere := func(url string) databaseFlag { return databaseFlag{Database: url} }
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
	return runAll(t, []command{
		&tailCmd{serverFlags: at(w.operator), Organization: "canary-a", After: logStart(), Count: 5},
		&tailCmd{serverFlags: at(w.a.viewer), After: logStart(), Count: 5, JSON: true},
		&tailCmd{serverFlags: at(w.a.admin), After: logStart(), Count: 5, JSON: true},
		&tailCmd{serverFlags: at(w.a.admin), After: "x"},
		&tailCmd{serverFlags: at(w.a.portal)},
		&tailCmd{serverFlags: at(wrong)},
		&ingestCmd{serverFlags: at(w.portal), File: reports["good"]},
		&ingestCmd{serverFlags: at(w.portal), File: reports["rejected"]},
		&ingestCmd{serverFlags: at(w.portal), File: reports["no JSON"]},
		&ingestCmd{serverFlags: at(w.portal), File: reports["odd"]},
		&ingestCmd{serverFlags: at(w.a.viewer), File: reports["good"]},
		&ingestCmd{serverFlags: at(wrong), File: reports["good"]},
		&ingestCmd{serverFlags: dead, File: reports["good"]},
		&keyListCmd{database},
		&keyRevokeCmd{database, w.operator}, // the key in the place of its id
		&keyListCmd{nowhere("postgres://me:canary-a-token@127.0.0.1:1/db?sslmode=disable")},
		&keyListCmd{nowhere("postgres://me:canary-a-token@127.0.0.1:port/db")},
		&keyListCmd{nowhere("mysql://me:canary-a-token@127.0.0.1/db")},
		&migrateStatusCmd{database},
	})
}

// runAll returns what commands print, one after the other.
func runAll(t *testing.T, all []command) string {
	t.Helper()
	paper, err := os.Create(filepath.Join(t.TempDir(), "paper"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if err := c.Run(t.Context(), terminal{paper, paper}); err != nil {
			fmt.Fprintf(paper, "portalhooks: %s\n", explain(err))
		}
	}
	text, err := os.ReadFile(paper.Name())
	if err := errors.Join(err, paper.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// errorAnswers returns what the API answers to inputs with secrets in them that
// it refuses.
func (w *world) errorAnswers(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	ask := func(document string, variables map[string]any) {
		a := w.ask(t, w.a.admin, document, variables)
		if len(a.Errors) == 0 && !strings.Contains(string(a.body), `"userErrors":[{`) {
			t.Errorf("%s is not refused: %s", document, a.body)
		}
		fmt.Fprintf(&all, "%s\n", a.body)
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
		userErrors { code message } } }`, w.a.names, nil), nil)
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
