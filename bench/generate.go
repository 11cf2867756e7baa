package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/seal"
	"portalhooks/ent"
)

// A History describes the data that Generate creates.
type History struct {
	Database      string
	Deliveries    int           // in a final state; 1,000,000 if zero
	Due           int           // queued deliveries
	Days          int           // over which Deliveries are spread, up to today; 30 if zero
	Organizations int           // 100 if zero
	Webhooks      int           // per organization; 10 if zero
	Keyring       *seal.Keyring // seals the webhooks' secrets; a discarded random key if nil
	Progress      io.Writer     // receives progress messages; optional
}

const (
	maxHistory   = 100_000_000
	maxDays      = 366
	maxGenerated = 100_000 // webhooks of all organizations
)

func (h History) withDefaults() History {
	for n, standard := range map[*int]int{
		&h.Deliveries: 1_000_000, &h.Days: 30, &h.Organizations: 100, &h.Webhooks: 10,
	} {
		if *n == 0 {
			*n = standard
		}
	}
	if h.Progress == nil {
		h.Progress = io.Discard
	}
	return h
}

func (h History) check() error {
	switch {
	case h.Deliveries < 1 || h.Deliveries > maxHistory || h.Due < 0 || h.Due > maxHistory:
		return fmt.Errorf("the number of deliveries must be 1 to %[1]d, that of due ones 0 to %[1]d", maxHistory)
	case h.Days < 1 || h.Days > maxDays:
		return fmt.Errorf("the number of days must be 1 to %d", maxDays)
	case h.Organizations < 1 || h.Webhooks < 1 || h.Organizations > maxGenerated/h.Webhooks:
		return fmt.Errorf("there must be at least one organization and 1 to %d webhooks in total", maxGenerated)
	}
	return nil
}

// Generate fills an empty database with a history of deliveries, for demonstrations
// and measurements. It returns an error if the database is not empty. Generate sends
// nothing, but a server would send the due deliveries; their targets do not exist.
func Generate(ctx context.Context, h History) (err error) {
	h = h.withDefaults()
	if err := h.check(); err != nil {
		return err
	}
	g := &generator{History: h, now: time.Now().UTC()}
	if g.Keyring == nil {
		if g.Keyring, err = newRandomKeyring(); err != nil {
			return err
		}
	}
	if g.db, g.sqlite, err = openForBulkInsert(ctx, h.Database); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.db.Close()) }()
	store, err := ent.Open(ctx, ent.Options{URL: h.Database, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := g.checkEmpty(ctx); err != nil {
		return err
	}
	return g.fill(ctx, store)
}

func newRandomKeyring() (*seal.Keyring, error) {
	key, err := seal.GenerateKey()
	if err != nil {
		return nil, err
	}
	return seal.NewKeyring(key)
}

// A generator creates one history.
type generator struct {
	History

	db     *sql.DB // one connection
	sqlite bool
	now    time.Time
}

// checkEmpty returns an error for a database with foreign tables or with data.
func (g *generator) checkEmpty(ctx context.Context) error {
	tables, ours := `SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()`,
		`SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()
			AND table_name = 'organization'`
	if g.sqlite {
		tables = `SELECT count(*) FROM sqlite_master WHERE type = 'table'`
		ours = tables + ` AND name = 'organization'`
	}
	counts := make([]int, 2)
	for i, query := range []string{tables, ours} {
		if err := g.db.QueryRowContext(ctx, query).Scan(&counts[i]); err != nil {
			return fmt.Errorf("inspect the database: %w", err)
		}
	}
	used := counts[0] > 0
	if counts[1] > 0 {
		if err := g.db.QueryRowContext(ctx,
			"SELECT EXISTS (SELECT 1 FROM organization) OR EXISTS (SELECT 1 FROM queue)").Scan(&used); err != nil {
			return fmt.Errorf("inspect the database: %w", err)
		}
	}
	if used {
		return errors.New("the database is not empty: create a new one for the generated data")
	}
	return nil
}

// fill creates the history. The store must be that of the same database.
func (g *generator) fill(ctx context.Context, store *ent.Store) error {
	if _, err := store.Migrate(ctx); err != nil {
		return err
	}
	for day := range g.Days + 1 {
		if err := store.Prepare(ctx, g.now.AddDate(0, 0, -day)); err != nil {
			return err
		}
	}
	if err := g.configure(ctx, store); err != nil {
		return err
	}
	began := time.Now()
	for day := range g.Days {
		from, to := g.Deliveries*day/g.Days, g.Deliveries*(day+1)/g.Days
		if err := g.insert(ctx, false, from, to); err != nil {
			return fmt.Errorf("insert deliveries: %w", err)
		}
		if tenth := max(1, g.Days/10); (day+1)%tenth == 0 {
			g.progress("%d of %d deliveries, %.0f s", to, g.Deliveries, time.Since(began).Seconds())
		}
	}
	if err := g.insert(ctx, true, 0, g.Due); err != nil {
		return fmt.Errorf("insert due deliveries: %w", err)
	}
	g.progress("%d due deliveries, %.0f s", g.Due, time.Since(began).Seconds())
	if err := g.count(ctx); err != nil {
		return fmt.Errorf("count the deliveries: %w", err)
	}
	return g.maintain(ctx)
}

// maintain does the database maintenance that is due after the inserts.
func (g *generator) maintain(ctx context.Context) error {
	statements := []string{"VACUUM (ANALYZE)"}
	if g.sqlite {
		statements = []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	}
	for _, statement := range statements {
		if _, err := g.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("maintain the database: %w", err)
		}
	}
	return nil
}

func (g *generator) progress(format string, args ...any) {
	fmt.Fprintf(g.Progress, "created "+format+"\n", args...)
}

// start returns the time of the first delivery.
func (g *generator) start() time.Time {
	return g.now.Truncate(24*time.Hour).AddDate(0, 0, 1-g.Days)
}

// millis returns t in the milliseconds of ids.
func millis(t time.Time) int64 { return delivery.IDAt[int64](t) >> 22 }
