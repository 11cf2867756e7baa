package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"portalhooks/app"
	"portalhooks/ent"
)

// databaseFlag is for commands that work on the database of a server. None of
// them makes one.
type databaseFlag struct {
	Database string `help:"The server's database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME; Default: the database of the development server in this folder, otherwise sqlite:data/portalhooks.db." placeholder:"URL"`
}

// at returns the URL of the database.
func (f databaseFlag) at() string {
	if f.Database != "" {
		return f.Database
	}
	found, err := app.ReadCredentials(filepath.Join(app.DataFolder, app.CredentialFile))
	if err == nil && found.Database != "" {
		return found.Database
	}
	return "sqlite:data/portalhooks.db"
}

// withTables opens the database, whose tables must be up to date, and closes it
// afterwards.
func (f databaseFlag) withTables(ctx context.Context, use func(*ent.Store) error) error {
	store, err := ent.Open(ctx, ent.Options{URL: f.at(), Existing: true})
	if err != nil {
		return err
	}
	if err := checkTables(ctx, store, f.at()); err != nil {
		return errors.Join(err, store.Close())
	}
	return errors.Join(use(store), store.Close())
}

// checkTables refuses a database whose tables a server of this version has not
// seen to yet.
func checkTables(ctx context.Context, store *ent.Store, url string) error {
	all, err := store.MigrationStatus(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.AppliedAt.IsZero() {
			return fmt.Errorf("the tables of the database %s are missing or older than this program: start the "+
				"server first, or bring them up to date with \"portalhooks migrate up\"", nameOf(url))
		}
	}
	return nil
}

// nameOf returns the URL of a database without its password and settings.
func nameOf(database string) string {
	if !strings.HasPrefix(database, "postgres") {
		return database
	}
	u, err := url.Parse(database)
	if err != nil {
		return "PostgreSQL"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// withStore opens the database for use, makes one where there is none, and closes
// it afterwards.
func withStore(ctx context.Context, url string, use func(*ent.Store) error) error {
	store, err := ent.Open(ctx, ent.Options{URL: url})
	if err != nil {
		return err
	}
	return errors.Join(use(store), store.Close())
}
