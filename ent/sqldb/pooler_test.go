package sqldb

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"portalhooks/ent/enttest"
)

func TestPoolersAreFoundWhateverTheirMode(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings map[string]string
		pooled   bool
	}{
		"transaction":             {map[string]string{}, true},
		"transaction, in turns":   {map[string]string{"server_round_robin": "1"}, true},
		"one connection":          {map[string]string{"default_pool_size": "1"}, true},
		"a session is a session":  {map[string]string{"pool_mode": "session"}, false},
		"session, all discarded":  {map[string]string{"pool_mode": "session", "server_reset_query_always": "1"}, false},
		"transaction, many spare": {map[string]string{"min_pool_size": "4"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := enttest.Postgres(t)
			db := openDatabase(t, enttest.NewPooler(t, database, tt.settings).Through(t, database)).(*Postgres)
			if db.Pooled != tt.pooled || (db.Direct == "") != tt.pooled {
				t.Errorf("pooled is %t, direct is %t, want pooled to be %t", db.Pooled, db.Direct != "", tt.pooled)
			}
		})
	}
	if openPostgresTest(t).Pooled {
		t.Error("PostgreSQL itself is taken for a pooler")
	}
}

func TestAPoolerIsToldOfWithWhatToSet(t *testing.T) {
	t.Parallel()
	database := enttest.Postgres(t)
	through := enttest.NewPooler(t, database, nil).Through(t, database)
	var log bytes.Buffer
	db, err := Open(t.Context(), Options{URL: through, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "--database-direct") {
		t.Errorf("the log does not say what to set:\n%s", log.String())
	}

	other := enttest.Postgres(t)
	for name, tt := range map[string]struct{ url, direct, want string }{
		"statements in two trips":        {with(t, through, "binary_parameters", "no"), "", "binary_parameters"},
		"a setting unknown to PgBouncer": {with(t, through, "work_mem", "8MB"), "", "ignore_startup_parameters"},
		"direct is no URL":               {through, "db.internal", "direct connection"},
		"direct is SQLite":               {through, "sqlite:x.db", "must be one of PostgreSQL"},
		"direct is the pooler":           {through, through, "leads through a transaction pooler"},
		"direct is another database":     {through, other, "another database"},
		"direct does not answer":         {through, "postgres://u@127.0.0.1:1/x?sslmode=disable", "direct connection"},
	} {
		db, err := Open(t.Context(), Options{URL: tt.url, Direct: tt.direct})
		if err == nil {
			_ = db.Close() // the next line fails the test
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, tt.want)
		}
	}
}

// with adds a setting to the URL of a database.
func with(t *testing.T, text, name, value string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	settings := u.Query()
	settings.Set(name, value)
	u.RawQuery = settings.Encode()
	return u.String()
}
