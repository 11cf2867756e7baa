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
	"portalhooks/ent/queue"
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
	m.SetCancelBefore(w.CancelBefore)
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
	ctx context.Context, w delivery.Webhook, expected int, entries ...delivery.AuditEntry,
) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		if err := raiseConfigVersion(ctx, tx, w.Org); err != nil {
			return err
		}
		was, err := expectedWebhook(ctx, tx, w.Org, w.ID, expected)
		if err != nil {
			return err
		}
		update := tx.Webhook.UpdateOneID(w.ID).SetRecalling(was.recalling(w))
		setWebhook(update.Mutation(), w)
		if err := update.Exec(ctx); err != nil {
			return err
		}
		if err := endVersions(ctx, tx, w.ID, w.Version.CreatedAt, false); err != nil {
			return err
		}
		if err := addVersion(ctx, tx, w); err != nil {
			return err
		}
		return record(ctx, tx.AuditEntry, entries...)
	})
	if sqldb.IsDuplicate(err) {
		err = s.duplicateOf(ctx, w, err)
	}
	if err != nil {
		return fmt.Errorf("update a webhook: %w", sqldb.Unavailable(err))
	}
	return nil
}

// A storedWebhook is a webhook before it is updated.
type storedWebhook struct {
	*gen.Webhook

	ordered bool
}

// expectedWebhook reads a webhook that is to be updated. In its transaction no
// other one updates it.
func expectedWebhook(
	ctx context.Context, tx *gen.Tx, org delivery.OrgID, id delivery.WebhookID, expected int,
) (was storedWebhook, err error) {
	if was.Webhook, err = undeletedWebhook(ctx, tx, org, id); err != nil {
		return was, err
	}
	if was.VersionNumber != expected {
		return was, delivery.Errorf(delivery.Conflict, "expectedVersion",
			"The webhook was changed meanwhile: it is at version %d. Load it again and repeat your change.",
			was.VersionNumber)
	}
	version, err := tx.WebhookVersion.Get(ctx, was.VersionID)
	if err != nil {
		return was, err
	}
	policy, err := fromPolicy(version.Policy)
	was.ordered = policy.Ordered
	return was, err
}

func undeletedWebhook(
	ctx context.Context, tx *gen.Tx, org delivery.OrgID, id delivery.WebhookID,
) (*gen.Webhook, error) {
	row, err := tx.Webhook.Query().
		Where(webhook.ID(id), webhook.OrganizationID(org), webhook.DeletedAt(0)).
		Only(ctx)
	if gen.IsNotFound(err) {
		return nil, errNoWebhook
	}
	return row, err
}

// recalling returns what the pending deliveries have to be told when w replaces
// the stored webhook, and of earlier changes still.
func (was storedWebhook) recalling(w delivery.Webhook) int {
	reordered := was.ordered != w.Version.Policy.Ordered || was.Recalling >= queue.RecallOrder
	switch {
	case reordered && w.Version.Policy.Ordered:
		return queue.RecallIntoOrder
	case reordered:
		return queue.RecallOrder
	case was.Status != w.Status, was.Holding != w.Holding, was.CancelBefore != w.CancelBefore:
		return queue.RecallStates
	}
	return was.Recalling
}

// DeleteWebhook implements [delivery.WebhookStore].
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
			SetRecalling(queue.RecallStates).
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
	return nil
}

// SetSecrets implements [delivery.WebhookStore].
func (s *Store) SetSecrets(
	ctx context.Context, org delivery.OrgID, id delivery.WebhookID,
	old, secrets []delivery.SealedSecret, at time.Time, by string, entry delivery.AuditEntry,
) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		if err := raiseConfigVersion(ctx, tx, org); err != nil {
			return err
		}
		row, err := undeletedWebhook(ctx, tx, org, id)
		if err != nil {
			return err
		}
		if row.Secrets != secretsText(old) {
			return delivery.Errorf(delivery.Conflict, "",
				"The webhook's secrets were changed meanwhile. Load the webhook again before you change them once more.")
		}
		err = tx.Webhook.UpdateOneID(id).
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
