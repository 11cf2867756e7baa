package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A logBuffer keeps what was logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// dump returns everything that a database holds, as text.
func dump(t *testing.T, url string) string {
	t.Helper()
	var all strings.Builder
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		files, err := filepath.Glob(path + "*") // the file and its log
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.String()
	}
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
	for _, table := range column(t, db, tables) {
		for _, row := range column(t, db, "SELECT t::text FROM "+table+" t") {
			fmt.Fprintln(&all, row)
		}
		// Bytes are shown as hexadecimal digits there: here they are text.
		for _, row := range column(t, db, "SELECT encode(convert_to(t::text, 'UTF8'), 'escape') FROM "+table+" t") {
			fmt.Fprintln(&all, row)
		}
	}
	return all.String()
}

// column returns the only column that a query asks for.
func column(t *testing.T, db *sql.DB, query string) (values []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// The secrets of organizations and callers leave no trace: not in the log, not
// in the metrics, not in answers to errors and in the terminal, not in what is
// sent to a collector of traces, which has nothing of what events say either,
// and not in the database, from which backups are made. What may be read through
// the API is TestSecretsStayInside's.
func TestCanariesAreNowhere(t *testing.T) {
	t.Parallel()
	for name, database := range apiDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logBuffer{}
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(receiver.Close)
			settings := apiSettings(t, database(t), receiver.URL)
			collector := newCollector(t)
			settings.OTLPEndpoint = collector.url
			makeFirstKey(t, settings)
			everything := &slog.HandlerOptions{Level: slog.LevelDebug}
			s := startLogging(t, settings, slog.New(settings.logHandler(slog.NewJSONHandler(log, everything))))
			s.receiver = receiver.URL
			w := newWorld(t, s)
			canaries := []string{"canary-a-header", "canary-a-token", "canary-b-token", "phk_canary"}
			for _, key := range []string{w.operator, w.portal, w.a.admin, w.a.viewer, w.a.portal} {
				canaries = append(canaries, key[len("phk_")+8:])
			}
			rotated := w.must(t, w.a.admin, fill(
				`mutation { rotateWebhookSecret(input: {id: @webhook}) { secret userErrors { code } } }`, w.a.names, nil), nil)
			secret := strings.TrimPrefix(rotated.at(t, "rotateWebhookSecret.secret"), "whsec_")
			made := w.must(t, w.a.admin, fill(`mutation { createApiKey(input: {
				organizationId: @organization, name: "x", role: ADMIN}) {
				key userErrors { code } } }`, w.a.names, nil), nil)
			canaries = append(canaries, secret, made.at(t, "createApiKey.key")[len("phk_")+8:])
			w.must(t, w.a.admin, fill(`mutation ($url: String!) { updateWebhook(input: {
				id: @webhook, expectedVersion: 2, targetUrl: $url,
				headers: [{name: "X-Key", value: "canary-a-header-2"}]}) { userErrors { message } } }`, w.a.names, nil),
				map[string]any{"url": w.receiver + "/?token=canary-b-token"})

			// Nobody listens there: what goes wrong is logged and recorded.
			w.must(t, w.a.admin, `mutation ($in: CreateWebhookInput!) {
				createWebhook(input: $in) { webhook { id } userErrors { message } } }`,
				map[string]any{"in": map[string]any{
					"organizationId": "canary-a", "name": "dead", "eventType": "ACTIVE_ALERT",
					"targetUrl": "https://127.0.0.1:443/?token=canary-b-token", "selection": map[string]any{"all": true},
					"policy": map[string]any{"retrySeconds": []int{}},
				}})
			w.report(t, "canary-a", 100, 3)
			w.ask(t, "phk_canary"+strings.Repeat("0", 45), `{ viewer { name } }`, nil)
			w.ask(t, w.a.admin, `mutation { createWebhook(input: {name: "canary-a-token"}) { x } }`, nil)

			answers, terminal := w.errorAnswers(t), w.printed(t, settings.databaseFlag)
			if err := w.traces.provider.ForceFlush(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, traces := collector.read()
			if at := strings.Index(traces, "canary"); at >= 0 { // everything of a's has it
				t.Errorf("the traces have something of an organization's: …%.300q", traces[max(at-100, 0):])
			}
			metrics := httptest.NewRecorder()
			w.metricsPage().ServeHTTP(metrics,
				httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
			for place, text := range map[string]string{
				"the log": log.String(), "the metrics": metrics.Body.String(), "the database": dump(t, settings.Database),
				"an answer to an error": answers, "the terminal": terminal,
				"the traces": traces,
			} {
				if text == "" && place != "the log" { // it may have nothing to say
					t.Errorf("there is nothing in %s", place)
				}
				for _, canary := range canaries {
					if at := strings.Index(text, canary); at >= 0 {
						t.Errorf("%s has %q: …%.300s", place, canary, text[max(at-100, 0):])
					}
				}
			}
		})
	}
}
