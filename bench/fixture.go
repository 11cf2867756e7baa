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

// What every database of a run holds: one organization whose webhooks listen to
// one alert each.
const (
	orgRef       = "bench"
	messageBytes = 1024
	quietAlert   = "quiet" // no webhook listens to it
	unmarked     = "none"  // the element of an event that is not marked
)

// template makes messages of about messageBytes.
var messageTemplate = `{"alert": "#alert_name", "information": "#alert_information", "at": "#alert_start",
	"element": "#alert_element", "event": "#event_id", "delivery": "#delivery_id", "text": "` +
	strings.Repeat("All work and no play makes a dull report. ", 17) + `"}`

// A world is a database with an organization in it.
type world struct {
	*database

	keyring *seal.Keyring
	keyFile []byte // of keyring, for a server
	org     delivery.OrgID
	hooks   int
}

// newWorld makes a database with webhooks that send to the receiver's endpoints
// first to first+hooks-1. Webhook i listens to alert i.
func (b *bench) newWorld(ctx context.Context, first, hooks int) (_ *world, err error) {
	w := &world{hooks: hooks}
	key, err := seal.GenerateKey()
	if err != nil {
		return nil, err
	}
	w.keyFile = []byte(seal.FormatKey(key) + "\n")
	if w.keyring, err = seal.NewKeyring(key); err != nil {
		return nil, err
	}
	if w.database, err = b.server.create(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.drop(ctx))
		}
	}()
	e, err := w.open(ctx, false)
	if err != nil {
		return nil, err
	}
	return w, errors.Join(w.fill(ctx, e.service, b.receiver, first), e.leave(ctx))
}

// fill makes the organization, its items and its webhooks.
func (w *world) fill(ctx context.Context, s *service.Service, r *receiver, first int) error {
	items := []delivery.SyncedItem{{ID: quietAlert, Name: "Quiet", Enabled: true}}
	for i := range w.hooks {
		items = append(items, delivery.SyncedItem{ID: alertID(i), Name: fmt.Sprintf("Alert %d", i), Enabled: true})
	}
	_, err := s.SyncItems(ctx, portal, service.SyncItemsInput{
		OrganizationID: orgRef, OrganizationName: "Benchmark", Kind: delivery.AlertItem, Items: items,
	})
	if err != nil {
		return fmt.Errorf("make the items: %w", err)
	}
	org, err := s.Organization(ctx, delivery.Caller{Name: "bench", Operator: true}, orgRef)
	if err != nil {
		return err
	}
	w.org = org.ID
	admin := delivery.Caller{Name: "bench", Grants: map[delivery.OrgID]delivery.Role{org.ID: delivery.Admin}}
	for i := range w.hooks {
		_, err := s.CreateWebhook(ctx, admin, service.CreateWebhookInput{
			OrganizationID: orgRef, Name: fmt.Sprintf("Webhook %d", i), Type: "ACTIVE_ALERT",
			TargetURL: r.hook(first + i), Template: &messageTemplate,
			Selection: service.SelectionInput{ExternalIDs: []string{alertID(i)}},
		})
		if err != nil {
			return fmt.Errorf("make the webhooks: %w", err)
		}
	}
	return nil
}

func alertID(i int) string { return fmt.Sprintf("alert-%d", i) }

// portal is who submits the events.
var portal = delivery.Caller{Name: "bench", Portal: true}

// An engine is a service in this process.
type engine struct {
	store   *tally
	opened  *ent.Store
	owner   delivery.Owner
	service *service.Service
}

// open returns a service over the database, which does not run. An idle one,
// when it does, delivers nothing: it leaves what is submitted in the queue.
func (w *world) open(ctx context.Context, idle bool) (*engine, error) {
	// A measurement says what is wrong by itself.
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	store, err := ent.Open(ctx, ent.Options{URL: w.url, Logger: logger})
	if err != nil {
		return nil, err
	}
	e := &engine{store: &tally{Store: store, idle: idle}, opened: store}
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
		Owner: e.owner, Keyring: w.keyring, Registry: prometheus.NewRegistry(), Logger: logger,
		Egress: egress.Policy{
			Allow:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			AllowHTTP: true, AnyPort: true,
		},
	})
	return e, nil
}

// leave closes an engine that has not run.
func (e *engine) leave(ctx context.Context) error {
	return errors.Join(e.opened.Leave(ctx, e.owner), e.opened.Close())
}

// run runs the engine while use does, and closes it.
func (e *engine) run(ctx context.Context, use func(ctx context.Context) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop() // an engine that fails ends what uses it
		ended <- e.service.Run(running)
	}()
	used := use(running)
	stop()
	return errors.Join(<-ended, used, e.opened.Close())
}

// A tally is a store that counts what has become final, durably.
type tally struct {
	delivery.Store

	final atomic.Int64
	idle  bool
}

// Settle implements [delivery.Queue].
func (t *tally) Settle(ctx context.Context, batch []delivery.Settlement) ([]bool, error) {
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
func (t *tally) Ingest(
	ctx context.Context, owner delivery.Owner, lease time.Duration, batch []delivery.Ingest,
) ([]delivery.Ingested, error) {
	if t.idle {
		for i := range batch {
			for j := range batch[i].Events {
				unlend(batch[i].Events[j].Deliveries)
			}
		}
	}
	return t.Store.Ingest(ctx, owner, lease, batch)
}

// Claim implements [delivery.Queue].
func (t *tally) Claim(ctx context.Context, c delivery.ClaimRequest) ([]delivery.Job, error) {
	if t.idle {
		return nil, nil
	}
	return t.Store.Claim(ctx, c)
}

// unlend makes deliveries due for anyone instead of lent.
func unlend(deliveries []delivery.Delivery) {
	for i := range deliveries {
		if deliveries[i].State == delivery.Sending {
			deliveries[i].State = delivery.Queued
		}
	}
}
