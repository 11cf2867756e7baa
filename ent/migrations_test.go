package ent

import (
	"bytes"
	"sync"
	"testing"

	"entgo.io/ent/dialect/sql/schema"

	"portalhooks/ent/migrate"
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
			s.db, statements)
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
			status := func() (all []migrate.Migration, applied int) {
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

func TestServersThatStartTogetherMigrateOnce(t *testing.T) {
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
