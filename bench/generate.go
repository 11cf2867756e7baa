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

// A History is what Generate makes. The zero value of a number is its default.
type History struct {
	Database      string
	Deliveries    int           // that are over; 1,000,000
	Due           int           // that wait; none
	Days          int           // that the former are spread over, the last of them today; 30
	Organizations int           // 100
	Webhooks      int           // of each organization; 10
	Keyring       *seal.Keyring // seals the webhooks' secrets; a key that nobody knows if nil
	Progress      io.Writer     // is told what is being made; nobody if nil
}

const (
	maxHistory   = 100_000_000
	maxDays      = 366
	maxGenerated = 100_000 // webhooks in all
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
		return fmt.Errorf("a history has 1 to %d deliveries, and up to as many that are due", maxHistory)
	case h.Days < 1 || h.Days > maxDays:
		return fmt.Errorf("a history has 1 to %d days", maxDays)
	case h.Organizations < 1 || h.Webhooks < 1 || h.Organizations > maxGenerated/h.Webhooks:
		return fmt.Errorf("a history has up to %d webhooks of at least one organization", maxGenerated)
	}
	return nil
}

// Generate fills an empty database with a history of deliveries, for others to
// look at or to measure. It refuses a database that has anything in it. Nothing
// is sent, but the deliveries that are due would be by a server; their targets
// do not exist.
func Generate(ctx context.Context, h History) (err error) {
	h = h.withDefaults()
	if err := h.check(); err != nil {
		return err
	}
	g := &generator{History: h, now: time.Now().UTC()}
	if g.Keyring == nil {
		if g.Keyring, err = unknownKey(); err != nil {
			return err
		}
	}
	if g.db, g.sqlite, err = openForFilling(ctx, h.Database); err != nil {
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

func unknownKey() (*seal.Keyring, error) {
	key, err := seal.GenerateKey()
	if err != nil {
		return nil, err
	}
	return seal.NewKeyring(key)
}

// A generator makes one history.
type generator struct {
	History

	db     *sql.DB // one connection
	sqlite bool
	now    time.Time
}

// checkEmpty refuses a database in which somebody else has tables, or which has
// been used.
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
			return fmt.Errorf("look what is in the database: %w", err)
		}
	}
	used := counts[0] > 0
	if counts[1] > 0 {
		if err := g.db.QueryRowContext(ctx,
			"SELECT EXISTS (SELECT 1 FROM organization) OR EXISTS (SELECT 1 FROM queue)").Scan(&used); err != nil {
			return fmt.Errorf("look what is in the database: %w", err)
		}
	}
	if used {
		return errors.New("the database is not empty: make one for this, in which there is nothing to lose")
	}
	return nil
}

// fill makes everything. The store belongs to the same database.
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
			return fmt.Errorf("make deliveries: %w", err)
		}
		if tenth := max(1, g.Days/10); (day+1)%tenth == 0 {
			g.tell("%d of %d deliveries, %.0f s", to, g.Deliveries, time.Since(began).Seconds())
		}
	}
	if err := g.insert(ctx, true, 0, g.Due); err != nil {
		return fmt.Errorf("make deliveries that are due: %w", err)
	}
	g.tell("%d due deliveries, %.0f s", g.Due, time.Since(began).Seconds())
	if err := g.count(ctx); err != nil {
		return fmt.Errorf("count the deliveries: %w", err)
	}
	return g.settleDown(ctx)
}

// settleDown leaves the database as its upkeep would have.
func (g *generator) settleDown(ctx context.Context) error {
	statements := []string{"VACUUM (ANALYZE)"}
	if g.sqlite {
		statements = []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	}
	for _, statement := range statements {
		if _, err := g.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("tidy up: %w", err)
		}
	}
	return nil
}

func (g *generator) tell(format string, args ...any) {
	fmt.Fprintf(g.Progress, "made "+format+"\n", args...)
}

// start returns when the first delivery was made.
func (g *generator) start() time.Time {
	return g.now.Truncate(24*time.Hour).AddDate(0, 0, 1-g.Days)
}

// millis is t on the clock of the ids.
func millis(t time.Time) int64 { return delivery.IDAt[int64](t) >> 22 }
