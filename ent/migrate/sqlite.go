package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// sqliteRuns is how often migrations are applied on SQLite, where no lock spans
// several transactions: when two servers begin the same migration, the second
// waits for the first and then fails, with nothing changed. A later run sees
// what the first has done.
const sqliteRuns = 12

func sqliteTarget() target {
	return target{
		folder:    "sqlite",
		dialect:   goose.DialectCustom,
		exclusion: appliedOnce,
		runs:      sqliteRuns,
		patiently: func(run func() error) error { return run() },
	}
}

func appliedOnce() (goose.ProviderOption, error) {
	store, err := database.NewStore(database.DialectSQLite3, goose.DefaultTablename)
	return goose.WithStore(versionStore{store}), err
}

// A versionStore records which migrations were applied, each once: a migration
// that replaces something, such as an index, would succeed twice.
type versionStore struct{ database.Store }

// Insert implements [database.Store], in the transaction of the migration.
func (s versionStore) Insert(ctx context.Context, db database.DBTxConn, r database.InsertRequest) error {
	_, err := s.GetMigration(ctx, db, r.Version)
	switch {
	case err == nil:
		return fmt.Errorf("migration %d: another process has applied it", r.Version)
	case !errors.Is(err, database.ErrVersionNotFound):
		return err
	}
	return s.Store.Insert(ctx, db, r)
}
