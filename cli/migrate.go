package cli

import (
	"context"
	"fmt"
	"time"

	"portalhooks/app"
	"portalhooks/ent"
)

// migrateCmd applies and lists migrations. A server also applies them when it
// starts.
type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply the pending migrations."`
	Status migrateStatusCmd `cmd:"" help:"List the migrations and when they were applied."`
}

type migrateUpCmd struct{ app.DatabaseFlag }

// Run applies the pending migrations.
func (c *migrateUpCmd) Run(ctx context.Context, t terminal) error {
	return withStore(ctx, c.Database, func(store *ent.Store) error {
		applied, err := store.Migrate(ctx)
		if err != nil {
			return err
		}
		for _, m := range applied {
			if _, err := fmt.Fprintf(t.out, "applied %s\n", m.Name); err != nil {
				return err
			}
		}
		if err := store.Prepare(ctx, time.Now()); err != nil {
			return fmt.Errorf("prepare the database: %w", err)
		}
		_, err = fmt.Fprintln(t.out, "The database is up to date.")
		return err
	})
}

type migrateStatusCmd struct{ app.DatabaseFlag }

// Run lists the migrations.
func (c *migrateStatusCmd) Run(ctx context.Context, t terminal) error {
	return withStore(ctx, c.Database, func(store *ent.Store) error {
		all, err := store.MigrationStatus(ctx)
		if err != nil {
			return err
		}
		for _, m := range all {
			applied := "missing"
			if !m.AppliedAt.IsZero() {
				applied = "applied " + m.AppliedAt.UTC().Format(time.RFC3339)
			}
			if _, err := fmt.Fprintf(t.out, "%-28s %s\n", m.Name, applied); err != nil {
				return err
			}
		}
		return nil
	})
}
