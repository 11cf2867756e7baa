package delivery

import (
	"context"
	"net/http"
	"time"

	"portalhooks/delivery/seal"
)

// A sealing Store keeps the targets of webhooks sealed: many are secrets by
// themselves. What it keeps in the clear beside them, for lists and searches,
// is masked. Targets that were stored before there were sealed ones are read as
// they are, until Rekey seals them.
type sealing struct {
	Store
	keys *seal.Keyring
}

// Sealed returns store with the targets of webhooks sealed by keys.
func Sealed(store Store, keys *seal.Keyring) Store { return sealing{store, keys} }

// CreateWebhook implements [WebhookStore].
func (s sealing) CreateWebhook(ctx context.Context, w Webhook, record AuditEntry) error {
	s.seal(&w.Version, w.Org, w.ID)
	return s.Store.CreateWebhook(ctx, w, record)
}

// UpdateWebhook implements [WebhookStore].
func (s sealing) UpdateWebhook(ctx context.Context, w Webhook, expected int, records ...AuditEntry) error {
	s.seal(&w.Version, w.Org, w.ID)
	return s.Store.UpdateWebhook(ctx, w, expected, records...)
}

// WebhooksByID implements [WebhookStore].
func (s sealing) WebhooksByID(ctx context.Context, org OrgID, ids []WebhookID) ([]Webhook, error) {
	return s.openAll(s.Store.WebhooksByID(ctx, org, ids))
}

// Webhooks implements [WebhookStore].
func (s sealing) Webhooks(
	ctx context.Context, org OrgID, f WebhookFilter, o WebhookOrder, descending bool, p Page,
) (Slice[Webhook], error) {
	slice, err := s.Store.Webhooks(ctx, org, f, o, descending, p)
	slice.Items, err = s.openAll(slice.Items, err)
	return slice, err
}

// Config implements [WebhookStore].
func (s sealing) Config(ctx context.Context, org OrgID) (Organization, []Webhook, error) {
	o, webhooks, err := s.Store.Config(ctx, org)
	webhooks, err = s.openAll(webhooks, err)
	return o, webhooks, err
}

// FailingWebhooks implements [WebhookStore].
func (s sealing) FailingWebhooks(ctx context.Context, before time.Time) ([]Webhook, error) {
	return s.openAll(s.Store.FailingWebhooks(ctx, before))
}

// VersionsByID implements [WebhookStore].
func (s sealing) VersionsByID(ctx context.Context, ids []VersionID) ([]WebhookVersion, error) {
	return s.openVersions(s.Store.VersionsByID(ctx, ids))
}

// Versions implements [WebhookStore].
func (s sealing) Versions(
	ctx context.Context, org OrgID, id WebhookID, p Page,
) (Slice[WebhookVersion], error) {
	slice, err := s.Store.Versions(ctx, org, id, p)
	slice.Items, err = s.openVersions(slice.Items, err)
	return slice, err
}

func (s sealing) openAll(webhooks []Webhook, err error) ([]Webhook, error) {
	for i := range webhooks {
		s.open(&webhooks[i].Version)
	}
	return webhooks, err
}

func (s sealing) openVersions(versions []WebhookVersion, err error) ([]WebhookVersion, error) {
	for i := range versions {
		s.open(&versions[i])
	}
	return versions, err
}

// seal replaces v's target by its envelope and a masked form. V must not be
// shared.
func (s sealing) seal(v *WebhookVersion, org OrgID, id WebhookID) {
	v.Sealed = s.keys.Seal([]byte(v.Target), FieldAAD(org, id, TargetField))
	v.Target = MaskURL(v.Target)
}

// open gives v its target back. One that can't be opened is left out: the rest
// can still be read, and nothing is sent to a masked URL.
func (s sealing) open(v *WebhookVersion) {
	if len(v.Sealed) == 0 {
		return
	}
	plain, _ := s.keys.Open(v.Sealed, FieldAAD(v.Org, v.Webhook, TargetField))
	v.Target, v.Sealed = string(plain), nil
}

// Names of the sealed fields of a webhook; with the organization and the
// webhook they bind an envelope to its place.
const (
	SecretField = "secret"
	TargetField = "target"
)

// HeaderField names the sealed value of a custom header.
func HeaderField(name string) string { return "header " + http.CanonicalHeaderKey(name) }

// FieldAAD binds an envelope to its place: the field of a webhook.
func FieldAAD(org OrgID, id WebhookID, field string) []byte {
	return seal.AAD(org.String(), id.String(), field)
}
