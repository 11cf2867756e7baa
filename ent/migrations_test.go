package ent

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect/sql/schema"

	"portalhooks/delivery"
)

// What the migrations make must be what ent/schema declares: a column that
// only one of the two knows would be found out in production.
func TestMigrationsMakeWhatTheSchemaDeclares(t *testing.T) {
	for name, url := range databases { // in turn: ent fits what it generated to one database at a time
		t.Run(name, func(t *testing.T) { migratesAsDeclared(t, openStore(t, url(t))) })
	}
}

func migratesAsDeclared(t *testing.T, s *Store) {
	t.Helper()
	var missing bytes.Buffer
	err := s.client.Schema.WriteTo(t.Context(), &missing,
		schema.WithDropColumn(true), schema.WithDropIndex(true), schema.WithForeignKeys(true))
	if err != nil {
		t.Fatal(err)
	}
	statements := bytes.ReplaceAll(missing.Bytes(), []byte("PRAGMA foreign_keys = off;\n"), nil)
	statements = bytes.ReplaceAll(statements, []byte("PRAGMA foreign_keys = on;\n"), nil)
	if len(bytes.TrimSpace(statements)) > 0 {
		t.Errorf("ent/migrate lacks what ent/schema declares. Add a migration for %s with:\n%s",
			s.dialect, statements)
	}
}

func TestMigrateAppliesEachMigrationOnce(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), Options{URL: url(t)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closeStore(t, s) })
			status := func() (all []Migration, applied int) {
				t.Helper()
				all, err := s.MigrationStatus(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range all {
					if !m.AppliedAt.IsZero() {
						applied++
					}
				}
				return all, applied
			}
			before, applied := status()
			if len(before) == 0 || applied != 0 {
				t.Fatalf("%d of %d migrations are applied in an empty database, want none of some", applied, len(before))
			}
			first, err := s.Migrate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(first) != len(before) || first[0].Name != before[0].Name || first[0].AppliedAt.IsZero() {
				t.Errorf("the first Migrate applied %v, want all of %v", first, before)
			}
			second, err := s.Migrate(t.Context())
			if err != nil || len(second) != 0 {
				t.Errorf("the second Migrate applied %v, %v, want nothing", second, err)
			}
			if all, applied := status(); applied != len(all) {
				t.Errorf("%d of %d migrations are applied afterwards, want all", applied, len(all))
			}
		})
	}
}

func TestProcessesThatStartTogetherMigrateOnce(t *testing.T) {
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			address := url(t)
			var together sync.WaitGroup
			var mu sync.Mutex
			applied := 0
			for range 3 {
				together.Go(func() {
					s, err := Open(t.Context(), Options{URL: address})
					if err != nil {
						t.Error(err)
						return
					}
					defer closeStore(t, s)
					done, err := s.Migrate(t.Context())
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					applied += len(done)
					mu.Unlock()
				})
			}
			together.Wait()
			all, err := openStore(t, address).MigrationStatus(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if applied != len(all) {
				t.Errorf("three processes applied %d migrations, want %d: each once", applied, len(all))
			}
		})
	}
}

// What was stored under the older tables is still known by its key, there and
// back.
func TestTheKeysOfAFilledFileSurviveTheirMove(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: databases["SQLite"](t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	p, err := s.migrations()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	const events = 1000
	org := delivery.OrgID(7)
	for id := range events {
		key := keyHash(org, delivery.EventID(id+1).String())
		for statement, args := range map[string][]any{
			`INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test, item_name, group_id,
				source_id, variables) VALUES ($1, 7, 5, 0, 0, 0, 1, 0, '', '', '', '{}')`: {id + 1},
			`INSERT INTO event_key (org, key, event, fingerprint, deliveries) VALUES (7, $1, $2, $3, 2)`: {
				key, id + 1, -id,
			},
		} {
			if _, err := s.write.ExecContext(t.Context(), statement, args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		facts(t, s, 1, time.Now(), delivery.Queued) // makes the organization
		again := make([]delivery.NewEvent, events)
		for i := range again {
			key := delivery.EventID(i + 1).String()
			again[i] = delivery.NewEvent{Event: delivery.Event{ID: delivery.EventID(1e6 + i), Org: org}, Key: key}
		}
		for i, got := range ingestAll(t, s, again) {
			want := delivery.Stored{ID: delivery.EventID(i + 1), Fingerprint: uint64(-int64(i)), Deliveries: 2}
			if got != want {
				t.Fatalf("the event stored before is %+v, want %+v", got, want)
			}
		}
		if _, err := p.DownTo(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
	}
}
