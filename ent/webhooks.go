package ent

import (
	"context"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/organization"
	"portalhooks/ent/gen/webhook"
	"portalhooks/ent/gen/webhookversion"
	"portalhooks/ent/sqldb"
)

// raiseConfigVersion comes first in every change of webhooks: the lock of the
// organization's row makes its changes follow each other, and ingests that
// matched against the older webhooks find the version changed.
func raiseConfigVersion(ctx context.Context, tx *gen.Tx, org delivery.OrgID) error {
	n, err := tx.Organization.Update().Where(organization.ID(org)).AddConfigVersion(1).Save(ctx)
	if err == nil && n == 0 {
		return errNoOrganization
	}
	return err
}

// CreateWebhook implements [delivery.WebhookStore].
func (s *Store) CreateWebhook(ctx context.Context, w delivery.Webhook, entry delivery.AuditEntry) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		if err := raiseConfigVersion(ctx, tx, w.Org); err != nil {
			return err
		}
		create := tx.Webhook.Create().
			SetID(w.ID).
			SetOrganizationID(w.Org).
			SetSecrets(secretsText(w.Secrets)).
			SetCreatedAt(sqldb.Micros(w.CreatedAt)).
			SetCreatedBy(w.CreatedBy)
		setWebhook(create.Mutation(), w)
		if err := create.Exec(ctx); err != nil {
			return err
		}
		if err := addVersion(ctx, tx, w); err != nil {
			return err
		}
		return record(ctx, tx.AuditEntry, entry)
	})
	if sqldb.IsDuplicate(err) {
		err = s.duplicateOf(ctx, w, err)
	}
	if err != nil {
		return fmt.Errorf("create a webhook: %w", sqldb.Unavailable(err))
	}
	return nil
}

// setWebhook sets the columns that an update replaces.
func setWebhook(m *gen.WebhookMutation, w delivery.Webhook) {
	m.SetName(w.Name)
	m.SetNameKey(sortKey(w.Name))
	m.SetSearch(searchText(w.Name, delivery.MaskURL(w.Version.Target)))
	m.SetStatus(w.Status)
	m.SetDisabledReason(w.DisabledReason)
	m.SetDisabledAt(sqldb.Micros(w.DisabledAt))
	m.SetHolding(w.Holding)
	m.SetVersionID(w.Version.ID)
	m.SetVersionNumber(w.Version.Number)
	m.SetEventType(w.Version.Type)
	m.SetSelection(selectionText(w.Version.Selection))
	m.SetFingerprint(w.Version.Fingerprint)
	m.SetUpdatedAt(sqldb.Micros(w.UpdatedAt))
	m.SetUpdatedBy(w.UpdatedBy)
}

// addVersion stores w's version, which is never written again but to end it.
func addVersion(ctx context.Context, tx *gen.Tx, w delivery.Webhook) error {
	v := w.Version
	return tx.WebhookVersion.Create().
		SetID(v.ID).
		SetOrganizationID(w.Org).
		SetWebhookID(w.ID).
		SetNumber(v.Number).
		SetName(v.Name).
		SetEventType(v.Type).
		SetTarget(v.Target).
		SetSealedTarget(v.Sealed).
		SetSelection(selectionText(v.Selection)).
		SetTemplate(v.Template).
		SetHeaders(storedHeadersText(v.Headers)).
		SetPolicy(policyText(v.Policy)).
		SetListening(v.Listening).
		SetFingerprint(v.Fingerprint).
		SetCreatedAt(sqldb.Micros(v.CreatedAt)).
		SetCreatedBy(v.CreatedBy).
		Exec(ctx)
}

// endVersions ends what is current of a webhook.
func endVersions(ctx context.Context, tx *gen.Tx, id delivery.WebhookID, at time.Time, deleted bool) error {
	return tx.WebhookVersion.Update().
		Where(webhookversion.WebhookID(id), webhookversion.EndedAt(0)).
		SetEndedAt(sqldb.Micros(at)).
		SetDeleted(deleted).
		Exec(ctx)
}

// duplicateOf names the webhook that has the configuration of a refused one.
// Where there is none, because another index refused it or that webhook was
// deleted meanwhile, it returns the error as it is.
func (s *Store) duplicateOf(ctx context.Context, w delivery.Webhook, refusal error) error {
	id, err := s.client.Webhook.Query().
		Where(
			webhook.OrganizationID(w.Org), webhook.Fingerprint(w.Version.Fingerprint),
			webhook.DeletedAt(0), webhook.IDNEQ(w.ID),
		).
		FirstID(ctx)
	if gen.IsNotFound(err) {
		return refusal
	}
	if err != nil {
		return fmt.Errorf("find the duplicate: %w", err)
	}
	e := delivery.Errorf(delivery.Duplicate, "", "Another webhook has the same configuration: both would send "+
		"the same message to the same URL. Change this one, or use the other.")
	e.Twin = id
	return e
}

// UpdateWebhook implements [delivery.WebhookStore].
func (s *Store) UpdateWebhook(
	ctx context.Context, w delivery.Webhook, expected int, entry delivery.AuditEntry,
) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		if err := raiseConfigVersion(ctx, tx, w.Org); err != nil {
			return err
		}
		update := tx.Webhook.Update().Where(
			webhook.ID(w.ID), webhook.OrganizationID(w.Org),
			webhook.VersionNumber(expected), webhook.DeletedAt(0),
		)
		setWebhook(update.Mutation(), w)
		n, err := update.Save(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			return otherVersion(ctx, tx, w.Org, w.ID)
		}
		if err := endVersions(ctx, tx, w.ID, w.Version.CreatedAt, false); err != nil {
			return err
		}
		if err := reorder(ctx, tx, w.ID, w.Version.Policy.Ordered); err != nil {
			return err
		}
		if err := addVersion(ctx, tx, w); err != nil {
			return err
		}
		return record(ctx, tx.AuditEntry, entry)
	})
	if sqldb.IsDuplicate(err) {
		err = s.duplicateOf(ctx, w, err)
	}
	if err != nil {
		return fmt.Errorf("update a webhook: %w", sqldb.Unavailable(err))
	}
	return nil
}

// reorder makes the pending deliveries of a webhook ordered, or no longer so.
// Events that are stored meanwhile were matched against the older version, and
// are refused.
func reorder(ctx context.Context, tx *gen.Tx, id delivery.WebhookID, ordered bool) error {
	const statement = "UPDATE queue SET ordered = $1 WHERE webhook = $2 AND ordered <> $1 AND "
	for _, which := range []string{"owner_slot IS NULL", "owner_slot IS NOT NULL"} { // each has its index
		if _, err := tx.ExecContext(ctx, statement+which, ordered, int64(id)); err != nil {
			return err
		}
	}
	return nil
}

// otherVersion says why no webhook had the expected version.
func otherVersion(ctx context.Context, tx *gen.Tx, org delivery.OrgID, id delivery.WebhookID) error {
	row, err := tx.Webhook.Query().
		Where(webhook.ID(id), webhook.OrganizationID(org), webhook.DeletedAt(0)).
		Only(ctx)
	switch {
	case gen.IsNotFound(err):
		return errNoWebhook
	case err != nil:
		return err
	}
	return delivery.Errorf(delivery.Conflict, "expectedVersion",
		"The webhook was changed meanwhile: it is at version %d. Load it again and repeat your change.",
		row.VersionNumber)
}

// DeleteWebhook implements [delivery.WebhookStore]. The pending deliveries are
// recalled once the deletion is stored; should that fail, the dispatchers
// still cancel each when it falls due, because its webhook is deleted.
func (s *Store) DeleteWebhook(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID, at time.Time, by string,
	entry delivery.AuditEntry,
) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		if err := raiseConfigVersion(ctx, tx, org); err != nil {
			return err
		}
		n, err := tx.Webhook.Update().
			Where(webhook.ID(id), webhook.OrganizationID(org), webhook.DeletedAt(0)).
			SetDeletedAt(sqldb.Micros(at)).
			SetUpdatedAt(sqldb.Micros(at)).
			SetUpdatedBy(by).
			Save(ctx)
		switch {
		case err != nil:
			return err
		case n == 0:
			return errNoWebhook
		}
		if err := endVersions(ctx, tx, id, at, true); err != nil {
			return err
		}
		return record(ctx, tx.AuditEntry, entry)
	})
	if err != nil {
		return fmt.Errorf("delete a webhook: %w", sqldb.Unavailable(err))
	}
	if _, err := s.Recall(ctx, id, true, true); err != nil {
		s.logger.WarnContext(ctx, "recall the deliveries of a deleted webhook", "webhook", id, "err", err)
	}
	return nil
}

// SetSecrets implements [delivery.WebhookStore].
func (s *Store) SetSecrets(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID,
	secrets []delivery.SealedSecret, at time.Time, by string, entry delivery.AuditEntry,
) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		if err := raiseConfigVersion(ctx, tx, org); err != nil {
			return err
		}
		if err := refuseOlder(ctx, tx, org, id, secrets); err != nil {
			return err
		}
		err := tx.Webhook.UpdateOneID(id).
			SetSecrets(secretsText(secrets)).
			SetUpdatedAt(sqldb.Micros(at)).
			SetUpdatedBy(by).
			Exec(ctx)
		if err != nil {
			return err
		}
		return record(ctx, tx.AuditEntry, entry)
	})
	if err != nil {
		return fmt.Errorf("replace a webhook's secrets: %w", sqldb.Unavailable(err))
	}
	return nil
}

// refuseOlder keeps a rotation from being undone by a caller that has not seen
// it.
func refuseOlder(
	ctx context.Context, tx *gen.Tx, org delivery.OrgID, id delivery.WebhookID, secrets []delivery.SealedSecret,
) error {
	row, err := tx.Webhook.Query().
		Where(webhook.ID(id), webhook.OrganizationID(org), webhook.DeletedAt(0)).
		Only(ctx)
	switch {
	case gen.IsNotFound(err):
		return errNoWebhook
	case err != nil:
		return err
	}
	stored, err := fromSecrets(row.Secrets)
	if err != nil {
		return err
	}
	if len(stored) > 0 && len(secrets) > 0 &&
		sqldb.Micros(stored[0].CreatedAt) > sqldb.Micros(secrets[0].CreatedAt) {
		return delivery.Errorf(delivery.Conflict, "",
			"The webhook's secret was replaced meanwhile. Load the webhook again before you replace it once more.")
	}
	return nil
}
