package sqldb

import (
	"context"
	"database/sql"
	"testing"

	"portalhooks/delivery"
	"portalhooks/delivery/loop"
	"portalhooks/ent/enttest"
)

// A database with all it may open needs no more connections than are documented.
func TestConnectionsOfOneServer(t *testing.T) {
	t.Parallel()
	url := enttest.Postgres(t)
	db := openDatabase(t, url).(*Postgres)
	n := NewNotifier(db.pool, db.logger)
	t.Cleanup(n.Close)
	connected := make(chan struct{}, 1)
	mark := func(context.Context, delivery.Owner, bool) error { return nil }
	l := NewListener(db.Direct, func(string) { loop.Wake(connected).Notify() }, mark, db.logger)
	t.Cleanup(l.Close)
	<-connected // the first notification is the listener's own
	for _, pool := range []*sql.DB{db.pool, db.prepared.db} {
		for range pool.Stats().MaxOpenConnections {
			c, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if err := c.PingContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	outside, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	var count int
	err = outside.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity "+
		"WHERE datname = current_database() AND application_name = 'portalhooks'").Scan(&count)
	if err != nil || count != 6 {
		t.Errorf("%d connections, %v, want 6", count, err)
	}
}
