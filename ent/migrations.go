package ent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"portalhooks/ent/migrate"
)

// A Migration is one reviewed change of the tables.
type Migration struct {
	Version   int64
	Name      string    // of its file
	AppliedAt time.Time // zero while it is pending
}

// Migrate brings the tables up to date and returns what it applied. Any number
// of processes may do so at once: each migration is applied by one of them.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	p, err := s.migrations()
	if err != nil {
		return nil, err
	}
	// A migration may take long.
	s.wire.patient.Store(true)
	defer s.wire.patient.Store(false)
	var results []*goose.MigrationResult
	pause := pauses()
	for try := 1; ; try++ {
		more, err := p.Up(ctx)
		if partly, ok := errors.AsType[*goose.PartialError](err); ok {
			more = partly.Applied
		}
		results = append(results, more...)
		if err == nil {
			break
		}
		if s.dialect == postgresDialect || try == sqliteTries || !pause.Sleep(ctx) {
			return nil, fmt.Errorf("migrate the %s database: %w", s.dialect, err)
		}
	}
	applied := make([]Migration, len(results))
	for i, r := range results {
		applied[i] = Migration{Version: r.Source.Version, Name: r.Source.Path, AppliedAt: time.Now().UTC()}
	}
	return applied, nil
}

// sqliteTries is how often Migrate tries on SQLite, where no lock spans several
// transactions: when two processes begin the same migration, the second waits
// for the first and then fails, with nothing changed. A later try sees what the
// first has done.
const sqliteTries = 12

// A versionStore writes down which migrations were applied, each once: what one
// does in the place of another, such as making an index anew, would work twice.
type versionStore struct{ database.Store }

// migratingOnce is how processes that start together on SQLite find each other.
func migratingOnce() (goose.ProviderOption, error) {
	store, err := database.NewStore(database.DialectSQLite3, goose.DefaultTablename)
	return goose.WithStore(versionStore{store}), err
}

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

// MigrationStatus lists every migration, oldest first.
func (s *Store) MigrationStatus(ctx context.Context) ([]Migration, error) {
	p, err := s.migrations()
	if err != nil {
		return nil, err
	}
	results, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the migrations of the %s database: %w", s.dialect, err)
	}
	all := make([]Migration, len(results))
	for i, r := range results {
		all[i] = Migration{Version: r.Source.Version, Name: r.Source.Path, AppliedAt: r.AppliedAt.UTC()}
		if r.State == goose.StatePending {
			all[i].AppliedAt = time.Time{}
		}
	}
	return all, nil
}

// migrations prepares goose for the dialect.
func (s *Store) migrations() (*goose.Provider, error) {
	folder, d, together := "sqlite", goose.DialectCustom, migratingOnce
	if s.dialect == postgresDialect {
		folder, d, together = "postgres", goose.DialectPostgres, s.migrationLock
	}
	option, err := together()
	if err != nil {
		return nil, fmt.Errorf("prepare for others who migrate: %w", err)
	}
	files, err := fs.Sub(migrate.Files, folder)
	if err != nil {
		return nil, fmt.Errorf("find the migrations: %w", err)
	}
	p, err := goose.NewProvider(d, s.write, files, goose.WithSlog(s.logger), option)
	if err != nil {
		return nil, errors.Join(errors.New("read the migrations"), err)
	}
	return p, nil
}

// migrationLock is where processes that start together on PostgreSQL wait for
// each other: at a lock of the session, or, where a pooler gives each
// transaction another session, at a row.
func (s *Store) migrationLock() (goose.ProviderOption, error) {
	if !s.pooled {
		locker, err := lock.NewPostgresSessionLocker()
		return goose.WithSessionLocker(locker), err
	}
	locker, err := lock.NewPostgresTableLocker(lock.WithTableLockTimeout(time.Second, 300))
	return goose.WithLocker(locker), err
}
