package ent

import (
	"context"
	"fmt"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/webhook"
	"portalhooks/ent/gen/webhookversion"
	"portalhooks/ent/sqldb"
)

// SealedWebhooks implements [delivery.Vault].
func (s *Store) SealedWebhooks(
	ctx context.Context, after delivery.WebhookID, limit int,
) ([]delivery.Webhook, error) {
	rows, err := s.reader.Webhook.Query().
		Where(webhook.IDGT(after)).
		Order(gen.Asc(webhook.FieldID)).
		Limit(limit).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sealed webhooks: %w", sqldb.Unavailable(err))
	}
	webhooks := make([]delivery.Webhook, len(rows))
	for i, r := range rows {
		secrets, err := fromSecrets(r.Secrets)
		if err != nil {
			return nil, fmt.Errorf("secrets of %s: %w", r.ID, err)
		}
		webhooks[i] = delivery.Webhook{ID: r.ID, Org: r.OrganizationID, Name: r.Name, Secrets: secrets}
	}
	return webhooks, nil
}

// SealedVersions implements [delivery.Vault].
func (s *Store) SealedVersions(
	ctx context.Context, after delivery.VersionID, limit int,
) ([]delivery.WebhookVersion, error) {
	rows, err := s.reader.WebhookVersion.Query().
		Where(webhookversion.IDGT(after)).
		Order(gen.Asc(webhookversion.FieldID)).
		Limit(limit).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sealed versions: %w", sqldb.Unavailable(err))
	}
	return toVersions(rows)
}

// ReplaceSecrets implements [delivery.Vault].
func (s *Store) ReplaceSecrets(
	ctx context.Context, id delivery.WebhookID, old, secrets []delivery.SealedSecret,
) (same bool, err error) {
	err = s.inTx(ctx, func(tx *gen.Tx) error {
		n, err := tx.Webhook.Update().
			Where(webhook.ID(id), webhook.Secrets(secretsText(old))).
			SetSecrets(secretsText(secrets)).
			Save(ctx)
		same = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("replace sealed secrets: %w", sqldb.Unavailable(err))
	}
	return same, nil
}

// ReplaceSealed implements [delivery.Vault].
func (s *Store) ReplaceSealed(ctx context.Context, v delivery.WebhookVersion) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		return tx.WebhookVersion.UpdateOneID(v.ID).
			SetTarget(v.Target).
			SetSealedTarget(v.Sealed).
			SetHeaders(storedHeadersText(v.Headers)).
			Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("replace what is sealed in a version: %w", sqldb.Unavailable(err))
	}
	return nil
}
