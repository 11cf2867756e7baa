package ent

import (
	"bytes"
	"crypto/sha256"
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

// What was stored by an older program, under hashes, is still known by its key.
func TestTheKeysOfAFilledDatabaseSurviveTheirMoves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from  int64 // the version that the rows are made for
		again bool  // whether it also goes back there
	}{"SQLite": {3, true}, "PostgreSQL": {12, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), Options{URL: databases[name](t)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closeStore(t, s) })
			p, err := targetOf(s.db).provider(s.db, s.logger)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(t.Context(), c.from); err != nil {
				t.Fatal(err)
			}
			if !isSQLite(s) {
				if err := s.Prepare(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			first := storeUnderHashes(t, s)
			known(t, s, first)
			if !c.again {
				return
			}
			if _, err := p.DownTo(t.Context(), c.from); err != nil {
				t.Fatal(err)
			}
			known(t, s, first)
		})
	}
}

// storedFacts are facts with the keys that package delivery makes for them.
var storedFacts = []struct {
	kind                         delivery.EventType
	source, workspace, variables string
	key                          string
}{
	{delivery.ActiveAlert, "64b0c3a9e1f2d3c4b5a69788", "", `{}`, delivery.SourceKey("64b0c3a9e1f2d3c4b5a69788")},
	{delivery.ObjectCreated, "64B0", "", `{}`, delivery.SourceKey("64B0")},
	{delivery.ObjectDeleted, "64b", "", `{}`, delivery.SourceKey("64b")},
	{delivery.ObjectModified, "né 'te\\", "", `{}`, delivery.SourceKey("né 'te\\")},
	{delivery.OperationExecuted, "s", "", `{"operation_id":"64b0c3a9"}`, "ox\x04\x64\xb0\xc3\xa9"},
	{delivery.OperationInWorkspace, "s", "00ff", `{"operation_id":"op-1"}`, "wtop-1\x00x\x02\x00\xff"},
	{
		delivery.ExecutedMicroservice, "s", "ws-1", `{"microservice_id":"0a","operation_id":"op-1"}`,
		"mtop-1\x00x\x01\x0atws-1\x00",
	},
}

// storeUnderHashes stores storedFacts as an older program did, and returns the
// id of the first; the others follow.
func storeUnderHashes(t *testing.T, s *Store) (first delivery.EventID) {
	t.Helper()
	first = delivery.EventID(delivery.NewIDs(1).Next())
	for i, f := range storedFacts {
		id, hash := int64(first)+int64(i), sha256.Sum256([]byte(f.key))
		for _, c := range []struct {
			statement string
			args      []any
		}{
			{
				`INSERT INTO event (id, org, item, occurred_at, group_key, source_key, type, test, item_name, group_id,
				source_id, workspace_id, variables) VALUES ($1, 7, 5, 0, 0, 0, $2, FALSE, '', '', $3, $4, $5)`,
				[]any{id, typeWords.code(f.kind), f.source, textOrNull(f.workspace), f.variables},
			},
			{
				`INSERT INTO event_key (org, key, event, fingerprint, deliveries) VALUES (7, $1, $2, $3, 2)`,
				[]any{hash[:16], id, -i},
			},
		} {
			if _, err := s.db.Writer().ExecContext(t.Context(), c.statement, c.args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	return first
}

// known migrates, and fails if storedFacts are not known, or not found.
func known(t *testing.T, s *Store, first delivery.EventID) {
	t.Helper()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	facts(t, s, 1, time.Now(), delivery.Queued) // makes the organization
	again := make([]delivery.NewEvent, len(storedFacts))
	for i, f := range storedFacts {
		e := delivery.Event{ID: delivery.EventID(1e6 + i), Org: 7, Type: f.kind}
		again[i] = delivery.NewEvent{Event: e, Key: f.key}
	}
	for i, got := range ingestAll(t, s, again) {
		want := delivery.Stored{ID: first + delivery.EventID(i), Fingerprint: uint64(-int64(i)), Deliveries: 2}
		if got != want {
			t.Errorf("the fact %+v is %+v, want %+v", storedFacts[i], got, want)
		}
	}
	for i, f := range storedFacts {
		filter := delivery.EventFilter{SourceEventID: f.source}
		page, err := s.Events(t.Context(), 7, filter, delivery.Page{First: 9})
		if err != nil {
			t.Fatal(err)
		}
		if f.source != "s" && (len(page.Items) != 1 || page.Items[0].ID != first+delivery.EventID(i)) {
			t.Errorf("the source %q has %v", f.source, page.Items)
		}
	}
}
