package delivery

import (
	"context"
	"errors"
	"slices"
	"time"
)

// dropSecrets removes signing secrets that no longer sign, of every webhook.
func (s *Service) dropSecrets(ctx context.Context) error {
	var failed error
	page := Page{First: MaxPageSize}
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

func (s *Service) dropSecretsOf(ctx context.Context, org OrgID) error {
	_, webhooks, err := s.store.Config(ctx, org)
	if err != nil {
		return err
	}
	var failed error
	now := time.Now().UTC()
	for _, w := range webhooks {
		kept := slices.DeleteFunc(slices.Clone(w.Secrets), func(secret SealedSecret) bool {
			return !secret.ExpiresAt.IsZero() && secret.ExpiresAt.Before(now)
		})
		if len(kept) == len(w.Secrets) || len(kept) == 0 {
			continue
		}
		record := s.recordSecrets(system, SecretExpired, &w, w.Secrets, kept)
		err := s.store.SetSecrets(ctx, org, w.ID, kept, now, bySystem, record)
		// A secret rotated or a webhook deleted meanwhile is seen the next time.
		if code := CodeOf(err); code != Conflict && code != NotFound {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
