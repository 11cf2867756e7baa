package delivery

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"portalhooks/delivery/seal"
	"portalhooks/delivery/signature"
)

// A target is what calls of a webhook need now, secrets opened. Its headers and
// secrets are shared: don't change them.
type target struct {
	Webhook Webhook
	URL     string
	Headers http.Header
	Secrets []signature.Secret // that sign now, newest first
	Policy  Policy
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

// Names of the sealed fields of a webhook; with the organization and the
// webhook they bind an envelope to its place.
const secretField = "secret"

func headerField(name string) string { return "header " + http.CanonicalHeaderKey(name) }

// target returns what a call of the webhook id needs, as it is now. A webhook
// of an organization that does not exist counts as deleted. Where the secrets
// can't be opened it returns that error with the rest.
func (s *Service) target(ctx context.Context, org OrgID, id WebhookID) (*target, error) {
	config, err := s.configs.get(ctx, org)
	if CodeOf(err) == NotFound {
		return &target{Webhook: Webhook{ID: id, Org: org}, Deleted: true}, nil
	}
	if err != nil {
		return nil, err
	}
	w, ok := config.byID[id]
	if !ok {
		return s.missingTarget(ctx, org, id)
	}
	open, err := s.openTarget(config, w)
	if err != nil {
		return &target{Webhook: *w, Policy: w.Version.Policy}, err
	}
	return open.now(w, time.Now()), nil
}

// missingTarget is the target of a webhook that is not in the configuration:
// deleted, or made by another process a moment ago.
func (s *Service) missingTarget(ctx context.Context, org OrgID, id WebhookID) (*target, error) {
	found, err := s.store.WebhooksByID(ctx, org, []WebhookID{id})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	if len(found) == 0 {
		return &target{Webhook: Webhook{ID: id, Org: org}, Deleted: true}, nil
	}
	w := &found[0]
	if w.Version.Deleted {
		return &target{Webhook: *w, Deleted: true}, nil
	}
	s.configs.drop(org)
	open, err := s.open(w)
	if err != nil {
		return &target{Webhook: *w, Policy: w.Version.Policy}, err
	}
	return open.now(w, time.Now()), nil
}

// now returns the target with the secrets that still sign.
func (o *openTarget) now(w *Webhook, now time.Time) *target {
	t := &target{Webhook: *w, URL: w.Version.Target, Headers: o.headers, Policy: w.Version.Policy}
	for _, one := range o.secrets {
		if one.expiresAt.IsZero() || now.Before(one.expiresAt) {
			t.Secrets = append(t.Secrets, one.secret)
		}
	}
	return t
}

// openTarget opens a webhook's secrets once for each configuration.
func (s *Service) openTarget(c *orgConfig, w *Webhook) (*openTarget, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.targets[w.ID]; ok {
		return t, nil
	}
	t, err := s.open(w)
	if err != nil {
		return nil, err
	}
	c.targets[w.ID] = t
	return t, nil
}

func (s *Service) open(w *Webhook) (*openTarget, error) {
	if w.Version.Target == "" {
		return nil, fmt.Errorf("open the target of %s: %w", w.ID, seal.ErrUnknownKey)
	}
	t := &openTarget{headers: make(http.Header, len(w.Version.Headers))}
	for _, h := range w.Version.Headers {
		value := h.Value
		if len(h.Sealed) > 0 {
			plain, err := s.opts.Keyring.Open(h.Sealed, aad(w.Org, w.ID, headerField(h.Name)))
			if err != nil {
				return nil, fmt.Errorf("open the header %s of %s: %w", h.Name, w.ID, err)
			}
			value = string(plain)
		}
		t.headers.Set(h.Name, value)
	}
	for _, sealed := range w.Secrets {
		plain, err := s.opts.Keyring.Open(sealed.Sealed, aad(w.Org, w.ID, secretField))
		if err != nil {
			return nil, fmt.Errorf("open a signing secret of %s: %w", w.ID, err)
		}
		t.secrets = append(t.secrets, openSecret{signature.Secret(plain), sealed.ExpiresAt})
	}
	return t, nil
}

func aad(org OrgID, id WebhookID, field string) []byte {
	return seal.AAD(org.String(), id.String(), field)
}
