package ent

import (
	"context"
	"fmt"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/apikey"
)

// CreateKey implements [delivery.KeyStore]. It returns Conflict when another
// key has the prefix.
func (s *Store) CreateKey(ctx context.Context, k delivery.APIKey) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		return tx.APIKey.Create().
			SetID(k.ID).
			SetPrefix(k.Prefix).
			SetHash(k.Hash).
			SetName(k.Name).
			SetRole(k.Role).
			SetOrganizationID(k.Org).
			SetCreatedAt(micros(k.CreatedAt)).
			SetCreatedBy(k.CreatedBy).
			SetExpiresAt(micros(k.ExpiresAt)).
			SetRevokedAt(micros(k.RevokedAt)).
			SetLastUsedAt(micros(k.LastUsedAt)).
			Exec(ctx)
	})
	switch {
	case isTwin(err):
		return delivery.Errorf(delivery.Conflict, "", "Another API key has the same prefix. Make the key anew.")
	case err != nil:
		return fmt.Errorf("create an API key: %w", unavailable(err))
	}
	return nil
}

// KeyByPrefix implements [delivery.KeyStore].
func (s *Store) KeyByPrefix(ctx context.Context, prefix string) (delivery.APIKey, error) {
	row, err := s.reader.APIKey.Query().Where(apikey.Prefix(prefix)).Only(ctx)
	switch {
	case gen.IsNotFound(err):
		return delivery.APIKey{}, errNoKey
	case err != nil:
		return delivery.APIKey{}, fmt.Errorf("read an API key: %w", unavailable(err))
	}
	return toKey(row), nil
}

// Keys implements [delivery.KeyStore].
func (s *Store) Keys(ctx context.Context, org delivery.OrgID) ([]delivery.APIKey, error) {
	q := s.reader.APIKey.Query().Order(gen.Desc(apikey.FieldID))
	if org != 0 {
		q.Where(apikey.OrganizationID(org))
	}
	rows, err := q.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", unavailable(err))
	}
	return convertAll(rows, toKey), nil
}

// RevokeKey implements [delivery.KeyStore]. The first time counts.
func (s *Store) RevokeKey(ctx context.Context, id delivery.KeyID, at time.Time) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		n, err := tx.APIKey.Update().
			Where(apikey.ID(id), apikey.RevokedAt(0)).
			SetRevokedAt(micros(at)).
			Save(ctx)
		if err != nil || n > 0 {
			return err
		}
		found, err := tx.APIKey.Query().Where(apikey.ID(id)).Exist(ctx)
		if err == nil && !found {
			return errNoKey
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke an API key: %w", unavailable(err))
	}
	return nil
}

// TouchKey implements [delivery.KeyStore]. Keys are used all the time, so it
// looks first, and writes once a minute at most.
func (s *Store) TouchKey(ctx context.Context, id delivery.KeyID, at time.Time) error {
	minute := micros(at.Truncate(time.Minute))
	stale, err := s.reader.APIKey.Query().Where(apikey.ID(id), apikey.LastUsedAtLT(minute)).Exist(ctx)
	if err == nil && stale {
		err = s.inTx(ctx, func(tx *gen.Tx) error {
			return tx.APIKey.Update().
				Where(apikey.ID(id), apikey.LastUsedAtLT(minute)).
				SetLastUsedAt(minute).
				Exec(ctx)
		})
	}
	if err != nil {
		return fmt.Errorf("note the use of an API key: %w", unavailable(err))
	}
	return nil
}
