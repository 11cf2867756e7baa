package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portalhooks/delivery"
	"portalhooks/delivery/egress"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/service"
	"portalhooks/ent"
)

// The contents of every database of a run: one organization, each of whose webhooks
// selects one alert.
const (
	orgRef       = "bench"
	messageBytes = 1024
	quietAlert   = "quiet" // selected by no webhook
	unmarked     = "none"  // element of an unmarked event
)

// messageTemplate renders to about messageBytes.
var messageTemplate = `{"alert": "#alert_name", "information": "#alert_information", "at": "#alert_start",
	"element": "#alert_element", "event": "#event_id", "delivery": "#delivery_id", "text": "` +
	strings.Repeat("All work and no play makes a dull report. ", 17) + `"}`

// A fixture is a database with one organization.
type fixture struct {
	*database

	keyring *seal.Keyring
	keyFile []byte // key file with keyring's key
	org     delivery.OrgID
	hooks   int
}

// newFixture creates a database with webhooks that target the receiver's endpoints
// first to first+hooks-1. Webhook i selects alert i.
func (b *bench) newFixture(ctx context.Context, first, hooks int) (_ *fixture, err error) {
	fx := &fixture{hooks: hooks}
	key, err := seal.GenerateKey()
	if err != nil {
		return nil, err
	}
	fx.keyFile = []byte(seal.FormatKey(key) + "\n")
	if fx.keyring, err = seal.NewKeyring(key); err != nil {
		return nil, err
	}
	if fx.database, err = b.databases.create(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, fx.drop(ctx))
		}
	}()
	e, err := fx.open(ctx, false)
	if err != nil {
		return nil, err
	}
	return fx, errors.Join(fx.fill(ctx, e.service, b.receiver, first), e.close(ctx))
}

// fill creates the organization with its items and webhooks.
func (fx *fixture) fill(ctx context.Context, s *service.Service, r *receiver, first int) error {
	items := []delivery.SyncedItem{{ID: quietAlert, Name: "Quiet", Enabled: true}}
	for i := range fx.hooks {
		items = append(items, delivery.SyncedItem{ID: alertID(i), Name: fmt.Sprintf("Alert %d", i), Enabled: true})
	}
	_, err := s.SyncItems(ctx, portal, service.SyncItemsInput{
		OrganizationID: orgRef, OrganizationName: "Benchmark", Kind: delivery.AlertItem, Items: items,
	})
	if err != nil {
		return fmt.Errorf("create the items: %w", err)
	}
	org, err := s.Organization(ctx, delivery.Caller{Name: "bench", Operator: true}, orgRef)
	if err != nil {
		return err
	}
	fx.org = org.ID
	admin := delivery.Caller{Name: "bench", Grants: map[delivery.OrgID]delivery.Role{org.ID: delivery.Admin}}
	for i := range fx.hooks {
		_, err := s.CreateWebhook(ctx, admin, service.CreateWebhookInput{
			OrganizationID: orgRef, Name: fmt.Sprintf("Webhook %d", i), Type: "ACTIVE_ALERT",
			TargetURL: r.hook(first + i), Template: &messageTemplate,
			Selection: service.SelectionInput{ExternalIDs: []string{alertID(i)}},
		})
		if err != nil {
			return fmt.Errorf("create the webhooks: %w", err)
		}
	}
	return nil
}

func alertID(i int) string { return fmt.Sprintf("alert-%d", i) }

// portal is the caller that submits the events.
var portal = delivery.Caller{Name: "bench", Portal: true}

// An engine is a delivery service in this process.
type engine struct {
	store   *countingStore
	opened  *ent.Store
	owner   delivery.Owner
	service *service.Service
}

// open returns an engine for the database, which is not running yet. An idle engine
// delivers nothing: it leaves submitted events in the queue.
func (fx *fixture) open(ctx context.Context, idle bool) (*engine, error) {
	// Measurements report their own errors.
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	store, err := ent.Open(ctx, ent.Options{URL: fx.url, Logger: logger})
	if err != nil {
		return nil, err
	}
	e := &engine{store: &countingStore{Store: store, idle: idle}, opened: store}
	if _, err = store.Migrate(ctx); err == nil {
		err = store.Prepare(ctx, time.Now())
	}
	if err == nil {
		e.owner, err = store.Join(ctx, "bench", delivery.SlotTTL)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	e.service = service.New(e.store, service.Options{
		Owner: e.owner, Keyring: fx.keyring, Registry: prometheus.NewRegistry(), Logger: logger,
		Egress: egress.Policy{
			Allow:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			AllowHTTP: true, AnyPort: true,
		},
	})
	return e, nil
}

// close closes an engine that has not run.
func (e *engine) close(ctx context.Context) error {
	return errors.Join(e.opened.Leave(ctx, e.owner), e.opened.Close())
}

// run runs the engine until use returns, and closes it.
func (e *engine) run(ctx context.Context, use func(ctx context.Context) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop() // a failure of the engine ends use
		ended <- e.service.Run(running)
	}()
	used := use(running)
	stop()
	return errors.Join(<-ended, used, e.opened.Close())
}

// A countingStore is a store that counts the deliveries stored in a final state.
type countingStore struct {
	delivery.Store

	final atomic.Int64
	idle  bool
}

// Settle implements [delivery.Queue].
func (t *countingStore) Settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error) {
	held, err := t.Store.Settle(ctx, batch)
	n := 0
	for i := range held {
		if held[i] && batch[i].Entry.Delivery.State.Final() {
			n++
		}
	}
	t.final.Add(int64(n))
	return held, err
}

// Ingest implements [delivery.Queue].
func (t *countingStore) Ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) ([]delivery.Ingested, error) {
	if t.idle {
		for i := range batch {
			for j := range batch[i].Events {
				release(batch[i].Events[j].Deliveries)
			}
		}
	}
	return t.Store.Ingest(ctx, owner, lease, batch)
}

// Claim implements [delivery.Queue].
func (t *countingStore) Claim(ctx context.Context, c delivery.ClaimRequest) ([]delivery.Job, error) {
	if t.idle {
		return nil, nil
	}
	return t.Store.Claim(ctx, c)
}

// release queues deliveries instead of leasing them to this server.
func release(deliveries []delivery.Delivery) {
	for i := range deliveries {
		if deliveries[i].State == delivery.Sending {
			deliveries[i].State = delivery.Queued
		}
	}
}
