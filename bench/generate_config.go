package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/service"
	"portalhooks/ent"
)

// openForBulkInsert opens one connection for fast writes. It does not wait for the
// disk: after a crash the data is generated again.
func openForBulkInsert(ctx context.Context, text string) (db *sql.DB, isSQLite bool, err error) {
	driver, source := "postgres", text
	scheme, rest, _ := strings.Cut(text, ":")
	switch strings.ToLower(scheme) {
	case "sqlite", "sqlite3", "file":
		path := strings.TrimPrefix(rest, "//")
		driver, isSQLite = "sqlite", true
		source = "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)" +
			"&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-262144)" +
			"&_pragma=temp_store(MEMORY)"
	case "postgres", "postgresql":
	default:
		return nil, false, errors.New("--database must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
	}
	if db, err = sql.Open(driver, source); err != nil {
		return nil, false, err
	}
	db.SetMaxOpenConns(1)
	if !isSQLite {
		_, err = db.ExecContext(ctx, "SET synchronous_commit = off; SET work_mem = '64MB'")
	}
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("connect to PostgreSQL: %w", err), db.Close())
	}
	return db, isSQLite, nil
}

// configure creates the organizations and their webhooks through the service, and a
// temporary table in which the statements look up webhooks by number.
func (g *generator) configure(ctx context.Context, store *ent.Store) (err error) {
	owner, err := store.Join(ctx, "portalhooks generate", delivery.SlotTTL)
	if err != nil {
		return fmt.Errorf("lease a slot: %w", err)
	}
	defer func() { err = errors.Join(err, store.Leave(ctx, owner)) }()
	service := service.New(store, service.Options{
		Owner: owner, Keyring: g.Keyring, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Egress: egress.Policy{
			Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllowHTTP: true, AnyPort: true,
		},
	})
	if _, err := g.db.ExecContext(ctx, `CREATE TEMPORARY TABLE generated (place INTEGER PRIMARY KEY,
		webhook BIGINT NOT NULL, org BIGINT NOT NULL, version BIGINT NOT NULL, item BIGINT NOT NULL,
		type INTEGER NOT NULL)`); err != nil {
		return err
	}
	for i := range g.Organizations {
		if err := g.organization(ctx, service, store, i); err != nil {
			return fmt.Errorf("create organization %d: %w", i, err)
		}
	}
	g.progress("%d organizations with %d webhooks each", g.Organizations, g.Webhooks)
	return nil
}

// organization creates one organization. Its webhooks are for active alerts (type 1)
// or executed operations (type 6).
func (g *generator) organization(ctx context.Context, s *service.Service, store *ent.Store, i int) error {
	ref, kind, typ, code := fmt.Sprintf("generated-%03d", i), delivery.AlertItem, delivery.ActiveAlert, 1
	if i%2 == 1 {
		kind, typ, code = delivery.OperationItem, delivery.OperationExecuted, 6
	}
	items := []delivery.SyncedItem{{ID: "generated", Name: "Disk space is low", Enabled: true}}
	if _, err := s.SyncItems(ctx, portal, service.SyncItemsInput{
		OrganizationID: ref, OrganizationName: fmt.Sprintf("Generated %03d", i), Kind: kind, Items: items,
	}); err != nil {
		return err
	}
	org, err := store.OrganizationByExternalID(ctx, ref)
	if err != nil {
		return err
	}
	item, err := store.ItemsByExternalID(ctx, org.ID, kind, []string{"generated"})
	if err != nil {
		return err
	}
	admin := delivery.Caller{Name: "generate", Grants: map[delivery.OrgID]delivery.Role{org.ID: delivery.Admin}}
	for w := range g.Webhooks {
		made, err := s.CreateWebhook(ctx, admin, service.CreateWebhookInput{
			OrganizationID: ref, Name: fmt.Sprintf("Webhook %d", w), Type: typ,
			TargetURL: fmt.Sprintf("http://127.0.0.1:9/%s/%d", ref, w), Selection: service.SelectionInput{All: true},
		})
		if err != nil {
			return err
		}
		_, err = g.db.ExecContext(ctx, fmt.Sprintf("INSERT INTO generated VALUES (%d, %d, %d, %d, %d, %d)",
			i*g.Webhooks+w, made.Webhook.ID, org.ID, made.Webhook.Version.ID, item[0].ID, code))
		if err != nil {
			return err
		}
	}
	return nil
}
