package enttest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/lib/pq"
)

// database makes an empty database on the server at admin. It is dropped when
// t ends, provided that running still says so.
func database(t testing.TB, admin string, running func() bool) string {
	t.Helper()
	u, err := url.Parse(admin)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		// The URL itself is not shown: it holds a password.
		t.Fatal("TEST_POSTGRES_URL is not a URL that begins with postgres://")
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := execute(t.Context(), admin, "CREATE DATABASE "+pq.QuoteIdentifier(name)); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() {
		if !running() {
			return
		}
		// The context of a test has ended when its cleanup runs.
		ctx := context.WithoutCancel(t.Context())
		if err := execute(ctx, admin, "DROP DATABASE "+pq.QuoteIdentifier(name)+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database of this test: %v", err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

func execute(ctx context.Context, server, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := sql.Open("postgres", server)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}
