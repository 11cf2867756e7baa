package ent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"portalhooks/delivery"
	"portalhooks/ent/gen"
	"portalhooks/ent/gen/apikey"
	"portalhooks/ent/gen/predicate"
	"portalhooks/ent/sqldb"
)

// CreateKey implements [delivery.KeyStore].
func (s *Store) CreateKey(ctx context.Context, k delivery.APIKey, entry delivery.AuditEntry) error {
	err := s.inSerializable(ctx, func(tx *gen.Tx) error {
		if err := mayHaveOneMore(ctx, tx, k); err != nil {
			return err
		}
		err := tx.APIKey.Create().
			SetID(k.ID).
			SetPrefix(k.Prefix).
			SetHash(k.Hash).
			SetName(k.Name).
			SetRole(k.Role).
			SetOrganizationID(k.Org).
			SetCreatedAt(sqldb.Micros(k.CreatedAt)).
			SetCreatedBy(k.CreatedBy).
			SetMaker(sqldb.Clean(k.Maker)).
			SetLocal(k.Local).
			SetExpiresAt(sqldb.Micros(k.ExpiresAt)).
			SetRevokedAt(sqldb.Micros(k.RevokedAt)).
			SetLastUsedAt(sqldb.Micros(k.LastUsedAt)).
			Exec(ctx)
		if err != nil {
			return err
		}
		return record(ctx, tx.AuditEntry, entry)
	})
	switch {
	case sqldb.IsDuplicate(err):
		return delivery.Errorf(delivery.Conflict, "", "Another API key has the same prefix. Create the key again.")
	case err != nil:
		return fmt.Errorf("create an API key: %w", sqldb.Unavailable(err))
	}
	return nil
}

// mayHaveOneMore refuses k where the client or the organization has as many
// keys that work as it may.
func mayHaveOneMore(ctx context.Context, tx *gen.Tx, k delivery.APIKey) error {
	others, err := tx.APIKey.Query().
		Where(apikey.OrganizationID(k.Org), works(k.CreatedAt)).
		Order(gen.Asc(apikey.FieldID)).
		All(ctx)
	if err != nil {
		return err
	}
	var same []*gen.APIKey
	for _, other := range others {
		if other.Name == k.Name {
			same = append(same, other)
		}
	}
	switch {
	case len(same) >= delivery.KeysPerName:
		return delivery.Errorf(delivery.Conflict, "name", "%d keys of %q are valid already. First revoke one "+
			"that is no longer used: %s (%s…) is the oldest.", len(same), k.Name, same[0].ID, same[0].Prefix)
	case k.Org != 0 && len(others) >= delivery.MaxKeys:
		return delivery.Errorf(delivery.LimitExceeded, "", "An organization has at most %d valid API keys. "+
			"Revoke keys that are no longer used.", delivery.MaxKeys)
	}
	return nil
}

// works keeps the keys that work at t.
func works(t time.Time) predicate.APIKey {
	return apikey.And(apikey.RevokedAt(0), apikey.Or(apikey.ExpiresAt(0), apikey.ExpiresAtGT(sqldb.Micros(t))))
}

// KeyByPrefix implements [delivery.KeyStore].
func (s *Store) KeyByPrefix(ctx context.Context, prefix string) (delivery.APIKey, error) {
	row, err := s.reader.APIKey.Query().Where(apikey.Prefix(prefix)).Only(ctx)
	switch {
	case gen.IsNotFound(err):
		return delivery.APIKey{}, errNoKey
	case err != nil:
		return delivery.APIKey{}, fmt.Errorf("read an API key: %w", sqldb.Unavailable(err))
	}
	return toKey(row), nil
}

// KeyByID implements [delivery.KeyStore].
func (s *Store) KeyByID(ctx context.Context, id delivery.KeyID) (delivery.APIKey, error) {
	row, err := s.reader.APIKey.Query().Where(apikey.ID(id)).Only(ctx)
	switch {
	case gen.IsNotFound(err):
		return delivery.APIKey{}, errNoKey
	case err != nil:
		return delivery.APIKey{}, fmt.Errorf("read an API key: %w", sqldb.Unavailable(err))
	}
	return toKey(row), nil
}

// Keys implements [delivery.KeyStore].
func (s *Store) Keys(ctx context.Context, org delivery.OrgID, at time.Time) ([]delivery.APIKey, error) {
	of := func(state predicate.APIKey) *gen.APIKeyQuery {
		q := s.reader.APIKey.Query().Where(state).Order(gen.Desc(apikey.FieldID))
		if org != 0 {
			q.Where(apikey.OrganizationID(org))
		}
		return q
	}
	good, err := of(works(at)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", sqldb.Unavailable(err))
	}
	ended, err := of(apikey.Not(works(at))).Limit(delivery.MaxKeys).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", sqldb.Unavailable(err))
	}
	all := append(good, ended...)
	slices.SortFunc(all, func(a, b *gen.APIKey) int { return cmp.Compare(b.ID, a.ID) })
	return convertAll(all, toKey), nil
}

// KeysMadeBy implements [delivery.KeyStore].
func (s *Store) KeysMadeBy(ctx context.Context, makers []string, at time.Time) ([]delivery.APIKey, error) {
	clean := make([]string, len(makers))
	for i, maker := range makers {
		clean[i] = sqldb.Clean(maker)
	}
	rows, err := s.reader.APIKey.Query().
		Where(apikey.MakerIn(clean...), works(at)).
		Order(gen.Desc(apikey.FieldID)).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the API keys that a person has made: %w", sqldb.Unavailable(err))
	}
	return convertAll(rows, toKey), nil
}

// RevokeKey implements [delivery.KeyStore]. The first time counts.
func (s *Store) RevokeKey(
	ctx context.Context, id delivery.KeyID, at time.Time, entry delivery.AuditEntry,
) error {
	err := s.inTx(ctx, func(tx *gen.Tx) error {
		n, err := tx.APIKey.Update().
			Where(apikey.ID(id), apikey.RevokedAt(0)).
			SetRevokedAt(sqldb.Micros(at)).
			Save(ctx)
		switch {
		case err != nil:
			return err
		case n > 0:
			return record(ctx, tx.AuditEntry, entry)
		}
		found, err := tx.APIKey.Query().Where(apikey.ID(id)).Exist(ctx)
		if err == nil && !found {
			return errNoKey
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke an API key: %w", sqldb.Unavailable(err))
	}
	return nil
}

// TouchKey implements [delivery.KeyStore]. Keys are used all the time, so it
// looks first, and writes once a minute at most.
func (s *Store) TouchKey(ctx context.Context, id delivery.KeyID, at time.Time) error {
	minute := sqldb.Micros(at.Truncate(time.Minute))
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
		return fmt.Errorf("note the use of an API key: %w", sqldb.Unavailable(err))
	}
	return nil
}
