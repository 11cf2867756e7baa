package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"portalhooks/delivery"
)

// dropSecrets removes signing secrets that no longer sign, of every webhook.
func (s *Service) dropSecrets(ctx context.Context) error {
	var failed error
	page := delivery.Page{First: delivery.MaxPageSize}
	for {
		orgs, err := s.store.Organizations(ctx, nil, "", page)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, org := range orgs.Items {
			failed = errors.Join(failed, s.dropSecretsOf(ctx, org.ID))
		}
		if !orgs.HasNext || len(orgs.Cursors) == 0 || ctx.Err() != nil {
			return failed
		}
		page.After = orgs.Cursors[len(orgs.Cursors)-1]
	}
}

func (s *Service) dropSecretsOf(ctx context.Context, org delivery.OrgID) error {
	_, webhooks, err := s.store.Config(ctx, org)
	if err != nil {
		return err
	}
	var failed error
	now := time.Now().UTC()
	for _, w := range webhooks {
		kept := slices.DeleteFunc(slices.Clone(w.Secrets), func(secret delivery.SealedSecret) bool {
			return !secret.ExpiresAt.IsZero() && secret.ExpiresAt.Before(now)
		})
		if len(kept) == len(w.Secrets) || len(kept) == 0 {
			continue
		}
		record := s.recordSecrets(delivery.System, delivery.SecretExpired, &w, w.Secrets, kept)
		err := s.store.SetSecrets(ctx, org, w.ID, w.Secrets, kept, now, delivery.SystemName, record)
		// A secret rotated or a webhook deleted meanwhile is seen the next time.
		if code := delivery.CodeOf(err); code != delivery.Conflict && code != delivery.NotFound {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
