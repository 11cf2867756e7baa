package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"

	"portalhooks/ent/sqldb"
)

// A Migration is one reviewed change of the tables.
type Migration struct {
	Version   int64
	Name      string    // of its file
	AppliedAt time.Time // zero while it is pending
}

// Up brings the tables up to date and returns what it applied. Any number of
// servers may do so at once: each migration is applied by one of them.
func Up(ctx context.Context, db sqldb.Database, logger *slog.Logger) ([]Migration, error) {
	t := targetOf(db)
	p, err := t.provider(db, logger)
	if err != nil {
		return nil, err
	}
	var results []*goose.MigrationResult
	err = t.patiently(func() (err error) {
		results, err = t.up(ctx, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("migrate the %s database: %w", db, err)
	}
	applied := make([]Migration, len(results))
	for i, r := range results {
		applied[i] = Migration{Version: r.Source.Version, Name: r.Source.Path, AppliedAt: time.Now().UTC()}
	}
	return applied, nil
}

// Status lists every migration, oldest first.
func Status(ctx context.Context, db sqldb.Database, logger *slog.Logger) ([]Migration, error) {
	p, err := targetOf(db).provider(db, logger)
	if err != nil {
		return nil, err
	}
	results, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the migrations of the %s database: %w", db, err)
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

// A target is what applying migrations needs to know about a database.
type target struct {
	folder  string // of Files
	dialect goose.Dialect
	// exclusion keeps servers that start together from applying a migration twice.
	exclusion func() (goose.ProviderOption, error)
	runs      int                          // how often up may run
	patiently func(run func() error) error // runs statements that may take long
}

func targetOf(db sqldb.Database) target {
	if db, ok := db.(*sqldb.Postgres); ok {
		return postgresTarget(db)
	}
	return sqliteTarget()
}

// up applies what is pending and returns also what earlier runs applied.
func (t target) up(ctx context.Context, p *goose.Provider) (results []*goose.MigrationResult, err error) {
	pause := sqldb.Pauses()
	for run := 1; ; run++ {
		more, err := p.Up(ctx)
		if partly, ok := errors.AsType[*goose.PartialError](err); ok {
			more = partly.Applied
		}
		results = append(results, more...)
		if err == nil || run == t.runs || !pause.Sleep(ctx) {
			return results, err
		}
	}
}

// provider prepares goose for the database.
func (t target) provider(db sqldb.Database, logger *slog.Logger) (*goose.Provider, error) {
	option, err := t.exclusion()
	if err != nil {
		return nil, fmt.Errorf("prepare for other servers that migrate: %w", err)
	}
	files, err := fs.Sub(Files, t.folder)
	if err != nil {
		return nil, fmt.Errorf("find the migrations: %w", err)
	}
	p, err := goose.NewProvider(t.dialect, db.Writer(), files, goose.WithSlog(logger), option)
	if err != nil {
		return nil, errors.Join(errors.New("read the migrations"), err)
	}
	return p, nil
}
