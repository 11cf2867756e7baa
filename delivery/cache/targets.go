package cache

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/seal"
	"portalhooks/delivery/signature"
)

// A Target is what calls of a webhook need now, secrets opened. Its headers and
// secrets are shared: don't change them.
type Target struct {
	Webhook delivery.Webhook
	URL     string
	Headers http.Header
	Secrets []signature.Secret // that sign now, newest first
	Policy  delivery.Policy
	Deleted bool // the webhook is; nothing else but Webhook is set
}

// An openTarget is a target with the secrets that will expire.
type openTarget struct {
	headers http.Header
	secrets []openSecret
}

type openSecret struct {
	secret    signature.Secret
	expiresAt time.Time
}

// Targets finds out what calls of webhooks need.
type Targets struct {
	store    delivery.WebhookStore
	webhooks *Webhooks
	keys     *seal.Keyring
}

// NewTargets returns targets of the webhooks in store, whose secrets keys opens.
func NewTargets(store delivery.WebhookStore, webhooks *Webhooks, keys *seal.Keyring) *Targets {
	return &Targets{store: store, webhooks: webhooks, keys: keys}
}

// Of returns what a call of the webhook id needs, as it is now, from the version
// of the given number on: an older one in the cache is out of date. A webhook of
// an organization that does not exist counts as deleted. Where the secrets can't
// be opened it returns that error with the rest.
func (t *Targets) Of(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, number int,
) (*Target, error) {
	config, err := t.webhooks.Get(ctx, org)
	if err == nil && config.byID[id] != nil && config.byID[id].Version.Number < number {
		t.webhooks.Drop(org)
		config, err = t.webhooks.Get(ctx, org)
	}
	if delivery.CodeOf(err) == delivery.NotFound {
		return &Target{Webhook: delivery.Webhook{ID: id, Org: org}, Deleted: true}, nil
	}
	if err != nil {
		return nil, err
	}
	w, ok := config.byID[id]
	if !ok {
		return t.missingTarget(ctx, org, id)
	}
	open, err := t.openTarget(config, w)
	if err != nil {
		return &Target{Webhook: *w, Policy: w.Version.Policy}, err
	}
	return open.now(w, time.Now()), nil
}

// missingTarget is the target of a webhook that is not in the configuration:
// deleted, or made by another server a moment ago.
func (t *Targets) missingTarget(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID,
) (*Target, error) {
	found, err := t.store.WebhooksByID(ctx, org, []delivery.WebhookID{id})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	if len(found) == 0 {
		return &Target{Webhook: delivery.Webhook{ID: id, Org: org}, Deleted: true}, nil
	}
	w := &found[0]
	if w.Version.Deleted {
		return &Target{Webhook: *w, Deleted: true}, nil
	}
	t.webhooks.Drop(org)
	open, err := t.open(w)
	if err != nil {
		return &Target{Webhook: *w, Policy: w.Version.Policy}, err
	}
	return open.now(w, time.Now()), nil
}

// now returns the target with the secrets that still sign.
func (o *openTarget) now(w *delivery.Webhook, now time.Time) *Target {
	t := &Target{Webhook: *w, URL: w.Version.Target, Headers: o.headers, Policy: w.Version.Policy}
	for _, one := range o.secrets {
		if one.expiresAt.IsZero() || now.Before(one.expiresAt) {
			t.Secrets = append(t.Secrets, one.secret)
		}
	}
	return t
}

// openTarget opens a webhook's secrets once for each configuration.
func (t *Targets) openTarget(c *Config, w *delivery.Webhook) (*openTarget, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open, ok := c.targets[w.ID]; ok {
		return open, nil
	}
	open, err := t.open(w)
	if err != nil {
		return nil, err
	}
	c.targets[w.ID] = open
	return open, nil
}

func (t *Targets) open(w *delivery.Webhook) (*openTarget, error) {
	if w.Version.Target == "" {
		return nil, fmt.Errorf("open the target of %s: %w", w.ID, seal.ErrUnknownKey)
	}
	o := &openTarget{headers: make(http.Header, len(w.Version.Headers))}
	for _, h := range w.Version.Headers {
		value := h.Value
		if len(h.Sealed) > 0 {
			plain, err := t.keys.Open(h.Sealed, delivery.FieldAAD(w.Org, w.ID, delivery.HeaderField(h.Name)))
			if err != nil {
				return nil, fmt.Errorf("open the header %s of %s: %w", h.Name, w.ID, err)
			}
			value = string(plain)
		}
		o.headers.Set(h.Name, value)
	}
	for _, sealed := range w.Secrets {
		plain, err := t.keys.Open(sealed.Sealed, delivery.FieldAAD(w.Org, w.ID, delivery.SecretField))
		if err != nil {
			return nil, fmt.Errorf("open a signing secret of %s: %w", w.ID, err)
		}
		o.secrets = append(o.secrets, openSecret{signature.Secret(plain), sealed.ExpiresAt})
	}
	return o, nil
}
