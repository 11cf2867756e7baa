package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"portalhooks/delivery"
)

func (f *Store) CreateKey(ctx context.Context, k delivery.APIKey, record delivery.AuditEntry) error {
	leave, err := f.enter(ctx, "CreateKey")
	if err != nil {
		return err
	}
	defer leave()
	f.KeyRows[k.ID] = k
	f.AuditRows = append(f.AuditRows, record)
	return nil
}

func (f *Store) KeyByID(ctx context.Context, id delivery.KeyID) (delivery.APIKey, error) {
	leave, err := f.enter(ctx, "KeyByID")
	if err != nil {
		return delivery.APIKey{}, err
	}
	defer leave()
	if k, ok := f.KeyRows[id]; ok {
		return k, nil
	}
	return delivery.APIKey{}, delivery.ErrNotFound
}

func (f *Store) KeyByPrefix(ctx context.Context, prefix string) (delivery.APIKey, error) {
	leave, err := f.enter(ctx, "KeyByPrefix")
	if err != nil {
		return delivery.APIKey{}, err
	}
	defer leave()
	for _, k := range f.KeyRows {
		if k.Prefix == prefix {
			return k, nil
		}
	}
	return delivery.APIKey{}, delivery.ErrNotFound
}

func (f *Store) Keys(ctx context.Context, org delivery.OrgID, _ time.Time) ([]delivery.APIKey, error) {
	leave, err := f.enter(ctx, "Keys")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []delivery.APIKey
	for _, k := range f.KeyRows {
		if org == 0 || k.Org == org {
			found = append(found, k)
		}
	}
	slices.SortFunc(found, func(a, b delivery.APIKey) int { return cmp.Compare(b.ID, a.ID) })
	return found, nil
}

func (f *Store) RevokeKey(
	ctx context.Context, id delivery.KeyID, at time.Time, record delivery.AuditEntry,
) error {
	return f.changeKey(ctx, id, func(k *delivery.APIKey) {
		k.RevokedAt = at
		f.AuditRows = append(f.AuditRows, record)
	})
}

func (f *Store) TouchKey(ctx context.Context, id delivery.KeyID, at time.Time) error {
	return f.changeKey(ctx, id, func(k *delivery.APIKey) { k.LastUsedAt = at })
}

func (f *Store) changeKey(ctx context.Context, id delivery.KeyID, do func(*delivery.APIKey)) error {
	leave, err := f.enter(ctx, "Key")
	if err != nil {
		return err
	}
	defer leave()
	k, ok := f.KeyRows[id]
	if !ok {
		return delivery.ErrNotFound
	}
	do(&k)
	f.KeyRows[id] = k
	return nil
}

func (f *Store) Record(ctx context.Context, entries ...delivery.AuditEntry) error {
	leave, err := f.enter(ctx, "Record")
	if err != nil {
		return err
	}
	defer leave()
	f.AuditRows = append(f.AuditRows, entries...)
	return nil
}

func (f *Store) AuditLog(
	ctx context.Context, org delivery.OrgID, _ delivery.AuditFilter, p delivery.Page,
) (delivery.Slice[delivery.AuditEntry], error) {
	leave, err := f.enter(ctx, "AuditLog")
	if err != nil {
		return delivery.Slice[delivery.AuditEntry]{}, err
	}
	defer leave()
	found := Selected(f.AuditRows, func(e delivery.AuditEntry) bool { return org == 0 || e.Org == org })
	slices.Reverse(found)
	return paged(found, p, false), nil
}

func (f *Store) DiscardAudit(ctx context.Context, t time.Time) (bool, error) {
	leave, err := f.enter(ctx, "DiscardAudit")
	if err != nil {
		return false, err
	}
	defer leave()
	f.AuditRows = Selected(f.AuditRows, func(e delivery.AuditEntry) bool { return !e.At.Before(t) })
	return false, nil
}

func (f *Store) SetSecrets(
	ctx context.Context,
	org delivery.OrgID,
	id delivery.WebhookID,
	secrets []delivery.SealedSecret,
	at time.Time,
	by string,
	record delivery.AuditEntry,
) error {
	leave, err := f.enter(ctx, "SetSecrets")
	if err != nil {
		return err
	}
	defer leave()
	w, err := f.current(org, id)
	if err != nil {
		return err
	}
	if len(w.Secrets) > 0 && len(secrets) > 0 && w.Secrets[0].CreatedAt.After(secrets[0].CreatedAt) {
		return delivery.Errorf(delivery.Conflict, "", "Somebody else has changed the secret.")
	}
	w.Secrets, w.UpdatedAt, w.UpdatedBy = secrets, at, by
	f.Org(org).ConfigVersion++
	f.AuditRows = append(f.AuditRows, record)
	return nil
}
