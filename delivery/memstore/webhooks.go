package memstore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// CreateWebhook implements [delivery.WebhookStore].
func (s *Store) CreateWebhook(ctx context.Context, w delivery.Webhook, record delivery.AuditEntry) error {
	if err := s.lock(ctx, "CreateWebhook"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.Org(w.Org) == nil {
		return delivery.ErrNotFound
	}
	if err := s.twin(&w); err != nil {
		return err
	}
	s.putWebhook(w)
	s.record(record)
	return nil
}

// putWebhook stores w and its version, which is a new one.
func (s *Store) putWebhook(w delivery.Webhook) {
	w.Version.Org = w.Org
	s.WebhookRows[w.ID] = &w
	s.VersionRows = append(s.VersionRows, w.Version)
	s.Org(w.Org).ConfigVersion++
}

// twin returns Duplicate when another webhook has w's fingerprint. Webhooks
// without a fingerprint have no twin.
func (s *Store) twin(w *delivery.Webhook) error {
	for _, other := range s.WebhookRows {
		if other.ID != w.ID && other.Org == w.Org && !other.Version.Deleted && w.Version.Fingerprint != "" &&
			other.Version.Fingerprint == w.Version.Fingerprint {
			err := delivery.Errorf(delivery.Duplicate, "", "Another webhook has the same configuration.")
			err.Twin = other.ID
			return err
		}
	}
	return nil
}

// webhook returns a webhook that is not deleted, nil when there is none.
func (s *Store) webhook(org delivery.OrgID, id delivery.WebhookID) *delivery.Webhook {
	if w := s.WebhookRows[id]; w != nil && w.Org == org && !w.Version.Deleted {
		return w
	}
	return nil
}

// UpdateWebhook implements [delivery.WebhookStore].
func (s *Store) UpdateWebhook(
	ctx context.Context, w delivery.Webhook, expected int, records ...delivery.AuditEntry,
) error {
	if err := s.lock(ctx, "UpdateWebhook"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	known := s.webhook(w.Org, w.ID)
	if known == nil {
		return delivery.ErrNotFound
	}
	if known.Version.Number != expected {
		return delivery.Errorf(delivery.Conflict, "expectedVersion",
			"The webhook was changed meanwhile: it is at version %d.", known.Version.Number)
	}
	if err := s.twin(&w); err != nil {
		return err
	}
	s.endVersion(known.Version.ID, w.Version.CreatedAt, false)
	w.Secrets, w.CreatedAt, w.CreatedBy = known.Secrets, known.CreatedAt, known.CreatedBy
	s.changed(known, &w)
	s.putWebhook(w)
	s.record(records...)
	return nil
}

func (s *Store) endVersion(id delivery.VersionID, at time.Time, deleted bool) {
	for i := range s.VersionRows {
		if v := &s.VersionRows[i]; v.ID == id {
			v.EndedAt, v.Deleted = at, deleted
		}
	}
}

// DeleteWebhook implements [delivery.WebhookStore].
func (s *Store) DeleteWebhook(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, at time.Time, by string,
	record delivery.AuditEntry,
) error {
	if err := s.lock(ctx, "DeleteWebhook"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	w := s.webhook(org, id)
	if w == nil {
		return delivery.ErrNotFound
	}
	w.UpdatedAt, w.UpdatedBy = at, by
	w.Version.EndedAt, w.Version.Deleted = at, true
	s.endVersion(w.Version.ID, at, true)
	s.Org(org).ConfigVersion++
	s.recalling[id] = recallStates
	s.record(record)
	return nil
}

// SetSecrets implements [delivery.WebhookStore].
func (s *Store) SetSecrets(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, old, secrets []delivery.SealedSecret,
	at time.Time, by string, record delivery.AuditEntry,
) error {
	if err := s.lock(ctx, "SetSecrets"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	w := s.webhook(org, id)
	if w == nil {
		return delivery.ErrNotFound
	}
	if !sameSecrets(w.Secrets, old) {
		return delivery.Errorf(delivery.Conflict, "", "The webhook's secrets were changed meanwhile.")
	}
	w.Secrets, w.UpdatedAt, w.UpdatedBy = secrets, at, by
	s.Org(org).ConfigVersion++
	s.record(record)
	return nil
}

func sameSecrets(a, b []delivery.SealedSecret) bool {
	return slices.EqualFunc(a, b, func(a, b delivery.SealedSecret) bool {
		return bytes.Equal(a.Sealed, b.Sealed) && a.CreatedAt.Equal(b.CreatedAt) && a.ExpiresAt.Equal(b.ExpiresAt)
	})
}
