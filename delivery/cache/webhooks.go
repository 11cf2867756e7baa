package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"portalhooks/delivery"

	"golang.org/x/sync/singleflight"
)

const (
	configsKept = 64 << 20         // bytes, of all organizations
	configAge   = time.Second      // after which the ConfigVersion is compared again
	loadTimeout = 10 * time.Second // of one query for several callers
)

// A Config is an organization's webhooks as they stood at one ConfigVersion. It
// is immutable but for the targets that are opened on demand.
type Config struct {
	Org      delivery.Organization
	Webhooks []delivery.Webhook

	byID      map[delivery.WebhookID]*delivery.Webhook
	listening map[delivery.EventType][]*delivery.Webhook
	senders   map[senderKey][]*delivery.Webhook

	mu      sync.Mutex
	targets map[delivery.WebhookID]*openTarget
}

func newConfig(org delivery.Organization, webhooks []delivery.Webhook) *Config {
	c := &Config{
		Org: org, Webhooks: webhooks,
		byID:      make(map[delivery.WebhookID]*delivery.Webhook, len(webhooks)),
		listening: make(map[delivery.EventType][]*delivery.Webhook),
		senders:   make(map[senderKey][]*delivery.Webhook),
		targets:   make(map[delivery.WebhookID]*openTarget),
	}
	for i := range webhooks {
		w := &webhooks[i]
		c.byID[w.ID] = w
		key := senderKey{w.Version.Type, delivery.TargetPlace(w.Version.Target)}
		c.senders[key] = append(c.senders[key], w)
		if w.Version.Listening {
			c.listening[w.Version.Type] = append(c.listening[w.Version.Type], w)
		}
	}
	return c
}

// Webhook returns the webhook id, if it exists.
func (c *Config) Webhook(id delivery.WebhookID) (w *delivery.Webhook, ok bool) {
	w, ok = c.byID[id]
	return w, ok
}

// Listening returns the webhooks that take events of the type t.
func (c *Config) Listening(t delivery.EventType) []*delivery.Webhook { return c.listening[t] }

// configWeight is about how many bytes a configuration takes in memory, with the
// targets that are opened. Templates are not in it.
func configWeight(e configEntry) int {
	const organization, webhook, id = 2 << 10, 2 << 10, 8
	weight := organization
	for i := range e.config.Webhooks {
		v := &e.config.Webhooks[i].Version
		weight += webhook + id*len(v.Selection.Items) + 2*len(v.Target) + len(v.Name)
		for _, h := range v.Headers {
			weight += 2 * (len(h.Name) + len(h.Value) + len(h.Sealed))
		}
	}
	return weight
}

// A senderKey is what webhooks must share to send the same event to the same
// target.
type senderKey struct {
	Type  delivery.EventType
	place string
}

// Overlaps returns the webhooks other than id that share events and target
// with v.
func (c *Config) Overlaps(id delivery.WebhookID, v *delivery.WebhookVersion) []*delivery.Webhook {
	var found []*delivery.Webhook
	for _, other := range c.senders[senderKey{v.Type, delivery.TargetPlace(v.Target)}] {
		if other.ID != id && delivery.Overlaps(v.Selection, other.Version.Selection) {
			found = append(found, other)
		}
	}
	return found
}

// Webhooks keeps organizations' configurations. A change made by another
// server is noticed after configAge at the latest; until then ingest is told
// by the store that what it matched against is stale.
type Webhooks struct {
	store   delivery.Store
	entries *weighed[delivery.OrgID, configEntry]
	flight  singleflight.Group
	drops   atomic.Int64 // how often drop was called: a load that began before may be old
}

type configEntry struct {
	config  *Config
	checked time.Time
}

// NewWebhooks returns an empty cache over store.
func NewWebhooks(store delivery.Store) *Webhooks {
	return &Webhooks{store: store, entries: newWeighed[delivery.OrgID](configsKept, configWeight)}
}

// Get returns the configuration of org, at most configAge old where another
// server changes it. It returns NotFound for an unknown organization.
func (k *Webhooks) Get(ctx context.Context, org delivery.OrgID) (*Config, error) {
	entry, ok := k.entries.Get(org)
	if ok && time.Since(entry.checked) < configAge {
		return entry.config, nil
	}
	return k.refresh(ctx, org, entry.config)
}

// refresh returns the configuration of org as the store has it. Known is what was
// read last, or nil.
func (k *Webhooks) refresh(ctx context.Context, org delivery.OrgID, known *Config) (*Config, error) {
	drops := k.drops.Load()
	// Callers that wait share the query, so no single one may cancel it.
	done := k.flight.DoChan(fmt.Sprint(drops, org), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return k.load(ctx, org, known, drops)
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*Config), nil
	}
}

// Latest returns the configuration of org as it was known last, however old.
func (k *Webhooks) Latest(ctx context.Context, org delivery.OrgID) (*Config, error) {
	if entry, ok := k.entries.Get(org); ok {
		return entry.config, nil
	}
	return k.Get(ctx, org)
}

// load returns the configuration that known still is, or else reads it again.
func (k *Webhooks) load(
	ctx context.Context, org delivery.OrgID, known *Config, drops int64,
) (*Config, error) {
	checked := time.Now()
	if known != nil {
		found, err := k.store.OrganizationsByID(ctx, []delivery.OrgID{org})
		if err != nil {
			return nil, fmt.Errorf("compare the configuration of %s: %w", org, err)
		}
		if len(found) == 1 && found[0].ConfigVersion == known.Org.ConfigVersion {
			k.keep(org, configEntry{known, checked}, drops)
			return known, nil
		}
	}
	found, webhooks, err := k.store.Config(ctx, org)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", org, err)
	}
	if found.ID == 0 {
		return nil, delivery.ErrNotFound
	}
	config := newConfig(found, webhooks)
	k.keep(org, configEntry{config, checked}, drops)
	return config, nil
}

func (k *Webhooks) keep(org delivery.OrgID, e configEntry, drops int64) {
	if k.drops.Load() == drops {
		k.entries.Add(org, e)
	}
}

// Drop forgets the configuration of org: it has changed.
func (k *Webhooks) Drop(org delivery.OrgID) {
	k.drops.Add(1)
	k.entries.Remove(org)
}
