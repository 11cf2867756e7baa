package delivery

import (
	"cmp"
	"context"
	"slices"
	"time"
)

func (f *fakeStore) CreateKey(ctx context.Context, k APIKey, record AuditEntry) error {
	leave, err := f.enter(ctx, "CreateKey")
	if err != nil {
		return err
	}
	defer leave()
	f.apiKeys[k.ID] = k
	f.audit = append(f.audit, record)
	return nil
}

func (f *fakeStore) KeyByID(ctx context.Context, id KeyID) (APIKey, error) {
	leave, err := f.enter(ctx, "KeyByID")
	if err != nil {
		return APIKey{}, err
	}
	defer leave()
	if k, ok := f.apiKeys[id]; ok {
		return k, nil
	}
	return APIKey{}, errNotFound
}

func (f *fakeStore) KeyByPrefix(ctx context.Context, prefix string) (APIKey, error) {
	leave, err := f.enter(ctx, "KeyByPrefix")
	if err != nil {
		return APIKey{}, err
	}
	defer leave()
	for _, k := range f.apiKeys {
		if k.Prefix == prefix {
			return k, nil
		}
	}
	return APIKey{}, errNotFound
}

func (f *fakeStore) Keys(ctx context.Context, org OrgID, _ time.Time) ([]APIKey, error) {
	leave, err := f.enter(ctx, "Keys")
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []APIKey
	for _, k := range f.apiKeys {
		if org == 0 || k.Org == org {
			found = append(found, k)
		}
	}
	slices.SortFunc(found, func(a, b APIKey) int { return cmp.Compare(b.ID, a.ID) })
	return found, nil
}

func (f *fakeStore) RevokeKey(ctx context.Context, id KeyID, at time.Time, record AuditEntry) error {
	return f.changeKey(ctx, id, func(k *APIKey) {
		k.RevokedAt = at
		f.audit = append(f.audit, record)
	})
}

func (f *fakeStore) TouchKey(ctx context.Context, id KeyID, at time.Time) error {
	return f.changeKey(ctx, id, func(k *APIKey) { k.LastUsedAt = at })
}

func (f *fakeStore) changeKey(ctx context.Context, id KeyID, do func(*APIKey)) error {
	leave, err := f.enter(ctx, "Key")
	if err != nil {
		return err
	}
	defer leave()
	k, ok := f.apiKeys[id]
	if !ok {
		return errNotFound
	}
	do(&k)
	f.apiKeys[id] = k
	return nil
}

func (f *fakeStore) Record(ctx context.Context, entries ...AuditEntry) error {
	leave, err := f.enter(ctx, "Record")
	if err != nil {
		return err
	}
	defer leave()
	f.audit = append(f.audit, entries...)
	return nil
}

func (f *fakeStore) AuditLog(
	ctx context.Context, org OrgID, _ AuditFilter, p Page,
) (Slice[AuditEntry], error) {
	leave, err := f.enter(ctx, "AuditLog")
	if err != nil {
		return Slice[AuditEntry]{}, err
	}
	defer leave()
	found := selected(f.audit, func(e AuditEntry) bool { return org == 0 || e.Org == org })
	slices.Reverse(found)
	return paged(found, p, false), nil
}

func (f *fakeStore) DiscardAudit(ctx context.Context, t time.Time) (bool, error) {
	leave, err := f.enter(ctx, "DiscardAudit")
	if err != nil {
		return false, err
	}
	defer leave()
	f.audit = selected(f.audit, func(e AuditEntry) bool { return !e.At.Before(t) })
	return false, nil
}

func (f *fakeStore) SetSecrets(
	ctx context.Context, org OrgID, id WebhookID, secrets []SealedSecret, at time.Time, by string,
	record AuditEntry,
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
		return Errorf(Conflict, "", "Somebody else has changed the secret.")
	}
	w.Secrets, w.UpdatedAt, w.UpdatedBy = secrets, at, by
	f.org(org).ConfigVersion++
	f.audit = append(f.audit, record)
	return nil
}
