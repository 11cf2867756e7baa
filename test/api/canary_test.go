package api

import (
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portalhooks/test/collector"
	"portalhooks/test/harness"
)

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
	for name, database := range harness.APIDatabases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &harness.LogBuffer{}
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(receiver.Close)
			settings := harness.APISettings(t, database(t), receiver.URL)
			traced := collector.New(t)
			settings.OTLPEndpoint = traced.URL
			harness.MakeFirstKey(t, settings)
			everything := &slog.HandlerOptions{Level: slog.LevelDebug}
			s := harness.StartLogging(t, settings, slog.New(settings.LogHandler(slog.NewJSONHandler(log, everything))))
			s.Receiver = receiver.URL
			w := harness.NewWorld(t, s)
			canaries := []string{"canary-a-header", "canary-a-token", "canary-b-token", "phk_canary"}
			for _, key := range []string{w.Operator, w.Portal, w.A.Admin, w.A.Viewer, w.A.Portal} {
				canaries = append(canaries, secretOf(key))
			}
			secret, key := newSecrets(t, w, "ADMIN")
			canaries = append(canaries, secret, key)
			w.Must(t, w.A.Admin, fill(`mutation ($url: String!) { updateWebhook(input: {
				id: @webhook, expectedVersion: 2, targetUrl: $url,
				headers: [{name: "X-Key", value: "canary-a-header-2"}]}) { userErrors { message } } }`, w.A.Names, nil),
				map[string]any{"url": w.Receiver + "/?token=canary-b-token"})

			// Nothing listens there: the error is logged and recorded.
			w.Must(t, w.A.Admin, `mutation ($in: CreateWebhookInput!) {
				createWebhook(input: $in) { webhook { id } userErrors { message } } }`,
				map[string]any{"in": map[string]any{
					"organizationId": "canary-a", "name": "dead", "eventType": "ACTIVE_ALERT",
					"targetUrl": "https://127.0.0.1:443/?token=canary-b-token", "selection": map[string]any{"all": true},
					"policy": map[string]any{"retrySeconds": []int{}},
				}})
			w.Report(t, "canary-a", 100, 3)
			w.Ask(t, "phk_canary"+strings.Repeat("0", 45), `{ viewer { name } }`, nil)
			w.Ask(t, w.A.Admin, `mutation { createWebhook(input: {name: "canary-a-token"}) { x } }`, nil)

			answers, terminal := errorAnswersOf(w, t), printedBy(w, t, settings.Database)
			if err := w.FlushTraces(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, traces := traced.Read()
			if at := strings.Index(traces, "canary"); at >= 0 { // everything of a's has it
				t.Errorf("the traces have something of an organization's: …%.300q", traces[max(at-100, 0):])
			}
			metrics := httptest.NewRecorder()
			w.Metrics().ServeHTTP(metrics,
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
