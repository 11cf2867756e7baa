package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

// CreateKey implements [delivery.KeyStore].
func (s *Store) CreateKey(ctx context.Context, k delivery.APIKey, record delivery.AuditEntry) error {
	if err := s.lock(ctx, "CreateKey"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	others := s.apiKeys(func(other *delivery.APIKey) bool {
		return other.Org == k.Org && other.Works(k.CreatedAt)
	})
	same := selected(others, func(other *delivery.APIKey) bool { return other.Name == k.Name })
	_, taken := s.keyWithPrefix(k.Prefix)
	switch {
	case len(same) >= delivery.KeysPerName:
		oldest := same[len(same)-1]
		return delivery.Errorf(delivery.Conflict, "name",
			"%d keys of %q are valid already; %s (%s…) is the oldest.",
			len(same), k.Name, oldest.ID, oldest.Prefix)
	case k.Org != 0 && len(others) >= delivery.MaxKeys:
		return delivery.Errorf(delivery.LimitExceeded, "",
			"An organization has at most %d valid API keys.", delivery.MaxKeys)
	case taken:
		return delivery.Errorf(delivery.Conflict, "", "Another API key has the same prefix.")
	}
	s.KeyRows[k.ID] = k
	s.record(record)
	return nil
}

// apiKeys returns the keys that pass, newest first.
func (s *Store) apiKeys(passes func(*delivery.APIKey) bool) []delivery.APIKey {
	var found []delivery.APIKey
	for _, k := range s.KeyRows {
		if passes(&k) {
			found = append(found, k)
		}
	}
	slices.SortFunc(found, newestKey)
	return found
}

func newestKey(a, b delivery.APIKey) int { return cmp.Compare(b.ID, a.ID) }

func (s *Store) keyWithPrefix(prefix string) (delivery.APIKey, bool) {
	for _, k := range s.KeyRows {
		if k.Prefix == prefix {
			return k, true
		}
	}
	return delivery.APIKey{}, false
}

// KeysMadeBy implements [delivery.KeyStore].
func (s *Store) KeysMadeBy(ctx context.Context, makers []string, at time.Time) ([]delivery.APIKey, error) {
	if err := s.lock(ctx, "KeysMadeBy"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.apiKeys(func(k *delivery.APIKey) bool {
		return slices.Contains(makers, k.Maker) && k.Works(at)
	}), nil
}

// KeyByPrefix implements [delivery.KeyStore].
func (s *Store) KeyByPrefix(ctx context.Context, prefix string) (delivery.APIKey, error) {
	if err := s.lock(ctx, "KeyByPrefix"); err != nil {
		return delivery.APIKey{}, err
	}
	defer s.mu.Unlock()
	if k, ok := s.keyWithPrefix(prefix); ok {
		return k, nil
	}
	return delivery.APIKey{}, delivery.ErrNotFound
}

// KeyByID implements [delivery.KeyStore].
func (s *Store) KeyByID(ctx context.Context, id delivery.KeyID) (delivery.APIKey, error) {
	if err := s.lock(ctx, "KeyByID"); err != nil {
		return delivery.APIKey{}, err
	}
	defer s.mu.Unlock()
	if k, ok := s.KeyRows[id]; ok {
		return k, nil
	}
	return delivery.APIKey{}, delivery.ErrNotFound
}

// Keys implements [delivery.KeyStore].
func (s *Store) Keys(ctx context.Context, org delivery.OrgID, at time.Time) ([]delivery.APIKey, error) {
	if err := s.lock(ctx, "Keys"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	of := func(works bool) []delivery.APIKey {
		return s.apiKeys(func(k *delivery.APIKey) bool {
			return (org == 0 || k.Org == org) && k.Works(at) == works
		})
	}
	ended := of(false)
	all := append(of(true), ended[:min(len(ended), delivery.MaxKeys)]...)
	slices.SortFunc(all, newestKey)
	return all, nil
}

// RevokeKey implements [delivery.KeyStore].
func (s *Store) RevokeKey(
	ctx context.Context, id delivery.KeyID, at time.Time, record delivery.AuditEntry,
) error {
	if err := s.lock(ctx, "RevokeKey"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	k, ok := s.KeyRows[id]
	if !ok {
		return delivery.ErrNotFound
	}
	if k.RevokedAt.IsZero() {
		k.RevokedAt = at
		s.KeyRows[id] = k
		s.record(record)
	}
	return nil
}

// TouchKey implements [delivery.KeyStore].
func (s *Store) TouchKey(ctx context.Context, id delivery.KeyID, at time.Time) error {
	if err := s.lock(ctx, "TouchKey"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if k, ok := s.KeyRows[id]; ok {
		k.LastUsedAt = delivery.Later(k.LastUsedAt, at.Truncate(time.Minute))
		s.KeyRows[id] = k
	}
	return nil
}
