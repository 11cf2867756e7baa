package service

import (
	"context"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/delivery/signature"
)

// Limits of a rotation of signing secrets.
const (
	MaxKeepOld    = 72 * time.Hour
	maxOldSecrets = 2
)

// RotateWebhookSecret gives a webhook a new signing secret, which is told this
// once. The secret before it goes on signing, beside the new one, for keepOld;
// with 0 no old secret signs any more.
func (s *Service) RotateWebhookSecret(
	ctx context.Context, c delivery.Caller, id delivery.WebhookID, keepOld time.Duration,
) (*CreatedWebhook, error) {
	w, err := s.configurable(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if keepOld < 0 || keepOld > MaxKeepOld {
		return nil, delivery.Errorf(
			delivery.Invalid, "keepOldHours", "The old secret can be kept for 0 to %d hours.", MaxKeepOld/time.Hour,
		)
	}
	at := delivery.Now()
	sealed, text, err := s.newSecret(w.Org, w.ID, at)
	if err != nil {
		return nil, err
	}
	secrets := append([]delivery.SealedSecret{sealed}, oldSecrets(w.Secrets, at, keepOld)...)
	record := s.recordSecrets(c, delivery.SecretRotated, w, w.Secrets, secrets)
	old := w.Secrets
	w.Secrets, w.UpdatedAt, w.UpdatedBy = secrets, at, c.Name
	if err := s.store.SetSecrets(ctx, w.Org, w.ID, old, secrets, at, c.Name, record); err != nil {
		if delivery.CodeOf(err) == delivery.Conflict {
			return nil, delivery.Errorf(delivery.Conflict, "",
				"Another person has just rotated the secret. Look at it before you rotate it again.")
		}
		return nil, err
	}
	s.pipeline.Webhooks.Drop(w.Org)
	return &CreatedWebhook{Webhook: w, Secret: text}, nil
}

// oldSecrets returns those of secrets that sign on beside a new one.
func oldSecrets(
	secrets []delivery.SealedSecret, at time.Time, keepOld time.Duration,
) []delivery.SealedSecret {
	if keepOld == 0 {
		return nil
	}
	var old []delivery.SealedSecret
	for _, one := range secrets {
		if until := at.Add(keepOld); one.ExpiresAt.IsZero() || one.ExpiresAt.After(until) {
			one.ExpiresAt = until
		}
		if one.ExpiresAt.After(at) && len(old) < maxOldSecrets {
			old = append(old, one)
		}
	}
	return old
}

// newSecret makes a signing secret and returns it sealed and as text.
func (s *Service) newSecret(
	org delivery.OrgID, id delivery.WebhookID, at time.Time,
) (delivery.SealedSecret, string, error) {
	secret, err := signature.NewSecret()
	if err != nil {
		return delivery.SealedSecret{}, "", fmt.Errorf("make a webhook's secret: %w", err)
	}
	sealed := s.opts.Keyring.Seal(secret, delivery.FieldAAD(org, id, delivery.SecretField))
	return delivery.SealedSecret{Sealed: sealed, Hint: secret.Hint(), CreatedAt: at}, secret.Reveal(), nil
}

// TargetURL returns the URL of v for showing to the caller. What in it lets
// anyone post to the receiver is masked unless the caller may configure org's
// webhooks.
func (s *Service) TargetURL(c delivery.Caller, org delivery.OrgID, v *delivery.WebhookVersion) string {
	if c.CheckConfigure(org) == nil {
		return v.Target
	}
	return delivery.MaskURL(v.Target)
}
